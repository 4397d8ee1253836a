-- The names of workloads that are in use: those that are registered, and those of calls since a time.
SELECT tenant, workload FROM registry_workloads
UNION
SELECT tenant, workload FROM rollup_hours_base WHERE "hour" >= $since AND workload IS NOT NULL
UNION
SELECT tenant, workload FROM rollup_hours_recent WHERE "hour" >= $since AND workload IS NOT NULL
