-- What rerates have made of calls that began from $start to before $stop, as `ledger_calls` has these. What the call was
-- like comes from the call; of calls whose details were deleted only sums are left.
SELECT 'rerate' AS kind, a.tenant, a.workload, a.tier, a.owner, a.cost_centre, a.provider, a.model, c.service_tier,
       NULL::VARCHAR AS state, a.new_price_version AS price_version, a.new_contract AS contract, a.currency,
       NULL::VARCHAR AS item, a.rerate AS reference,
       0::BIGINT AS calls, coalesce(c.attempts, 1)::BIGINT AS attempts,
       c.input_uncached, c.cache_read, c.cache_write_5m, c.cache_write_1h, c.output, c.reasoning, c.apart, a.started_at,
       a.delta AS cost, CASE WHEN a.old_contract IS NULL AND a.new_contract IS NULL THEN a.delta END AS list_cost
FROM adjustments AS a
LEFT JOIN calls AS c ON c.tenant = a.tenant AND c.trace_id = a.trace_id AND c.span_id = a.span_id
                    AND c.started_at >= $start AND c.started_at < $stop
WHERE a.applies AND a.started_at >= $start AND a.started_at < $stop
