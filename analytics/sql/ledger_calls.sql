-- The calls that began from $start to before $stop, as lines are made of them. `cost` is in the currency; both are NULL
-- where it is not known. A call that had no price until a rerate gave it one is `rerated`: its cost is in the rerate's line.
SELECT 'usage' AS kind, tenant, workload, tier, owner, cost_centre, provider, model, service_tier,
       CASE WHEN cost IS NULL AND {newly_priced} THEN 'rerated' ELSE state END AS state,
       price_version, contract, CASE WHEN cost IS NOT NULL THEN currency END AS currency,
       CASE WHEN kind <> 'llm' THEN coalesce(sku, kind) END AS item, NULL::VARCHAR AS reference,
       1::BIGINT AS calls, attempts::BIGINT AS attempts,
       input_uncached, cache_read, cache_write_5m, cache_write_1h, output, reasoning, apart, started_at,
       cost::DECIMAL(38, 12) AS cost, coalesce(list_cost, cost)::DECIMAL(38, 12) AS list_cost
FROM calls
WHERE started_at >= $start AND started_at < $stop
