-- What the batches have touched into the base, hours first, then tasks.
CREATE OR REPLACE TEMP TABLE folded_hours AS FROM rollup_hours_touched;
DELETE FROM rollup_hours_base WHERE "hour" IN (SELECT "hour" FROM rollup_hours_recent);
INSERT INTO rollup_hours_base BY NAME FROM folded_hours;
DELETE FROM rollup_hours_recent;
DROP TABLE folded_hours;

CREATE OR REPLACE TEMP TABLE folded_tasks AS FROM rollup_tasks_touched;
DELETE FROM rollup_tasks_base AS base USING (SELECT DISTINCT tenant, workload, task_id FROM rollup_tasks_recent) AS recent
WHERE base.tenant = recent.tenant AND base.workload IS NOT DISTINCT FROM recent.workload
  AND base.task_id IS NOT DISTINCT FROM recent.task_id;
INSERT INTO rollup_tasks_base BY NAME FROM folded_tasks;
DELETE FROM rollup_tasks_recent;
DROP TABLE folded_tasks;
