-- The calls of all other tasks: they reach over the ends of the range, were paid in several currencies, or lost a call a
-- moment ago.
SELECT fact.* FROM ({calls}) AS fact SEMI JOIN (
    SELECT tenant, workload, task_id FROM rollup_tasks LEFT JOIN registry USING (tenant, workload)
    WHERE first_at < $stop AND last_at >= $start AND NOT ({whole}) {task_filters}
) AS task ON fact.tenant = task.tenant AND fact.workload IS NOT DISTINCT FROM task.workload
    AND fact.task_id IS NOT DISTINCT FROM task.task_id
