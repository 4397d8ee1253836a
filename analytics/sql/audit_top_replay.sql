-- What each cap would have refused in the range: its calls in the order in which they began, each task or day by itself. A
-- call is refused once what was spent before it has reached the limit, and so is all that follows: what is refused spends
-- nothing. Only tasks and days that pass a limit as a whole are replayed.
WITH caps AS (
    SELECT unnest($numbers) AS cap, unnest($tenants) AS tenant, unnest($workloads) AS workload,
           unnest($pers) AS per, unnest($limits)::DECIMAL(38, 12) AS most
),
passed AS (
    SELECT cap, coalesce(root_task_id, task_id) AS key
    FROM caps JOIN rollup_tasks AS t ON t.tenant = caps.tenant AND t.workload IS NOT DISTINCT FROM caps.workload
    WHERE per = 'task' AND task_id IS NOT NULL AND last_at >= $start AND first_at < $stop
    GROUP BY cap, key
    HAVING sum(cost) >= any_value(most)
    UNION ALL
    SELECT cap, (epoch("hour")::BIGINT // 86400)::VARCHAR AS key
    FROM caps JOIN rollup_hours AS h ON h.tenant = caps.tenant AND h.workload IS NOT DISTINCT FROM caps.workload
    WHERE per = 'day' AND "hour" >= date_trunc('day', $start) AND "hour" < $stop AND currency = $currency
    GROUP BY cap, key
    HAVING sum(cost) >= any_value(most)
),
keyed AS (
    SELECT cap, most, seq, c.tenant, c.workload, started_at, cost, coalesce(root_task_id, task_id) AS task,
           CASE WHEN per = 'task' THEN coalesce(root_task_id, task_id)
                ELSE (epoch(started_at)::BIGINT // 86400)::VARCHAR END AS key
    FROM caps JOIN calls AS c ON c.tenant = caps.tenant AND c.workload IS NOT DISTINCT FROM caps.workload
    WHERE started_at >= CASE WHEN per = 'task' THEN $since ELSE date_trunc('day', $start) END
      AND started_at < $stop AND currency = $currency
),
replayed AS (
    SELECT keyed.*, coalesce(sum(cost) OVER (
               PARTITION BY cap, key ORDER BY started_at, seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before
    FROM keyed SEMI JOIN passed ON passed.cap = keyed.cap AND passed.key = keyed.key
),
refused AS (
    SELECT * FROM replayed WHERE before >= most AND started_at >= $start
),
ends AS (
    SELECT tenant, workload, task_id, arg_max(outcome, seq) AS outcome FROM task_ends GROUP BY ALL
)
SELECT cap, count(*) AS calls, coalesce(sum(cost), 0)::DECIMAL(38, 12) AS cost, count(DISTINCT task) AS tasks,
       count(DISTINCT task) FILTER (outcome = 'succeeded') AS succeeded_tasks,
       count(DISTINCT task) FILTER (outcome IS NULL) AS unknown_tasks,
       coalesce(sum(cost) FILTER (outcome = 'succeeded'), 0)::DECIMAL(38, 12) AS succeeded_cost,
       count(DISTINCT epoch(started_at)::BIGINT // 86400) AS days
FROM refused LEFT JOIN ends ON ends.tenant = refused.tenant AND ends.task_id = refused.task
    AND ends.workload IS NOT DISTINCT FROM refused.workload
GROUP BY cap
ORDER BY cap
