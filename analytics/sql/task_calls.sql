-- The calls of one task tree, or of one task in it: the $top dearest in the order of time, and a row (`rest`) for the others.
-- What a cache answered stands among them, as no call, at no cost.
WITH answered AS (
    SELECT 1 AS calls, started_at, ended_at, task_id, root_task_id, tenant, workload, owner, tier, provider, model, sku,
           service_tier, state, attempts, input_uncached, cache_read, cache_write_5m, cache_write_1h, output, reasoning,
           cost, currency, price_version, trace_id, span_id, cache, NULL::DECIMAL(18, 12) AS saved
    FROM calls
    UNION ALL
    SELECT 0, started_at, ended_at, task_id, root_task_id, tenant, workload, owner, tier, provider, model, NULL,
           service_tier, 'served', 0, input_uncached, cache_read, cache_write_5m, cache_write_1h, output, reasoning,
           0, currency, price_version, trace_id, span_id, cache, saved
    FROM served
),
asked AS MATERIALIZED (
    SELECT *, row_number() OVER (ORDER BY cost DESC NULLS FIRST, started_at, trace_id, span_id) AS place
    FROM answered
    WHERE started_at >= $start AND started_at < $stop AND tenant = $tenant AND task_id IS NOT NULL
        AND (root_task_id = $task OR (root_task_id IS NULL AND task_id = $task)) {of_task}
)
SELECT rest, calls::BIGINT AS calls, started_at, ended_at, task_id, workload, owner, tier, provider, model, sku, service_tier, state, attempts::BIGINT AS attempts,
       input_uncached::BIGINT AS input_uncached, cache_read::BIGINT AS cache_read, cache_write_5m::BIGINT AS cache_write_5m,
       cache_write_1h::BIGINT AS cache_write_1h, output::BIGINT AS output, reasoning::BIGINT AS reasoning,
       cost::DECIMAL(38, 12) AS cost, currency, price_version, trace_id, span_id, cache, saved::DECIMAL(38, 12) AS saved
FROM (
    SELECT false AS rest, * FROM asked WHERE place <= $top
    UNION ALL BY NAME
    SELECT true AS rest, sum(calls) AS calls, min(started_at) AS started_at, max(greatest(ended_at, started_at)) AS ended_at,
           sum(attempts) AS attempts, sum(input_uncached) AS input_uncached, sum(cache_read) AS cache_read,
           sum(cache_write_5m) AS cache_write_5m, sum(cache_write_1h) AS cache_write_1h, sum(output) AS output,
           sum(reasoning) AS reasoning, sum(cost) AS cost, currency, sum(saved) AS saved
    FROM asked WHERE place > $top GROUP BY currency
)
ORDER BY rest, started_at, trace_id, span_id
