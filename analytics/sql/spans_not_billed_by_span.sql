SELECT * FROM (
    SELECT "at", tenant, trace_id, span_id, dialect, code, reason FROM not_billed
    UNION ALL
    SELECT "at", tenant, trace_id, span_id, dialect, code, reason FROM merged_spans
)
WHERE "at" >= $start AND "at" < $stop {filters}
ORDER BY "at" DESC, trace_id, span_id
LIMIT $top
