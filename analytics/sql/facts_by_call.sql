-- The calls of a range, in the same columns.
SELECT started_at, tenant, workload, task_id, root_task_id, tier, end_user,
       owner, cost_centre, provider, model, state, currency, 1 AS calls, attempts,
       input_uncached, cache_read, cache_write_5m, cache_write_1h, output, reasoning,
       CASE WHEN cost IS NOT NULL THEN 1 ELSE 0 END AS priced_calls, cost, true AS details, false AS is_end
FROM calls
WHERE started_at >= {low} AND started_at < {high}
