WITH counted AS (
    SELECT tenant, dialect, code, sum(spans) AS spans FROM not_billed_counts
    WHERE "hour" >= date_trunc('hour', $start::TIMESTAMPTZ) AND "hour" < $stop {filters} GROUP BY ALL
    UNION ALL
    SELECT tenant, dialect, code, count(*) AS spans FROM merged_spans
    WHERE "at" >= date_trunc('hour', $start::TIMESTAMPTZ) AND "at" < $stop {filters} GROUP BY ALL
),
listed AS (
    SELECT "at", tenant, trace_id, span_id, dialect, code, reason FROM not_billed
    UNION ALL
    SELECT "at", tenant, trace_id, span_id, dialect, code, reason FROM merged_spans
),
last_ones AS (
    SELECT tenant, dialect, code, max("at") AS last_at, arg_max(trace_id || ':' || span_id, "at") AS last_span,
           arg_max(reason, "at") AS last_reason
    FROM listed
    WHERE "at" >= date_trunc('hour', $start::TIMESTAMPTZ) AND "at" < $stop {filters} GROUP BY ALL
)
SELECT c.tenant, c.dialect, c.code, c.spans::BIGINT AS spans, e.last_at, e.last_span, e.last_reason
FROM counted AS c
LEFT JOIN last_ones AS e ON e.tenant IS NOT DISTINCT FROM c.tenant
    AND e.dialect IS NOT DISTINCT FROM c.dialect AND e.code = c.code
ORDER BY c.spans DESC, c.tenant NULLS FIRST, c.dialect NULLS FIRST, c.code
LIMIT $top
