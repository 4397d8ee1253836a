-- The longest run of repeats of each task, where it is long and tasks of its workload seldom have one. A call repeats when
-- its input, to the same model, grows by what it grew by the time before (by nothing, where the same is asked again), one
-- round ago; a round is one call, or two or three that take turns. Calls that overlap the one before are no repeats: that
-- is a fan-out. What is said of a run is of the calls from the third round on.
WITH asked AS MATERIALIZED (
    -- Names as numbers, which are many times faster to sort and to compare.
    SELECT hash(tenant, workload, task_id) AS task, hash(tenant, workload) AS of_workload, hash(provider, model) AS model,
           epoch_us(started_at) AS began, epoch_us(coalesce(ended_at, started_at)) AS ended, hash(span_id) AS call,
           input_uncached + cache_read + cache_write_5m + cache_write_1h AS input, cost, currency
    FROM calls
    WHERE kind = 'llm' AND started_at >= $start AND started_at < $stop AND task_id IS NOT NULL AND task_id <> '__overflow__'
),
tasks AS MATERIALIZED (
    SELECT task, any_value(of_workload) AS of_workload, count(*) AS calls, min(currency) AS currency,
           CASE WHEN min(currency) = max(currency) THEN sum(cost) END::DECIMAL(38, 12) AS cost
    FROM asked GROUP BY task
),
ordered AS (
    SELECT asked.task, model, input, began, cost, began - lag(began) OVER of_task AS gap,
           coalesce(lag(ended) OVER of_task <= began, false) AS follows,
           lag(input, 1) OVER of_task AS input_1, lag(input, 2) OVER of_task AS input_2,
           lag(input, 3) OVER of_task AS input_3, lag(input, 4) OVER of_task AS input_4, lag(input, 6) OVER of_task AS input_6,
           lag(model, 1) OVER of_task AS model_1, lag(model, 2) OVER of_task AS model_2, lag(model, 3) OVER of_task AS model_3,
           lag(began, 2) OVER of_task AS began_2, lag(began, 4) OVER of_task AS began_4, lag(began, 6) OVER of_task AS began_6,
           row_number() OVER of_task AS place
    FROM asked SEMI JOIN (FROM tasks WHERE calls >= $short) AS long USING (task)
    WINDOW of_task AS (PARTITION BY asked.task ORDER BY began, ended, call)
),
rounds AS (
    SELECT *, follows AND model = model_1 AND abs(input - 2 * input_1 + input_2) <= greatest(2, (input - input_1) * 0.05)
               AND input >= input_1 - 2 AS repeats_1,
           follows AND model = model_2 AND abs(input - 2 * input_2 + input_4) <= greatest(2, (input - input_2) * 0.05)
               AND input >= input_2 - 2 AS repeats_2,
           follows AND model = model_3 AND abs(input - 2 * input_3 + input_6) <= greatest(2, (input - input_3) * 0.05)
               AND input >= input_3 - 2 AS repeats_3
    FROM ordered
),
striking AS MATERIALIZED (FROM rounds WHERE repeats_1 OR repeats_2 OR repeats_3),
repeats AS (
    SELECT 1 AS round, input - input_1 AS growth, began_2 AS first, * FROM striking WHERE repeats_1
    UNION ALL SELECT 2, input - input_2, began_4, * FROM striking WHERE repeats_2
    UNION ALL SELECT 3, input - input_3, began_6, * FROM striking WHERE repeats_3
),
runs AS (
    SELECT task, round, count(*) + 2 * round AS repeated, min(first) AS "from", max(began) AS "to", min(model) AS model,
           sum(cost)::DECIMAL(38, 12) AS excess_cost, quantile_cont(gap, [0.25, 0.5, 0.75]) AS gaps, median(growth) AS growth,
           max(input) AS input
    FROM (SELECT *, place - row_number() OVER (PARTITION BY task, round ORDER BY place) AS run FROM repeats)
    GROUP BY task, round, run
),
longest AS MATERIALIZED (
    -- Of rounds that are as long, the shortest: what repeats every call repeats every other one, too.
    SELECT * FROM runs
    QUALIFY row_number() OVER (PARTITION BY task ORDER BY repeated - 2 * round DESC, round, "from") = 1
),
judged AS (
    -- Three repeats in a row are hardly chance.
    SELECT tasks.*, coalesce(repeated, 0) AS repeated,
           coalesce(repeated - 2 * round >= greatest(3, $share * (calls - 2 * round)), false) AS repeats,
           repeats AND growth <= 2 AS stands, repeats AND growth > 2 AS grows
    FROM tasks LEFT JOIN longest USING (task)
),
workloads AS (
    SELECT of_workload, count(*) AS tasks, quantile_disc(calls, [0.5, 0.95]) AS usual_calls,
           quantile_disc(cost, 0.5) AS typical_cost, median(ln(calls)) AS middle, mad(ln(calls)) AS spread,
           count(*) FILTER (calls >= $short) AS long_tasks, count(*) FILTER (calls >= $short AND stands) AS standing_tasks,
           count(*) FILTER (calls >= $short AND grows) AS growing_tasks
    FROM judged GROUP BY of_workload
),
found AS MATERIALIZED (
    SELECT judged.* EXCLUDE (repeats), longest.* EXCLUDE (task, repeated), usual_calls, typical_cost, middle, spread, workloads.tasks,
           long_tasks - 1 AS other_tasks,
           CASE WHEN growth <= 2 THEN standing_tasks - stands::INTEGER ELSE growing_tasks - grows::INTEGER END
               AS other_repeating_tasks
    FROM judged JOIN longest USING (task) JOIN workloads USING (of_workload)
    WHERE judged.repeated >= $least
),
named AS (
    SELECT hash(tenant, workload, task_id) AS task, hash(provider, model) AS model, any_value(tenant) AS tenant,
           any_value(workload) AS workload, any_value(owner) AS owner, any_value(task_id) AS task_id,
           min(root_task_id) AS root_task_id, any_value(provider) AS provider, any_value(model) AS model_name
    FROM calls
    WHERE kind = 'llm' AND started_at >= $start AND started_at < $stop AND task_id IS NOT NULL
        AND hash(tenant, workload, task_id) IN (SELECT task FROM found)
    GROUP BY 1, 2
)
SELECT tenant, workload, owner, task_id, root_task_id, provider, model_name AS model,
       make_timestamptz("from") AS first_at, make_timestamptz("to") AS last_at, calls::BIGINT AS calls,
       repeated::BIGINT AS repeated, round::BIGINT AS round, input::BIGINT AS input_tokens, growth, gaps,
       cost, currency, excess_cost, tasks::BIGINT AS tasks, usual_calls[1]::BIGINT AS typical_calls,
       usual_calls[2]::BIGINT AS usual_most_calls, typical_cost, middle, spread, other_tasks::BIGINT AS other_tasks,
       other_repeating_tasks::BIGINT AS other_repeating_tasks
FROM found JOIN named USING (task, model)
ORDER BY excess_cost DESC NULLS LAST, repeated DESC, tenant, workload NULLS FIRST, task_id
