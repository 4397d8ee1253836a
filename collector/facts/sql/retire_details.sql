-- Delete the calls that began before the variable `before`, a midnight in UTC, with all that was made of them but their
-- sums by hour, and those of their adjustments. A task that goes on after it is counted from the calls that remain.
CREATE OR REPLACE TEMP VIEW retiring_adjustments AS
FROM adjustments_of_calls WHERE call_id IS NOT NULL AND started_at < getvariable('before');
CREATE OR REPLACE TEMP TABLE retired_adjustments AS FROM adjustment_sums('retiring_adjustments');
DELETE FROM adjusted WHERE call_id IS NOT NULL AND started_at < getvariable('before');
INSERT INTO adjusted BY NAME FROM retired_adjustments;
DROP TABLE retired_adjustments;
DELETE FROM members WHERE call_id IN (SELECT call_id FROM booked WHERE started_at < getvariable('before'));
DELETE FROM booked WHERE started_at < getvariable('before');
-- An end is later than the calls of its task: it goes no earlier than the last of them.
DELETE FROM task_ends WHERE coalesce(ended_at, started_at) < getvariable('before');
DELETE FROM retractions WHERE started_at < getvariable('before');
UPDATE rollup_hours_base SET details = false WHERE details AND "hour" < getvariable('before');
CREATE OR REPLACE TEMP VIEW of_shortened_tasks AS
SELECT b.* FROM booked AS b SEMI JOIN (
    FROM rollup_tasks_base WHERE first_at < getvariable('before') AND last_at >= getvariable('before')
) AS task ON b.tenant = task.tenant AND b.workload IS NOT DISTINCT FROM task.workload
    AND b.task_id IS NOT DISTINCT FROM task.task_id;
CREATE OR REPLACE TEMP TABLE shortened_tasks AS FROM rollup_tasks_of('of_shortened_tasks');
DELETE FROM rollup_tasks_base WHERE first_at < getvariable('before');
INSERT INTO rollup_tasks_base BY NAME FROM shortened_tasks;
DROP TABLE shortened_tasks;
