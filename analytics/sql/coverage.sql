-- One row: how much of the cost has a tenant and an owner, and what is not known.
SELECT CAST(coalesce(sum(calls), 0) AS BIGINT)                                   AS calls,
       CAST(CASE WHEN sum(priced_calls) > 0 THEN sum(cost) END AS DECIMAL(38, 12)) AS cost,
       CASE WHEN sum(priced_calls) > 0 THEN any_value(currency) END              AS currency,
       CAST(CASE WHEN sum(priced_calls) FILTER (tenant <> $nobody AND owner IS NOT NULL) > 0
                 THEN sum(cost) FILTER (tenant <> $nobody AND owner IS NOT NULL) END AS DECIMAL(38, 12)) AS covered_cost,
       CAST(CASE WHEN sum(priced_calls) FILTER (owner IS NULL) > 0
                 THEN sum(cost) FILTER (owner IS NULL) END AS DECIMAL(38, 12))   AS unowned_cost,
       CAST(CASE WHEN sum(priced_calls) FILTER (tenant = $nobody) > 0
                 THEN sum(cost) FILTER (tenant = $nobody) END AS DECIMAL(38, 12)) AS unattributed_cost,
       CAST(CASE WHEN sum(priced_calls) FILTER (workload = $overflow) > 0
                 THEN sum(cost) FILTER (workload = $overflow) END AS DECIMAL(38, 12)) AS overflow_cost,
       -- As far as it is known.
       CAST(CASE WHEN sum(priced_calls) FILTER (state = 'incomplete') > 0
                 THEN sum(cost) FILTER (state = 'incomplete') END AS DECIMAL(38, 12)) AS incomplete_cost,
       CAST(coalesce(sum(calls) FILTER (owner IS NULL), 0) AS BIGINT)            AS unowned_calls,
       CAST(coalesce(sum(calls) FILTER (tenant = $nobody), 0) AS BIGINT)         AS unattributed_calls,
       CAST(coalesce(sum(calls) FILTER (workload = $overflow), 0) AS BIGINT)     AS overflow_calls,
       CAST(coalesce(sum(calls) FILTER (state = 'unpriced'), 0) AS BIGINT)       AS unpriced_calls,
       CAST(coalesce(sum(calls) FILTER (state = 'incomplete'), 0) AS BIGINT)     AS incomplete_calls
FROM ({facts})
WHERE true {filters}
