-- One line a task, from its calls; of one that went on while its workload moved, under who had it last. Hours whose calls were
-- deleted are a line of their own for each workload.
SELECT tenant, workload, task_id, details, min(root_task_id) AS root_task_id, min(tier) AS tier, arg_max_null(owner, started_at) AS owner,
       sum(calls) AS calls, sum(attempts) AS attempts,
       CASE WHEN sum(priced_calls) > 0 THEN sum(cost) END AS cost,
       CASE WHEN sum(priced_calls) > 0 THEN any_value(currency) END AS currency,
       coalesce(sum(calls) FILTER (state = 'unpriced'), 0) AS unpriced_calls,
       coalesce(sum(calls) FILTER (state = 'incomplete'), 0) AS incomplete_calls,
       min(started_at) AS first_at, max(started_at) AS last_at
FROM ({facts})
WHERE true {filters}
GROUP BY tenant, workload, task_id, details HAVING sum(calls) > 0
