-- The sums of calls whose details were deleted, of each hour that began from $start to before $stop.
SELECT "hour" AS started_at, tenant, workload, tier, owner, cost_centre, provider, model, state,
       CASE WHEN priced_calls <> 0 THEN currency END AS currency,
       sum(calls)::BIGINT AS calls, sum(attempts)::BIGINT AS attempts,
       sum(input_uncached)::BIGINT AS input_uncached, sum(cache_read)::BIGINT AS cache_read,
       sum(cache_write_5m)::BIGINT AS cache_write_5m, sum(cache_write_1h)::BIGINT AS cache_write_1h,
       sum(output)::BIGINT AS output, sum(reasoning)::BIGINT AS reasoning, sum(cost)::DECIMAL(38, 12) AS cost
FROM rollup_hours
WHERE NOT details AND "hour" >= $start AND "hour" < $stop
GROUP BY ALL
HAVING sum(calls) <> 0
