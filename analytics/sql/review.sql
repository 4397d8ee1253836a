-- A week and the week before it, by who answers for the cost: what the weekly review is computed from.
SELECT CASE WHEN started_at >= $start THEN 'week' ELSE 'before' END AS period,
       tenant, workload, owner, cost_centre,
       CAST(count(*) AS BIGINT)                                AS calls,
       CAST(coalesce(sum(attempts), 0) AS BIGINT)              AS attempts,
       CAST(sum(cost) AS DECIMAL(38, 12))                      AS cost,
       any_value(currency)                                     AS currency,
       CAST(count(*) FILTER (state = 'unpriced') AS BIGINT)    AS unpriced_calls,
       CAST(count(*) FILTER (state = 'incomplete') AS BIGINT)  AS incomplete_calls
FROM calls
WHERE started_at >= $before AND started_at < $stop {filters}
GROUP BY ALL
ORDER BY period DESC, tenant, workload NULLS FIRST
