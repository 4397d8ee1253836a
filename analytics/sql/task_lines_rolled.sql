-- The same, from the rollup: the tasks that lie in the range with all of their calls.
SELECT tenant, workload, task_id, true AS details, root_task_id, tier, owner,
       calls, attempts, cost, CASE WHEN priced_calls > 0 THEN currency END AS currency,
       unpriced_calls, incomplete_calls, first_at, last_at
FROM ({owned})
WHERE {whole} {task_filters}
