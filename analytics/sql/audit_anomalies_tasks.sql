-- The dearest task of each event, with its sub-agents.
WITH events AS (
    SELECT unnest($numbers) AS event, unnest($tenants) AS tenant, unnest($workloads) AS workload,
           unnest($begins) AS begins, unnest($ends) AS ends
),
tasks AS (
    SELECT event, coalesce(root_task_id, task_id) AS task, count(*) AS calls, sum(cost) AS cost
    FROM events JOIN calls AS c
        ON c.tenant = events.tenant AND c.workload IS NOT DISTINCT FROM events.workload
        AND c.started_at >= begins AND c.started_at < ends
    WHERE c.started_at >= $low AND c.started_at < $high
      AND coalesce(root_task_id, task_id) IS NOT NULL AND (currency IS NULL OR currency = $currency)
    GROUP BY event, task
)
SELECT event, count(*) AS tasks, arg_max(task, (coalesce(cost, 0), task)) AS task,
       arg_max(calls, (coalesce(cost, 0), task))::BIGINT AS calls, max(cost)::DECIMAL(38, 12) AS cost
FROM tasks
GROUP BY event
ORDER BY event
