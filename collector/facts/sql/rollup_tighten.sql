-- A sum can take a call back, a minimum cannot: of the tasks that lost one, what is no sum is read from the calls again. All
-- of them began between the variables `low` and `high`.
CREATE OR REPLACE TEMP VIEW of_loose_tasks AS
SELECT b.* FROM booked AS b SEMI JOIN (FROM rollup_tasks_base WHERE loose) AS task
    ON b.tenant = task.tenant AND b.workload IS NOT DISTINCT FROM task.workload
    AND b.task_id IS NOT DISTINCT FROM task.task_id
WHERE b.started_at BETWEEN getvariable('low') AND getvariable('high');

UPDATE rollup_tasks_base AS base
SET root_task_id = counted.root_task_id, tier = counted.tier,
    currency = counted.currency, last_currency = counted.last_currency,
    first_at = counted.first_at, last_at = counted.last_at, loose = false
FROM rollup_tasks_of('of_loose_tasks') AS counted
WHERE base.loose AND base.tenant = counted.tenant AND base.workload IS NOT DISTINCT FROM counted.workload
  AND base.task_id IS NOT DISTINCT FROM counted.task_id;
