-- The known cost of each group over its tasks, calls and users, of one grouping or of several, each with its own rows: calls
-- are put together to tasks once for all of them. What stands in braces comes from fixed maps and from other files: reports.py
-- puts it in.
WITH ended AS (
    -- A task that ended several times, since it went on elsewhere: the last end counts, in whatever order they came. An end
    -- is later than the calls of its task, but for clocks.
    SELECT tenant, task_id AS root,
           arg_max(outcome, row(coalesce(ended_at, started_at), started_at, trace_id, span_id)) AS outcome
    FROM task_ends WHERE task_id = coalesce(root_task_id, task_id) AND coalesce(ended_at, started_at) >= $start - INTERVAL 1 DAY
    GROUP BY ALL
),
running AS (
    SELECT DISTINCT tenant, coalesce(root_task_id, task_id) AS root FROM rollup_tasks WHERE last_at > $open_since
),
by_task AS (
    SELECT {keys} tenant AS of_tenant, coalesce(root_task_id, task_id) AS root, end_user, details,
           sum(calls) AS calls, sum(attempts) AS attempts, sum(priced_calls) AS priced_calls, sum(cost) AS cost,
           any_value(currency) AS currency,
           count(*) FILTER (attempts > 1) AS retried_calls,
           count(cost) FILTER (attempts > 1) AS priced_retried_calls, sum(cost * (attempts - 1)) AS retry_cost,
           sum(calls) FILTER (state = 'unpriced') AS unpriced_calls,
           sum(calls) FILTER (state = 'incomplete') AS incomplete_calls,
           sum(priced_calls) FILTER (state = 'incomplete') AS priced_incomplete_calls,
           sum(cost) FILTER (state = 'incomplete') AS incomplete_cost,
           bool_and(is_end) AS only_ended
    FROM ({facts})
    WHERE true {filters}
    GROUP BY ALL
),
parted AS (
    SELECT *, CASE WHEN NOT details THEN 'deleted' WHEN root IS NULL THEN 'no_task' WHEN root = $overflow THEN 'overflow'
                   ELSE 'tasks' END AS part
    FROM by_task
),
lines AS (
    SELECT parted.*,
           coalesce(outcome, CASE WHEN running.root IS NULL THEN 'unknown' ELSE 'open' END) AS fate,
           coalesce(outcome IN ('failed', 'stopped', 'abandoned'), false) AS in_vain
    FROM parted
    LEFT JOIN ended ON part = 'tasks' AND ended.tenant = of_tenant AND ended.root = parted.root
    LEFT JOIN running ON part = 'tasks' AND running.tenant = of_tenant AND running.root = parted.root
)
SELECT * EXCLUDE ({left_out})
FROM ({groupings})
ORDER BY grouping_number, place
