-- Cost for each bucket and key. All but the $top keys with the highest cost are one key, marked `rest`.
WITH scoped AS (
    SELECT {key} AS key, {bucket} AS bucket, cost, state, currency
    FROM calls
    WHERE started_at >= $start AND started_at < $stop {filters}
),
ranked AS (
    SELECT key, row_number() OVER (ORDER BY sum(cost) DESC NULLS LAST, count(*) DESC, key NULLS FIRST) AS place
    FROM scoped
    GROUP BY key
)
SELECT scoped.bucket,
       CASE WHEN ranked.place <= $top THEN scoped.key END      AS key,
       ranked.place > $top                                     AS rest,
       CAST(count(*) AS BIGINT)                                AS calls,
       CAST(sum(scoped.cost) AS DECIMAL(38, 12))               AS cost,
       any_value(scoped.currency)                              AS currency,
       CAST(count(*) FILTER (scoped.state = 'unpriced') AS BIGINT)   AS unpriced_calls,
       CAST(count(*) FILTER (scoped.state = 'incomplete') AS BIGINT) AS incomplete_calls
FROM scoped JOIN ranked ON scoped.key IS NOT DISTINCT FROM ranked.key
GROUP BY ALL
ORDER BY 1, 3, 2 NULLS FIRST
