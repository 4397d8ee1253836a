-- A sum can take a call back, a minimum cannot: for the tasks that lost one, what is no sum is read from the calls again.
-- Those began from $low to $high.
UPDATE rollup_tasks_base AS base
SET root_task_id = counted.root_task_id, tier = counted.tier,
    currency = counted.currency, last_currency = counted.last_currency,
    first_at = counted.first_at, last_at = counted.last_at, loose = false
FROM (
    SELECT b.tenant, b.workload, b.task_id, min(b.root_task_id) AS root_task_id, min(b.tier) AS tier,
           min(b.currency) AS currency, max(b.currency) AS last_currency,
           min(b.started_at) AS first_at, max(b.started_at) AS last_at
    FROM booked AS b SEMI JOIN (FROM rollup_tasks_base WHERE loose) AS lost
        ON b.tenant = lost.tenant AND b.workload IS NOT DISTINCT FROM lost.workload
        AND b.task_id IS NOT DISTINCT FROM lost.task_id
    WHERE b.started_at BETWEEN $low AND $high
    GROUP BY ALL
) AS counted
WHERE base.loose AND base.tenant = counted.tenant AND base.workload IS NOT DISTINCT FROM counted.workload
  AND base.task_id IS NOT DISTINCT FROM counted.task_id;
