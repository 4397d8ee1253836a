-- The rollups of a store that had none: once, from everything that is booked.
INSERT INTO rollup_hours_base BY NAME FROM rollup_hours_counted;
INSERT INTO rollup_tasks_base BY NAME FROM rollup_tasks_counted;
