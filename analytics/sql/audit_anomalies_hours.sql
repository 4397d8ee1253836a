-- The cost of each workload by hour, as lists: which hours since $since had any calls, and what they cost. Each workload
-- begins where its first call is, and the first row of all tells where the facts that the asker sees begin and end.
WITH hours AS (
    SELECT tenant, workload, any_value(owner) AS owner,
           (epoch("hour") - epoch($since))::BIGINT // 3600 AS place, sum(cost)::DOUBLE AS cost
    FROM rollup_hours
    WHERE "hour" >= $since AND "hour" < $stop AND (currency IS NULL OR currency = $currency) {filters}
    GROUP BY tenant, workload, place
    HAVING sum(calls) > 0
)
SELECT tenant, workload, any_value(owner) AS owner,
       list(place ORDER BY place) AS places, list(coalesce(cost, 0) ORDER BY place) AS costs,
       coalesce(sum(cost) FILTER (place >= (epoch($start) - epoch($since))::BIGINT // 3600), 0) AS spent,
       (SELECT min("hour") FROM rollup_hours) AS facts_begin,
       (SELECT max("hour") FROM rollup_hours WHERE "hour" < $stop) AS facts_end
FROM hours
GROUP BY tenant, workload
ORDER BY tenant, workload NULLS FIRST
