SELECT tenant, workload, owner, cost_centre, model, currency, count(*)::BIGINT AS calls,
       sum(known_cost)::DECIMAL(38, 12) AS known_cost, sum(estimated_cost)::DECIMAL(38, 12) AS estimated_cost,
       method, min(based_on)::BIGINT AS based_on
FROM estimates
WHERE started_at >= $start AND started_at < $stop {filters}
GROUP BY ALL
ORDER BY estimated_cost DESC NULLS FIRST, calls DESC, tenant, workload NULLS FIRST, model NULLS FIRST, method
LIMIT $top
