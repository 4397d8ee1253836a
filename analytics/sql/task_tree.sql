-- The calls of one task tree, added up by task, workload and model. Currencies are no sum, so each has rows of its own.
SELECT task_id, workload, tier, provider, model, sku, currency, min(parent_task_id) FILTER (parent_task_id <> task_id) AS parent_task_id,
       arg_max_null(owner, started_at) AS owner, count(*)::BIGINT AS calls, sum(attempts)::BIGINT AS attempts,
       sum(input_uncached)::BIGINT AS input_uncached, sum(cache_read)::BIGINT AS cache_read,
       sum(cache_write_5m)::BIGINT AS cache_write_5m, sum(cache_write_1h)::BIGINT AS cache_write_1h, sum(output)::BIGINT AS output,
       sum(cost)::DECIMAL(38, 12) AS cost,
       count(*) FILTER (state = 'unpriced') AS unpriced_calls, count(*) FILTER (state = 'incomplete') AS incomplete_calls,
       min(started_at) AS first_at, max(greatest(ended_at, started_at)) AS last_at
FROM calls
WHERE started_at >= $start AND started_at < $stop AND tenant = $tenant AND task_id IS NOT NULL
    AND (root_task_id = $task OR (root_task_id IS NULL AND task_id = $task))
GROUP BY task_id, workload, tier, provider, model, sku, currency
ORDER BY task_id, cost DESC NULLS LAST, calls DESC, workload, tier, provider, model, sku, currency
