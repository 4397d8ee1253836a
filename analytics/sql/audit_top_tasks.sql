-- What tasks of each workload cost, with their sub-agents of the same workload: those that were over before the range, and
-- those with a call in it; of the first also those that ended well. q99 and the like are costs of real tasks.
WITH ends AS (
    SELECT tenant, workload, task_id, arg_max(outcome, seq) AS outcome FROM task_ends GROUP BY ALL
),
trees AS (
    SELECT tenant, workload, coalesce(root_task_id, task_id) AS task, sum(cost) AS cost,
           min(first_at) AS first_at, max(last_at) AS last_at
    FROM rollup_tasks
    WHERE task_id IS NOT NULL AND last_at >= $since AND first_at < $stop AND currency = $currency
    GROUP BY ALL
    HAVING sum(cost) IS NOT NULL
),
told AS (
    SELECT trees.tenant, trees.workload, cost, last_at >= $start AS is_now,
           coalesce(outcome = 'succeeded', false) AS succeeded
    FROM trees LEFT JOIN ends ON ends.tenant = trees.tenant AND ends.task_id = trees.task
        AND ends.workload IS NOT DISTINCT FROM trees.workload
)
SELECT tenant, workload,
       count(*) FILTER (NOT is_now AND succeeded) AS past_succeeded,
       quantile_disc(cost, 0.99) FILTER (NOT is_now AND succeeded)::DECIMAL(38, 12) AS past_succeeded_q99,
       count(*) FILTER (NOT is_now) AS past, quantile_disc(cost, 0.99) FILTER (NOT is_now)::DECIMAL(38, 12) AS past_q99,
       count(*) FILTER (is_now AND succeeded) AS succeeded,
       quantile_disc(cost, 0.99) FILTER (is_now AND succeeded)::DECIMAL(38, 12) AS succeeded_q99,
       count(*) FILTER (is_now) AS tasks,
       quantile_disc(cost, 0.5) FILTER (is_now)::DECIMAL(38, 12) AS p50,
       quantile_disc(cost, 0.99) FILTER (is_now)::DECIMAL(38, 12) AS p99,
       max(cost) FILTER (is_now)::DECIMAL(38, 12) AS largest
FROM told
GROUP BY tenant, workload
