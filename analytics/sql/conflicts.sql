SELECT "at", tenant, trace_id, span_id, kept_model, kept_input, kept_output, refused_model, refused_input, refused_output
FROM conflicts
WHERE "at" >= $start AND "at" < $stop {filters}
ORDER BY "at" DESC, trace_id, span_id, refused_input NULLS FIRST, refused_output NULLS FIRST
LIMIT $top
