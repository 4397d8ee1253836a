-- The hours of a range as the rollup has them: those from $first to $last, and wherever they are those whose calls were
-- deleted. An hour counts where it begins. A row may take back what another counts: what adds up to no call is none.
SELECT "hour" AS started_at, tenant, workload, NULL::VARCHAR AS task_id, NULL::VARCHAR AS root_task_id, tier,
       NULL::VARCHAR AS end_user,
       owner, cost_centre, provider, model, state, currency, calls, attempts,
       input_uncached, cache_read, cache_write_5m, cache_write_1h, output, reasoning,
       priced_calls, cost, details, false AS is_end
FROM rollup_hours
WHERE "hour" >= $start AND "hour" < $stop AND (NOT details OR ("hour" >= $first AND "hour" < $last))
