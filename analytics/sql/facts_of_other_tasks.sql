-- The calls of all other tasks: they reach over the ends of the range, were paid in several currencies, lost a call a
-- moment ago, or went on while their workload moved. Who sees only a part of one of the last does not see it in the rollup:
-- these are looked for among all tasks, since the calls that are read here are seen anyway.
SELECT fact.* FROM ({calls}) AS fact SEMI JOIN (
    SELECT tenant, workload, task_id FROM ({owned})
    WHERE first_at < $stop AND last_at >= $start AND NOT ({whole}) {task_filters}
    UNION ALL
    SELECT t.tenant, t.workload, t.task_id
    FROM rollup_tasks_whole AS t JOIN owners AS r ON r.tenant = t.tenant AND r.workload = t.workload
    WHERE r.since IS NOT NULL AND moved_between(r.since, r.earlier, t.first_at, t.last_at)
      AND t.first_at < $stop AND t.last_at >= $start
) AS task ON fact.tenant = task.tenant AND fact.workload IS NOT DISTINCT FROM task.workload
    AND fact.task_id IS NOT DISTINCT FROM task.task_id
