-- The tasks of the rollup, with whose they were when they began, and whether their workload moved before their last call.
SELECT t.*, owner_at(r.since, r.owner, r.earlier, t.first_at) AS owner,
       centre_at(r.since, r.cost_centre, r.earlier, t.first_at) AS cost_centre,
       moved_between(r.since, r.earlier, t.first_at, t.last_at) AS moved
FROM rollup_tasks AS t LEFT JOIN owners AS r ON r.tenant = t.tenant AND r.workload = t.workload
