-- The calls with an id from $low to $high that a rerate looks at, in their order, each with the price that holds: that of the
-- last adjustment that applies, else the booked one. Rows stand nearly in the order of their ids.
WITH last_adjustments AS (
    SELECT call_id,
           arg_max({'cost': new_cost, 'currency': currency, 'version': new_price_version, 'contract': new_contract}, seq) AS made
    FROM adjustments_of_calls
    WHERE call_id BETWEEN $low AND $high AND applies AND new_cost IS NOT NULL
    GROUP BY call_id
)
SELECT b.call_id, b.seq AS call_seq, b.cost AS booked_cost, b.currency AS booked_currency,
       b.tenant, b.workload, b.tier, o.owner, o.cost_centre, b.provider, b.model, b.trace_id, b.span_id, b.started_at,
       b.service_tier, b.input_uncached, b.cache_read, b.cache_write_5m, b.cache_write_1h, b.output, b.reasoning, b.apart,
       b.kind = 'llm' AND b.input_uncached IS NOT NULL AS has_usage,
       (CASE WHEN a.call_id IS NULL THEN b.cost ELSE a.made.cost END)::DECIMAL(18, 12) AS old_cost,
       CASE WHEN a.call_id IS NULL THEN b.currency ELSE a.made.currency END AS old_currency,
       CASE WHEN a.call_id IS NULL THEN b.price_version ELSE a.made.version END AS old_price_version,
       CASE WHEN a.call_id IS NULL THEN b.contract ELSE a.made.contract END AS old_contract
FROM booked AS b
LEFT JOIN last_adjustments AS a ON a.call_id = b.call_id
LEFT JOIN owners AS o ON o.tenant = b.tenant AND o.workload = b.workload
WHERE b.call_id BETWEEN $low AND $high AND b.kind <> 'served' AND b.started_at >= $begins AND b.started_at < $ends
