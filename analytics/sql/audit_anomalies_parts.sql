-- What the hours of each event were made of, by model; and the same hours of $lags earlier times, $steps days apart.
WITH events AS (
    SELECT unnest($numbers) AS event, unnest($tenants) AS tenant, unnest($workloads) AS workload,
           unnest($begins) AS begins, unnest($ends) AS ends, unnest($steps) AS step
),
spans AS (
    SELECT event, tenant, workload, begins, lag, begins - lag * step * INTERVAL 1 DAY AS low,
           ends - lag * step * INTERVAL 1 DAY AS high
    FROM events, range(0, $lags + 1) AS lags(lag)
)
SELECT event, lag::BIGINT AS lag, provider, model, sum(calls)::BIGINT AS calls, sum(attempts)::BIGINT AS attempts,
       sum(input_uncached + cache_read + cache_write_5m + cache_write_1h + output)::BIGINT AS tokens,
       sum(cost)::DECIMAL(38, 12) AS cost
FROM spans JOIN rollup_hours AS h
    ON h.tenant = spans.tenant AND h.workload IS NOT DISTINCT FROM spans.workload
    AND h."hour" >= low AND h."hour" < high
WHERE h."hour" >= $since AND (lag = 0 OR high <= begins) AND (currency IS NULL OR currency = $currency)
GROUP BY event, lag, provider, model
HAVING sum(calls) > 0
ORDER BY event, lag, calls DESC, provider, model
