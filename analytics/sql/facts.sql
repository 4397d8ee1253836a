-- The calls of a range, in as few rows as may be: whole hours from $first to $last as the rollup has them, what is before
-- and after call by call. An hour whose calls were deleted is one row in any case, and counts where it begins.
SELECT "hour" AS started_at, tenant, workload, NULL AS task_id, NULL AS root_task_id, tier, owner, cost_centre,
       provider, model, state, currency, calls, attempts,
       input_uncached, cache_read, cache_write_5m, cache_write_1h, output, reasoning, cost, details
FROM rollup_hours
WHERE "hour" >= $start AND "hour" < $stop AND (NOT details OR ("hour" >= $first AND "hour" < $last))
UNION ALL
SELECT started_at, tenant, workload, task_id, root_task_id, tier, owner, cost_centre,
       provider, model, state, currency, 1 AS calls, attempts,
       input_uncached, cache_read, cache_write_5m, cache_write_1h, output, reasoning, cost, true AS details
FROM calls
WHERE started_at >= $start AND started_at < $first
UNION ALL
SELECT started_at, tenant, workload, task_id, root_task_id, tier, owner, cost_centre,
       provider, model, state, currency, 1 AS calls, attempts,
       input_uncached, cache_read, cache_write_5m, cache_write_1h, output, reasoning, cost, true AS details
FROM calls
WHERE started_at >= $last AND started_at < $stop
