-- Spend by any of the dimensions. What stands in braces comes from fixed maps and from other files: reports.py puts it in.
SELECT {keys}
       CAST(coalesce(sum(calls), 0) AS BIGINT)                 AS calls,
       CAST(coalesce(sum(attempts), 0) AS BIGINT)              AS attempts,
       CAST(coalesce(sum(input_uncached), 0) AS BIGINT)        AS input_uncached,
       CAST(coalesce(sum(cache_read), 0) AS BIGINT)            AS cache_read,
       CAST(coalesce(sum(cache_write_5m), 0) AS BIGINT)        AS cache_write_5m,
       CAST(coalesce(sum(cache_write_1h), 0) AS BIGINT)        AS cache_write_1h,
       CAST(coalesce(sum(output), 0) AS BIGINT)                AS output,
       CAST(coalesce(sum(reasoning), 0) AS BIGINT)             AS reasoning,
       -- NULL where no call of the group has a cost: unknown is not zero.
       CAST(CASE WHEN sum(priced_calls) > 0 THEN sum(cost) END AS DECIMAL(38, 12)) AS cost,
       CASE WHEN sum(priced_calls) > 0 THEN any_value(currency) END                AS currency,
       CAST(coalesce(sum(calls) FILTER (state = 'unpriced'), 0) AS BIGINT)   AS unpriced_calls,
       CAST(coalesce(sum(calls) FILTER (state = 'incomplete'), 0) AS BIGINT) AS incomplete_calls,
       CAST(coalesce(sum(calls) FILTER (owner IS NULL), 0) AS BIGINT)        AS unowned_calls
FROM ({facts})
WHERE true {filters}
{grouping}
ORDER BY {order}
