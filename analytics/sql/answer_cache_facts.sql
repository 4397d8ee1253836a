-- What a cache of answers made of calls, and what it served: whole hours from $first to $last of the rollup, and wherever they
-- are those whose details were deleted; the rest one by one. `served` tells an answer from a call.
SELECT "hour" AS started_at, tenant, workload, tier, owner, cost_centre, provider, model, currency, cache, served,
       calls, priced_calls, cost, saved_calls, saved
FROM rollup_cache
WHERE "hour" >= $start AND "hour" < $stop AND (NOT details OR ("hour" >= $first AND "hour" < $last))
UNION ALL
SELECT started_at, tenant, workload, tier, owner, cost_centre, provider, model, currency, cache, false,
       1, CASE WHEN cost IS NOT NULL THEN 1 ELSE 0 END, cost, 0, NULL
FROM calls
WHERE cache IS NOT NULL
  AND (started_at >= $start AND started_at < $first OR started_at >= $last AND started_at < $stop)
UNION ALL
SELECT started_at, tenant, workload, tier, owner, cost_centre, provider, model, currency, cache, true,
       1, 0, NULL, CASE WHEN saved IS NOT NULL THEN 1 ELSE 0 END, saved
FROM served
WHERE started_at >= $start AND started_at < $first OR started_at >= $last AND started_at < $stop
