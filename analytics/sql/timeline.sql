-- Cost and use for each bucket and key. All but the $top keys with the highest cost are one key, marked `rest`.
WITH scoped AS (
    SELECT {key} AS key, {bucket} AS bucket, calls, priced_calls, cost, state, currency,
           input_uncached + cache_read + cache_write_5m + cache_write_1h + output AS tokens
    FROM ({facts})
    WHERE true {filters}
),
ranked AS (
    SELECT key, row_number() OVER (
        ORDER BY CASE WHEN sum(priced_calls) > 0 THEN sum(cost) END DESC NULLS LAST, sum(calls) DESC, key NULLS FIRST
    ) AS place
    FROM scoped
    GROUP BY key HAVING sum(calls) > 0
)
SELECT scoped.bucket,
       CASE WHEN ranked.place <= $top THEN scoped.key END      AS key,
       ranked.place > $top                                     AS rest,
       CAST(sum(scoped.calls) AS BIGINT)                       AS calls,
       CAST(coalesce(sum(scoped.tokens), 0) AS BIGINT)         AS tokens,
       CAST(CASE WHEN sum(scoped.priced_calls) > 0 THEN sum(scoped.cost) END AS DECIMAL(38, 12)) AS cost,
       CASE WHEN sum(scoped.priced_calls) > 0 THEN any_value(scoped.currency) END AS currency,
       CAST(coalesce(sum(scoped.calls) FILTER (scoped.state = 'unpriced'), 0) AS BIGINT)   AS unpriced_calls,
       CAST(coalesce(sum(scoped.calls) FILTER (scoped.state = 'incomplete'), 0) AS BIGINT) AS incomplete_calls
FROM scoped JOIN ranked ON scoped.key IS NOT DISTINCT FROM ranked.key
GROUP BY ALL HAVING sum(scoped.calls) > 0
ORDER BY 1, 3, 2 NULLS FIRST
