-- One row: how much of the cost has a tenant and an owner, and what is not known.
SELECT CAST(count(*) AS BIGINT)                                                  AS calls,
       CAST(sum(cost) AS DECIMAL(38, 12))                                        AS cost,
       any_value(currency)                                                       AS currency,
       CAST(sum(cost) FILTER (tenant <> $nobody AND owner IS NOT NULL) AS DECIMAL(38, 12)) AS covered_cost,
       CAST(sum(cost) FILTER (owner IS NULL) AS DECIMAL(38, 12))                 AS unowned_cost,
       CAST(sum(cost) FILTER (tenant = $nobody) AS DECIMAL(38, 12))              AS unattributed_cost,
       CAST(count(*) FILTER (owner IS NULL) AS BIGINT)                           AS unowned_calls,
       CAST(count(*) FILTER (tenant = $nobody) AS BIGINT)                        AS unattributed_calls,
       CAST(count(*) FILTER (state = 'unpriced') AS BIGINT)                      AS unpriced_calls,
       CAST(count(*) FILTER (state = 'incomplete') AS BIGINT)                    AS incomplete_calls
FROM calls
WHERE started_at >= $start AND started_at < $stop {filters}
