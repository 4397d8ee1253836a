-- Rows that a rollup has and the calls do not make, and rows that they make and it lacks: at most $most. Hours whose calls
-- were deleted cannot be compared; what is no sum of a task that lost a call is seen to at the next fold.
WITH hours AS (
    SELECT * EXCLUDE (details) FROM rollup_hours_base ANTI JOIN rollup_hours_recent USING ("hour") WHERE details
    UNION ALL
    SELECT * EXCLUDE (details) FROM rollup_hours_touched WHERE details
),
counted_hours AS (SELECT * EXCLUDE (details) FROM rollup_hours_counted),
tasks AS (
    SELECT tenant, workload, task_id, calls, attempts, input_uncached, cache_read, cache_write_5m, cache_write_1h, output,
           reasoning, unpriced_calls, incomplete_calls, priced_calls, cost
    FROM rollup_tasks_whole
),
counted_tasks AS (
    SELECT tenant, workload, task_id, calls, attempts, input_uncached, cache_read, cache_write_5m, cache_write_1h, output,
           reasoning, unpriced_calls, incomplete_calls, priced_calls, cost
    FROM rollup_tasks_counted
),
named AS (
    SELECT tenant, workload, task_id, root_task_id, tier, currency, last_currency, first_at, last_at
    FROM rollup_tasks_whole WHERE NOT loose
),
counted_named AS (
    SELECT tenant, workload, task_id, root_task_id, tier, currency, last_currency, first_at, last_at
    FROM rollup_tasks_counted
)
SELECT 'rollup_hours has' AS found, each::VARCHAR AS row FROM (FROM hours EXCEPT FROM counted_hours) AS each
UNION ALL
SELECT 'rollup_hours lacks', each::VARCHAR FROM (FROM counted_hours EXCEPT FROM hours) AS each
UNION ALL
SELECT 'rollup_tasks has', each::VARCHAR FROM (FROM tasks EXCEPT FROM counted_tasks) AS each
UNION ALL
SELECT 'rollup_tasks lacks', each::VARCHAR FROM (FROM counted_tasks EXCEPT FROM tasks) AS each
UNION ALL
SELECT 'rollup_tasks has', each::VARCHAR FROM (FROM named EXCEPT FROM counted_named) AS each
LIMIT $most
