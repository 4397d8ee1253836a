-- The $top tasks with the highest cost, and one row (`rest`) for all others, so that the rows add up.
WITH by_task AS (
    SELECT tenant, workload, task_id, any_value(root_task_id) AS root_task_id, any_value(tier) AS tier,
           any_value(owner) AS owner, count(*) AS calls, sum(attempts) AS attempts, sum(cost) AS cost,
           any_value(currency) AS currency,
           count(*) FILTER (state = 'unpriced') AS unpriced_calls,
           count(*) FILTER (state = 'incomplete') AS incomplete_calls,
           min(started_at) AS first_at, max(started_at) AS last_at
    FROM calls
    WHERE started_at >= $start AND started_at < $stop {filters}
    GROUP BY tenant, workload, task_id
),
ranked AS (
    SELECT *, row_number() OVER (
        ORDER BY cost DESC NULLS LAST, calls DESC, tenant, workload NULLS FIRST, task_id NULLS FIRST
    ) AS place
    FROM by_task
),
kept AS (
    SELECT CAST(place AS BIGINT) AS place, 1 AS tasks, false AS rest, * EXCLUDE (place)
    FROM ranked
    WHERE place <= $top
    UNION ALL BY NAME
    SELECT NULL::BIGINT AS place, count(*) AS tasks, true AS rest,
           NULL::VARCHAR AS tenant, NULL::VARCHAR AS workload, NULL::VARCHAR AS task_id,
           NULL::VARCHAR AS root_task_id, NULL::VARCHAR AS tier, NULL::VARCHAR AS owner,
           sum(calls) AS calls, sum(attempts) AS attempts, sum(cost) AS cost, any_value(currency) AS currency,
           sum(unpriced_calls) AS unpriced_calls, sum(incomplete_calls) AS incomplete_calls,
           min(first_at) AS first_at, max(last_at) AS last_at
    FROM ranked
    WHERE place > $top
    HAVING count(*) > 0
)
SELECT place, rest, CAST(tasks AS BIGINT) AS tasks, tenant, workload, task_id, root_task_id, tier, owner,
       CAST(calls AS BIGINT) AS calls, CAST(attempts AS BIGINT) AS attempts,
       CAST(cost AS DECIMAL(38, 12)) AS cost, currency,
       CAST(unpriced_calls AS BIGINT) AS unpriced_calls, CAST(incomplete_calls AS BIGINT) AS incomplete_calls,
       first_at, last_at
FROM kept
ORDER BY place NULLS LAST
