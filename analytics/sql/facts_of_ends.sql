-- The tasks that began in the range and have ended, as facts without a call: one that made no call is counted too.
SELECT started_at, tenant, workload, task_id, root_task_id, tier, end_user, owner, cost_centre,
       0 AS calls, 0 AS attempts, 0 AS priced_calls, true AS details
FROM task_ends LEFT JOIN registry USING (tenant, workload)
WHERE task_id = coalesce(root_task_id, task_id) AND started_at >= $start AND started_at < $stop
