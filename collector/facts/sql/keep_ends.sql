-- What tells how tasks ended, each span once: of `rows` those that are not there yet. Their like may have a number from $low
-- to $high: rows stand in the order of their numbers, so that only their part of the table is read.
INSERT INTO task_ends BY NAME
SELECT DISTINCT ON (tenant, trace_id, span_id)
       seq, booked_at, identity_hash, tenant, workload, task_id, parent_task_id, root_task_id, tier, end_user, outcome,
       started_at, ended_at, trace_id, span_id, scope, flags
FROM rows ANTI JOIN (FROM task_ends WHERE seq BETWEEN $low AND $high) AS like_these
    USING (identity_hash, tenant, trace_id, span_id)
ORDER BY seq
