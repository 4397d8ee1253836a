-- The $top tasks with the highest cost, and one row (`rest`) for all others, so that the rows add up.
WITH by_task AS MATERIALIZED ({lines}),
top AS (
    SELECT *, row_number() OVER (ORDER BY {order}) AS place FROM (FROM by_task ORDER BY {order} LIMIT $top)
),
kept AS (
    SELECT place, 1 AS tasks, false AS rest, * EXCLUDE (place) FROM top
    UNION ALL BY NAME
    SELECT count(*) AS tasks, true AS rest, sum(calls) AS calls, sum(attempts) AS attempts, sum(cost) AS cost,
           any_value(currency) AS currency,
           sum(unpriced_calls) AS unpriced_calls, sum(incomplete_calls) AS incomplete_calls,
           min(first_at) AS first_at, max(last_at) AS last_at
    FROM by_task ANTI JOIN top
        ON by_task.tenant = top.tenant AND by_task.workload IS NOT DISTINCT FROM top.workload
        AND by_task.task_id IS NOT DISTINCT FROM top.task_id AND by_task.details = top.details
    HAVING count(*) > 0
)
SELECT place, rest, CAST(tasks AS BIGINT) AS tasks, tenant, workload, task_id, root_task_id, tier, owner,
       CAST(calls AS BIGINT) AS calls, CAST(attempts AS BIGINT) AS attempts,
       CAST(cost AS DECIMAL(38, 12)) AS cost, currency,
       CAST(unpriced_calls AS BIGINT) AS unpriced_calls, CAST(incomplete_calls AS BIGINT) AS incomplete_calls,
       first_at, last_at
FROM kept
ORDER BY place NULLS LAST
