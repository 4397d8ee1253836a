-- The task trees of the calls in the range, the $top of them in the wanted order, and one row (`rest`) for all others. Of
-- calls without a task, and of those whose task is over the cap, the tree is not known.
WITH asked AS MATERIALIZED (
    -- Names as numbers, which are many times faster to group by.
    SELECT hash(tenant, coalesce(root_task_id, task_id)) AS tree, epoch_us(started_at) AS began, attempts, cost, currency, state,
           {is_found} AS is_found
    FROM calls
    WHERE started_at >= $start AND started_at < $stop AND task_id IS NOT NULL AND coalesce(root_task_id, task_id) <> $overflow
        {filters}
),
trees AS MATERIALIZED (
    -- Of a tree that was paid in several currencies there is no sum.
    SELECT tree, count(*) AS calls, sum(attempts) AS attempts,
           CASE WHEN min(currency) = max(currency) THEN sum(cost) END::DECIMAL(38, 12) AS cost,
           CASE WHEN min(currency) = max(currency) THEN min(currency) END AS currency,
           count(*) FILTER (state = 'unpriced') AS unpriced_calls, count(*) FILTER (state = 'incomplete') AS incomplete_calls,
           min(began) AS first_us, max(began) AS last_us
    FROM asked GROUP BY tree HAVING bool_or(is_found)
),
top AS MATERIALIZED (
    SELECT *, row_number() OVER (ORDER BY {order}) AS place FROM (FROM trees ORDER BY {order} LIMIT $top)
),
parts AS MATERIALIZED (
    SELECT hash(tenant, coalesce(root_task_id, task_id)) AS tree, tenant, coalesce(root_task_id, task_id) AS root_task_id,
           task_id, parent_task_id, workload, owner, tier, started_at
    FROM calls
    WHERE started_at >= $start AND started_at < $stop AND task_id IS NOT NULL
        AND hash(tenant, coalesce(root_task_id, task_id)) IN (SELECT tree FROM top) {filters}
),
named AS (
    -- A tree is of the workload of its root; where the root made no call, of that of its first call.
    SELECT tree, any_value(tenant) AS tenant, any_value(root_task_id) AS root_task_id,
           arg_min_null(workload, row(task_id <> root_task_id, started_at)) AS workload,
           arg_min_null(owner, row(task_id <> root_task_id, started_at)) AS owner,
           arg_min_null(tier, row(task_id <> root_task_id, started_at)) AS tier,
           count(DISTINCT task_id) AS tasks
    FROM parts GROUP BY tree
),
agents AS MATERIALIZED (
    SELECT tree, root_task_id, task_id, coalesce(min(parent_task_id) FILTER (parent_task_id <> task_id), root_task_id) AS parent
    FROM parts WHERE task_id <> root_task_id GROUP BY tree, root_task_id, task_id
),
depths AS (
    -- As in audit_fanout: the root is the first level, and whose parent made no call itself is below it in the third.
    WITH RECURSIVE levels AS (
        SELECT agents.tree, agents.task_id, CASE WHEN agents.parent = agents.root_task_id THEN 2 ELSE 3 END AS depth
        FROM agents LEFT JOIN agents AS above ON above.tree = agents.tree AND above.task_id = agents.parent
        WHERE above.task_id IS NULL
        UNION ALL
        SELECT agents.tree, agents.task_id, depth + 1
        FROM levels JOIN agents ON agents.tree = levels.tree AND agents.parent = levels.task_id
    )
    SELECT tree, max(depth) AS depth FROM levels GROUP BY tree
),
ended AS (
    -- Of several ends the last one counts, as in unit_costs.
    SELECT tenant, task_id AS root_task_id,
           arg_max(outcome, row(coalesce(ended_at, started_at), started_at, trace_id, span_id)) AS outcome
    FROM task_ends SEMI JOIN named ON named.tenant = task_ends.tenant AND named.root_task_id = task_ends.task_id
    GROUP BY ALL
),
running AS (
    SELECT DISTINCT tenant, coalesce(root_task_id, task_id) AS root_task_id FROM rollup_tasks WHERE last_at > $open_since
),
kept AS (
    SELECT place, false AS rest, 1 AS trees, tenant, root_task_id, workload, owner, tier, tasks, coalesce(depth, 1) AS depth,
           coalesce(outcome, CASE WHEN running.root_task_id IS NULL THEN 'unknown' ELSE 'open' END) AS fate,
           top.* EXCLUDE (place, tree)
    FROM top JOIN named USING (tree) LEFT JOIN depths USING (tree) LEFT JOIN ended USING (tenant, root_task_id)
    LEFT JOIN running USING (tenant, root_task_id)
    UNION ALL BY NAME
    SELECT true AS rest, count(*) AS trees, sum(calls) AS calls, sum(attempts) AS attempts,
           CASE WHEN min(currency) = max(currency) THEN sum(cost) END AS cost,
           CASE WHEN min(currency) = max(currency) THEN min(currency) END AS currency,
           sum(unpriced_calls) AS unpriced_calls, sum(incomplete_calls) AS incomplete_calls,
           min(first_us) AS first_us, max(last_us) AS last_us
    FROM trees ANTI JOIN top USING (tree) HAVING count(*) > 0
)
SELECT place, rest, trees::BIGINT AS trees, tenant, root_task_id, workload, owner, tier, tasks::BIGINT AS tasks,
       depth::BIGINT AS depth, fate, calls::BIGINT AS calls, attempts::BIGINT AS attempts, cost::DECIMAL(38, 12) AS cost, currency,
       unpriced_calls::BIGINT AS unpriced_calls, incomplete_calls::BIGINT AS incomplete_calls,
       make_timestamptz(first_us) AS first_at, make_timestamptz(last_us) AS last_at
FROM kept
ORDER BY place NULLS LAST
