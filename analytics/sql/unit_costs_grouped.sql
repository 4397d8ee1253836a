-- The rows of one grouping, out of the lines of unit_costs.sql.
-- A row a task and group, so that tasks need only be counted; and a row for each user, which has nothing else.
WITH counted AS (
    SELECT {names} part, fate, part = 'tasks' AS is_task, false AS is_user,
           sum(calls) AS calls, sum(attempts) AS attempts, sum(priced_calls) AS priced_calls, sum(cost) AS cost,
           any_value(currency) AS currency,
           sum(cost) FILTER (end_user IS NOT NULL) AS users_cost,
           sum(retried_calls) AS retried_calls, sum(priced_retried_calls) AS priced_retried_calls, sum(retry_cost) AS retry_cost,
           coalesce(sum(CASE WHEN in_vain THEN calls ELSE incomplete_calls END), 0) AS calls_in_vain,
           coalesce(sum(CASE WHEN in_vain THEN priced_calls ELSE priced_incomplete_calls END), 0) AS priced_calls_in_vain,
           sum(CASE WHEN in_vain THEN cost ELSE incomplete_cost END) AS cost_in_vain,
           coalesce(sum(unpriced_calls), 0) AS unpriced_calls, coalesce(sum(incomplete_calls), 0) AS incomplete_calls
    FROM lines WHERE {rows} GROUP BY {names} part, of_tenant, root, fate
    UNION ALL BY NAME
    SELECT DISTINCT {names} part, of_tenant, end_user, false AS is_task, true AS is_user
    FROM lines WHERE end_user IS NOT NULL AND {rows}
),
grouped AS (
    SELECT {names} part,
           part NOT IN ('overflow', 'deleted') AS has_tasks, part <> 'deleted' AS has_calls,
           coalesce(sum(calls), 0)::BIGINT AS calls, coalesce(sum(priced_calls), 0)::BIGINT AS priced_calls,
           count(*) FILTER (is_task) AS tasks,
           count(*) FILTER (is_task AND fate = 'succeeded') AS succeeded,
           count(*) FILTER (is_task AND fate = 'failed') AS failed,
           count(*) FILTER (is_task AND fate = 'stopped') AS stopped,
           count(*) FILTER (is_task AND fate = 'abandoned') AS abandoned,
           count(*) FILTER (is_task AND fate = 'open') AS "open",
           count(*) FILTER (is_task AND fate = 'unknown') AS "unknown",
           -- NULL where no call of the group has a cost: unknown is not zero.
           CASE WHEN sum(priced_calls) > 0 THEN sum(cost) END::DECIMAL(38, 12) AS cost,
           CASE WHEN sum(priced_calls) > 0 THEN any_value(currency) END AS currency,
           quantile_disc(cost, [0.5, 0.95]) FILTER (is_task AND priced_calls > 0) AS quantiles,
           count(*) FILTER (is_user) AS users,
           sum(users_cost)::DECIMAL(38, 12) AS users_cost,
           sum(retried_calls)::BIGINT AS retried_calls, sum(attempts - calls)::BIGINT AS retry_attempts,
           CASE WHEN sum(retried_calls) = 0 THEN 0 WHEN sum(priced_retried_calls) > 0 THEN sum(retry_cost) END::DECIMAL(38, 12)
               AS retry_cost,
           sum(calls_in_vain) AS calls_in_vain, sum(priced_calls_in_vain) AS priced_calls_in_vain,
           sum(cost_in_vain)::DECIMAL(38, 12) AS cost_in_vain,
           sum(unpriced_calls)::BIGINT AS unpriced_calls, sum(incomplete_calls)::BIGINT AS incomplete_calls
    FROM counted
    GROUP BY {names} part HAVING sum(calls) > 0 OR part = 'tasks'
)
SELECT {number} AS grouping_number, '{name}' AS grouped_by, row_number() OVER (ORDER BY {order}, part) AS place,
       {names} part, calls, priced_calls,
       CASE WHEN has_tasks THEN tasks END AS tasks,
       CASE WHEN has_tasks THEN succeeded END AS succeeded,
       CASE WHEN has_tasks THEN failed END AS failed,
       CASE WHEN has_tasks THEN stopped END AS stopped,
       CASE WHEN has_tasks THEN abandoned END AS abandoned,
       CASE WHEN has_tasks THEN "open" END AS "open",
       CASE WHEN has_tasks THEN "unknown" END AS "unknown",
       cost, currency,
       {per_task} AS cost_per_task,
       quantiles[1]::DECIMAL(38, 12) AS cost_of_task_p50, quantiles[2]::DECIMAL(38, 12) AS cost_of_task_p95,
       {per_success} AS cost_per_success,
       {per_1000_calls} AS cost_per_1000_calls,
       CASE WHEN has_calls THEN users END AS users,
       {per_user} AS cost_per_user,
       CASE WHEN has_calls THEN retried_calls END AS retried_calls,
       retry_attempts,
       CASE WHEN has_calls THEN retry_cost END AS retry_cost_at_most,
       CASE WHEN NOT has_tasks THEN NULL WHEN calls_in_vain = 0 THEN 0 WHEN priced_calls_in_vain > 0 THEN cost_in_vain
            END::DECIMAL(38, 12) AS abandoned_cost,
       unpriced_calls, incomplete_calls
FROM grouped
