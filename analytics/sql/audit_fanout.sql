-- Task trees by workload: how many calls each makes, how deep and how broad it is, and what it costs. A tree is of the
-- workload of its root; where the root made no call, of that of its first call.
WITH asked AS MATERIALIZED (
    SELECT hash(tenant, workload) AS of_workload, hash(tenant, coalesce(root_task_id, task_id)) AS root,
           hash(tenant, task_id) AS task, hash(tenant, parent_task_id) AS parent, parent_task_id IS NOT NULL AS has_parent,
           epoch_us(started_at) AS began, cost, currency,
           task_id IS NOT NULL AND coalesce(root_task_id, task_id) <> '__overflow__' AS has_task
    FROM calls
    WHERE kind = 'llm' AND started_at >= $start AND started_at < $stop
),
trees AS MATERIALIZED (
    SELECT root, arg_min(of_workload, row(task <> root, began)) AS of_workload, count(*) AS calls,
           count(DISTINCT task) AS agents, CASE WHEN min(currency) = max(currency) THEN min(currency) END AS currency,
           CASE WHEN count(cost) = count(*) AND min(currency) = max(currency) THEN sum(cost) END::DECIMAL(38, 12) AS cost
    FROM asked WHERE has_task GROUP BY root
),
agents AS MATERIALIZED (
    -- The first parent by number, should a task name several: it is a tree.
    SELECT root, task, coalesce(min(parent) FILTER (has_parent AND parent <> task), root) AS parent
    FROM asked WHERE has_task AND task <> root
    GROUP BY root, task
),
depths AS (
    -- The root is the first level. Of a parent that made no call itself it is not known whose child it is: the root's, at
    -- least. What hangs on nothing but itself has no depth.
    WITH RECURSIVE levels AS (
        SELECT agents.root, agents.task, CASE WHEN agents.parent = agents.root THEN 2 ELSE 3 END AS depth
        FROM agents LEFT JOIN agents AS above ON above.root = agents.root AND above.task = agents.parent
        WHERE above.task IS NULL
        UNION ALL
        SELECT agents.root, agents.task, depth + 1
        FROM levels JOIN agents ON agents.root = levels.root AND agents.parent = levels.task
    )
    SELECT root, max(depth) AS depth FROM levels GROUP BY root
),
breadths AS (
    SELECT root, max(children) AS breadth
    FROM (SELECT root, parent, count(*) AS children FROM agents GROUP BY root, parent) GROUP BY root
),
ranked AS (
    SELECT trees.*, coalesce(depth, 1) AS depth, coalesce(breadth, 0) AS breadth,
           count(trees.cost) OVER of_all AS priced,
           row_number() OVER (of_all ORDER BY trees.cost DESC NULLS LAST) AS place
    FROM trees LEFT JOIN depths USING (root) LEFT JOIN breadths USING (root)
    WINDOW of_all AS (PARTITION BY trees.of_workload, trees.currency)
),
tails AS (
    -- The tenth of the trees that costs most, over the dearest of the others: Hill's estimate of the tail's index.
    SELECT of_workload, currency, (max(cost) FILTER (place = priced // 10 + 1))::DOUBLE AS beside FROM ranked GROUP BY ALL
),
sums AS (
    SELECT ranked.of_workload, ranked.currency, count(*) AS tasks, max(priced) AS priced_tasks,
           sum(calls) AS calls, quantile_disc(calls, [0.5, 0.95, 1.0]) AS calls_per_task,
           quantile_disc(agents, [0.5, 0.95, 1.0]) AS agents_per_task, quantile_disc(depth, [0.5, 0.95, 1.0]) AS depths,
           quantile_disc(breadth, [0.5, 0.95, 1.0]) AS breadths,
           sum(cost) AS cost, quantile_disc(cost, [0.5, 0.95, 0.99, 1.0]) AS cost_per_task,
           sum(cost) FILTER (place <= (priced + 99) // 100) AS dearest_cost,
           count(*) FILTER (place <= priced // 10 AND cost > 0) AS in_tail,
           sum(ln(cost::DOUBLE / beside)) FILTER (place <= priced // 10 AND cost > 0 AND beside > 0) AS tail_logs
    FROM ranked JOIN tails
        ON tails.of_workload = ranked.of_workload AND tails.currency IS NOT DISTINCT FROM ranked.currency
    GROUP BY ALL
),
without AS (SELECT of_workload, count(*) AS calls FROM asked WHERE NOT has_task GROUP BY ALL),
names AS (
    SELECT hash(tenant, workload) AS of_workload, any_value(tenant) AS tenant, any_value(workload) AS workload,
           any_value(owner) AS owner
    FROM (
        SELECT DISTINCT tenant, workload, owner FROM calls
        WHERE kind = 'llm' AND started_at >= $start AND started_at < $stop
    )
    GROUP BY ALL
)
SELECT tenant, workload, owner, coalesce(tasks, 0)::BIGINT AS tasks, coalesce(priced_tasks, 0)::BIGINT AS priced_tasks,
       coalesce(sums.calls, 0)::BIGINT AS calls, coalesce(without.calls, 0)::BIGINT AS calls_without_task,
       calls_per_task[1]::BIGINT AS calls_p50, calls_per_task[2]::BIGINT AS calls_p95, calls_per_task[3]::BIGINT AS calls_max,
       agents_per_task[1]::BIGINT AS agents_p50, agents_per_task[2]::BIGINT AS agents_p95,
       agents_per_task[3]::BIGINT AS agents_max, depths[1]::BIGINT AS depth_p50, depths[3]::BIGINT AS depth_max,
       breadths[1]::BIGINT AS breadth_p50, breadths[3]::BIGINT AS breadth_max,
       cost::DECIMAL(38, 12) AS cost, currency, cost_per_task[1]::DECIMAL(38, 12) AS cost_p50,
       cost_per_task[2]::DECIMAL(38, 12) AS cost_p95, cost_per_task[3]::DECIMAL(38, 12) AS cost_p99,
       cost_per_task[4]::DECIMAL(38, 12) AS cost_max, dearest_cost::DECIMAL(38, 12) AS dearest_cost,
       CASE WHEN tail_logs > 0 THEN in_tail / tail_logs END AS tail_index
FROM names LEFT JOIN sums USING (of_workload) LEFT JOIN without USING (of_workload)
-- A workload that only works in the trees of others has none of its own.
WHERE sums.tasks IS NOT NULL OR without.calls IS NOT NULL
ORDER BY cost DESC NULLS LAST, calls DESC, tenant, workload NULLS FIRST, currency NULLS FIRST
