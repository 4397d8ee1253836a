-- What was booked after $after up to $last, in order; a retraction takes the money of its key back. A fact can change several
-- rows: they share its number and come together, so that a page may be a little longer than was asked for.
SELECT seq, tenant, trace_id, span_id, workload, task_id, parent_task_id, root_task_id, tier, provider, model,
       started_at, ended_at, state, cost, currency, input_uncached, cache_read, cache_write_5m, cache_write_1h, output,
       reasoning, attempts, lease_id, NULL AS merged_into
FROM booked WHERE seq > $after AND seq <= $last AND kind <> 'served'
UNION ALL BY NAME
SELECT seq, tenant, trace_id, span_id, started_at, 'complete' AS state, 0::DECIMAL(18, 12) AS cost,
       1 AS attempts, into_key AS merged_into
FROM retractions WHERE seq > $after AND seq <= $last
ORDER BY seq, merged_into NULLS FIRST
