-- Task trees beside the others of their workload: what each cost, what half of them cost at most, and what it has spent since
-- $since. A tree is of the workload of its root; where the root made no call, of that of its first call.
WITH asked AS MATERIALIZED (
    SELECT hash(tenant, coalesce(root_task_id, task_id)) AS tree, hash(tenant, workload) AS of_workload,
           coalesce(root_task_id <> task_id, false) AS is_below, epoch_us(started_at) AS began, attempts, cost, currency, state
    FROM calls
    WHERE started_at >= $start AND started_at < $stop AND task_id IS NOT NULL AND coalesce(root_task_id, task_id) <> $overflow
),
trees AS MATERIALIZED (
    SELECT tree, arg_min(of_workload, row(is_below, began)) AS of_workload, count(*) AS calls, sum(attempts) AS attempts,
           CASE WHEN min(currency) = max(currency) THEN min(currency) END AS currency,
           CASE WHEN min(currency) = max(currency) THEN sum(cost) END::DECIMAL(38, 12) AS cost,
           count(*) FILTER (state = 'unpriced') AS unpriced_calls, count(*) FILTER (state = 'incomplete') AS incomplete_calls,
           min(began) AS first_us, max(began) AS last_us,
           count(*) FILTER (began >= epoch_us($since)) AS recent_calls,
           CASE WHEN min(currency) = max(currency) THEN sum(cost) FILTER (began >= epoch_us($since)) END::DECIMAL(38, 12) AS recent_cost
    FROM asked GROUP BY tree
),
usual AS (
    SELECT of_workload, currency, count(*) - 1 AS others, quantile_disc(cost, 0.5)::DECIMAL(38, 12) AS usual_cost
    FROM trees WHERE cost IS NOT NULL GROUP BY ALL
),
usual_calls AS (SELECT of_workload, quantile_disc(calls, 0.5) AS usual_calls FROM trees GROUP BY ALL),
found AS MATERIALIZED (
    SELECT trees.*, coalesce(others, 0) AS others, usual_cost, usual_calls
    FROM trees LEFT JOIN usual USING (of_workload, currency) JOIN usual_calls USING (of_workload)
    WHERE {condition}
),
named AS (
    SELECT hash(tenant, coalesce(root_task_id, task_id)) AS tree, any_value(tenant) AS tenant,
           any_value(coalesce(root_task_id, task_id)) AS root_task_id,
           arg_min_null(workload, row(coalesce(root_task_id <> task_id, false), started_at)) AS workload,
           arg_min_null(owner, row(coalesce(root_task_id <> task_id, false), started_at)) AS owner,
           arg_min_null(tier, row(coalesce(root_task_id <> task_id, false), started_at)) AS tier, count(DISTINCT task_id) AS tasks
    FROM calls
    WHERE started_at >= $start AND started_at < $stop AND task_id IS NOT NULL
        AND hash(tenant, coalesce(root_task_id, task_id)) IN (SELECT tree FROM found)
    GROUP BY 1
)
SELECT tenant, root_task_id, workload, owner, tier, tasks::BIGINT AS tasks, calls::BIGINT AS calls,
       attempts::BIGINT AS attempts, cost, currency, usual_cost, usual_calls::BIGINT AS usual_calls, others::BIGINT AS others,
       recent_calls::BIGINT AS recent_calls, recent_cost, unpriced_calls::BIGINT AS unpriced_calls,
       incomplete_calls::BIGINT AS incomplete_calls, make_timestamptz(first_us) AS first_at, make_timestamptz(last_us) AS last_at
FROM found JOIN named USING (tree)
WHERE true {filters}
ORDER BY {order}
LIMIT $top
