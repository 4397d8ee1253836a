-- The same, from the rollup: it has the tasks that lie in the range with all of their calls. Those that reach over its ends
-- (or were paid in several currencies, or lost a call a moment ago) are counted from theirs.
SELECT tenant, workload, task_id, true AS details, root_task_id, tier, owner,
       calls, attempts, cost, currency, unpriced_calls, incomplete_calls, first_at, last_at
FROM rollup_tasks
WHERE {whole} {task_filters}
UNION ALL BY NAME
SELECT tenant, workload, task_id, details, min(root_task_id) AS root_task_id, min(tier) AS tier, any_value(owner) AS owner,
       sum(calls) AS calls, sum(attempts) AS attempts, sum(cost) AS cost, any_value(currency) AS currency,
       coalesce(sum(calls) FILTER (state = 'unpriced'), 0) AS unpriced_calls,
       coalesce(sum(calls) FILTER (state = 'incomplete'), 0) AS incomplete_calls,
       min(started_at) AS first_at, max(started_at) AS last_at
FROM (
    SELECT fact.* FROM ({facts}) AS fact SEMI JOIN (
        FROM rollup_tasks WHERE first_at < $stop AND last_at >= $start AND NOT ({whole}) {task_filters}
    ) AS part ON fact.tenant = part.tenant AND fact.workload IS NOT DISTINCT FROM part.workload
        AND fact.task_id IS NOT DISTINCT FROM part.task_id
    WHERE details
    UNION ALL
    FROM ({facts}) WHERE NOT details
)
WHERE true {filters}
GROUP BY tenant, workload, task_id, details
