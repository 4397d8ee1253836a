-- The tasks that began in the range and have ended, as facts without a call: one that made no call is counted too. Whose the
-- workload was when the task began.
SELECT e.started_at, e.tenant, e.workload, e.task_id, e.root_task_id, e.tier, e.end_user,
       owner_at(r.since, r.owner, r.earlier, e.started_at) AS owner,
       centre_at(r.since, r.cost_centre, r.earlier, e.started_at) AS cost_centre,
       0 AS calls, 0 AS attempts, 0 AS priced_calls, true AS details, true AS is_end
FROM task_ends AS e LEFT JOIN owners AS r ON r.tenant = e.tenant AND r.workload = e.workload
WHERE e.task_id = coalesce(e.root_task_id, e.task_id) AND e.started_at >= $start AND e.started_at < $stop
