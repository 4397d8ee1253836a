-- How much of its input each workload sends again: of a call at most what its task sent in the call before, no longer than
-- $kept_s seconds ago, and nothing below the $least tokens from which providers cache.
WITH turns AS (
    SELECT tenant, workload, provider, model, cost, cache_read, cache_write_5m + cache_write_1h AS written,
           input_uncached + cache_read + cache_write_5m + cache_write_1h AS input, task_id,
           lag(input_uncached + cache_read + cache_write_5m + cache_write_1h) OVER turn AS was,
           epoch(started_at) - epoch(lag(started_at) OVER turn) AS after_s
    FROM calls
    WHERE started_at >= $start AND started_at < $stop AND kind = 'llm' AND state = 'complete' AND cost > 0
      AND currency = $currency AND apart IS NULL AND model IS NOT NULL {filters}
    WINDOW turn AS (PARTITION BY tenant, workload, provider, model, task_id ORDER BY started_at, seq)
)
SELECT tenant, workload, provider, model, count(*) AS calls, sum(input)::BIGINT AS input,
       sum(cache_read)::BIGINT AS read, sum(written)::BIGINT AS written,
       coalesce(sum(least(was, input)) FILTER (
           task_id IS NOT NULL AND after_s <= $kept_s AND least(was, input) >= $least), 0)::BIGINT AS again
FROM turns
GROUP BY tenant, workload, provider, model
ORDER BY tenant, workload NULLS FIRST, provider, model
