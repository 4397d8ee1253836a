-- A week and the week before it, by who answers for the cost: what the weekly review is computed from.
SELECT CASE WHEN started_at >= $week THEN 'week' ELSE 'before' END AS period,
       tenant, workload, owner, cost_centre,
       CAST(sum(calls) AS BIGINT)                                            AS calls,
       CAST(coalesce(sum(attempts), 0) AS BIGINT)                            AS attempts,
       CAST(CASE WHEN sum(priced_calls) > 0 THEN sum(cost) END AS DECIMAL(38, 12)) AS cost,
       CASE WHEN sum(priced_calls) > 0 THEN any_value(currency) END          AS currency,
       CAST(coalesce(sum(calls) FILTER (state = 'unpriced'), 0) AS BIGINT)   AS unpriced_calls,
       CAST(coalesce(sum(calls) FILTER (state = 'incomplete'), 0) AS BIGINT) AS incomplete_calls
FROM ({facts})
WHERE true {filters}
GROUP BY ALL HAVING sum(calls) > 0
ORDER BY period DESC, tenant, workload NULLS FIRST
