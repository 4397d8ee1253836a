-- What calls cost, by hour, as it was booked and with what rerates have made of it. Reads `rollup_hours` and `adjustments`.
SELECT "hour", tenant, workload, tier, owner, cost_centre, provider, model, currency,
       calls, cost AS booked, NULL::DECIMAL(38, 12) AS adjustment, cost
FROM rollup_hours
UNION ALL
SELECT date_trunc('hour', started_at), tenant, workload, tier, owner, cost_centre, provider, model, currency,
       0::BIGINT, NULL::DECIMAL(38, 12), sum(delta)::DECIMAL(38, 12), sum(delta)::DECIMAL(38, 12)
FROM adjustments WHERE applies
GROUP BY ALL
