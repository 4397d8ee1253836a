-- What each workload cost in the range, in the weeks before, and on which day. Costs of a day are in order of days.
WITH days AS (
    SELECT tenant, workload, any_value(owner) AS owner,
           (epoch("hour")::BIGINT // 86400)::INTEGER AS day, "hour" >= $start AS is_now,
           sum(calls) AS calls, sum(cost) AS cost
    FROM rollup_hours
    WHERE "hour" >= $since AND "hour" < $stop AND (currency IS NULL OR currency = $currency) {filters}
    GROUP BY tenant, workload, day, is_now
    HAVING sum(calls) > 0
)
SELECT tenant, workload, any_value(owner) AS owner,
       coalesce(sum(calls) FILTER (is_now), 0)::BIGINT AS calls,
       coalesce(sum(cost) FILTER (is_now), 0)::DECIMAL(38, 12) AS cost,
       list(day ORDER BY day) FILTER (NOT is_now) AS past_days,
       list(coalesce(cost, 0)::DECIMAL(38, 12) ORDER BY day) FILTER (NOT is_now) AS past_costs
FROM days
GROUP BY tenant, workload
HAVING sum(calls) FILTER (is_now) > 0
ORDER BY tenant, workload NULLS FIRST
