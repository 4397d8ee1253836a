-- The known cost of each group over its tasks, calls and users. What stands in braces comes from fixed maps and from other
-- files: reports.py puts it in.
WITH ended AS (
    -- A task that ended several times, since it went on elsewhere: the last end counts, in whatever order they came. An end
    -- is later than the calls of its task, but for clocks.
    SELECT tenant, task_id AS root,
           arg_max(outcome, row(coalesce(ended_at, started_at), started_at, trace_id, span_id)) AS outcome
    FROM task_ends WHERE task_id = coalesce(root_task_id, task_id) AND coalesce(ended_at, started_at) >= $start - INTERVAL 1 DAY
    GROUP BY ALL
),
running AS (
    SELECT DISTINCT tenant, coalesce(root_task_id, task_id) AS root FROM rollup_tasks WHERE last_at > $open_since
),
by_task AS (
    SELECT {keys} tenant AS of_tenant, coalesce(root_task_id, task_id) AS root, end_user, details,
           sum(calls) AS calls, sum(attempts) AS attempts, sum(priced_calls) AS priced_calls, sum(cost) AS cost,
           any_value(currency) AS currency,
           count(*) FILTER (attempts > 1) AS retried_calls,
           count(cost) FILTER (attempts > 1) AS priced_retried_calls, sum(cost * (attempts - 1)) AS retry_cost,
           sum(calls) FILTER (state = 'unpriced') AS unpriced_calls,
           sum(calls) FILTER (state = 'incomplete') AS incomplete_calls,
           sum(priced_calls) FILTER (state = 'incomplete') AS priced_incomplete_calls,
           sum(cost) FILTER (state = 'incomplete') AS incomplete_cost
    FROM ({facts})
    WHERE true {filters}
    GROUP BY ALL
),
parted AS (
    SELECT *, CASE WHEN NOT details THEN 'deleted' WHEN root IS NULL THEN 'no_task' WHEN root = $overflow THEN 'overflow'
                   ELSE 'tasks' END AS part
    FROM by_task
),
lines AS (
    SELECT parted.*,
           coalesce(outcome, CASE WHEN running.root IS NULL THEN 'unknown' ELSE 'open' END) AS fate,
           coalesce(outcome IN ('failed', 'stopped', 'abandoned'), false) AS in_vain
    FROM parted
    LEFT JOIN ended ON part = 'tasks' AND ended.tenant = of_tenant AND ended.root = parted.root
    LEFT JOIN running ON part = 'tasks' AND running.tenant = of_tenant AND running.root = parted.root
),
-- A row a task and group, so that tasks need only be counted; and a row for each user, which has nothing else.
counted AS (
    SELECT {names} part, fate, part = 'tasks' AS is_task, false AS is_user,
           sum(calls) AS calls, sum(attempts) AS attempts, sum(priced_calls) AS priced_calls, sum(cost) AS cost,
           any_value(currency) AS currency,
           sum(cost) FILTER (end_user IS NOT NULL) AS users_cost,
           sum(retried_calls) AS retried_calls, sum(priced_retried_calls) AS priced_retried_calls, sum(retry_cost) AS retry_cost,
           coalesce(sum(CASE WHEN in_vain THEN calls ELSE incomplete_calls END), 0) AS calls_in_vain,
           coalesce(sum(CASE WHEN in_vain THEN priced_calls ELSE priced_incomplete_calls END), 0) AS priced_calls_in_vain,
           sum(CASE WHEN in_vain THEN cost ELSE incomplete_cost END) AS cost_in_vain,
           coalesce(sum(unpriced_calls), 0) AS unpriced_calls, coalesce(sum(incomplete_calls), 0) AS incomplete_calls
    FROM lines GROUP BY {names} part, of_tenant, root, fate
    UNION ALL BY NAME
    SELECT DISTINCT {names} part, of_tenant, end_user, false AS is_task, true AS is_user FROM lines WHERE end_user IS NOT NULL
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
SELECT {names} part, calls, priced_calls,
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
ORDER BY {order}, part
