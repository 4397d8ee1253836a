-- What each workload's calls of a model add up to, apart by how large their input is, since prices of some models rise with
-- it, and by whether they could wait. Only calls of which all is known, and whose cost is that of their tokens.
SELECT tenant, workload, any_value(owner) AS owner, provider, model, service_tier,
       coalesce(tier = 'background', false) AND service_tier IS NULL AS can_wait,
       CASE WHEN input_uncached + cache_read + cache_write_5m + cache_write_1h <= 128000 THEN 0
            WHEN input_uncached + cache_read + cache_write_5m + cache_write_1h <= 200000 THEN 1
            WHEN input_uncached + cache_read + cache_write_5m + cache_write_1h <= 272000 THEN 2 ELSE 3 END AS size,
       count(*) AS calls, sum(input_uncached)::BIGINT AS input_uncached, sum(cache_read)::BIGINT AS cache_read,
       sum(cache_write_5m)::BIGINT AS cache_write_5m, sum(cache_write_1h)::BIGINT AS cache_write_1h,
       sum(output)::BIGINT AS output, sum(coalesce(reasoning, 0))::BIGINT AS reasoning,
       sum(cost)::DECIMAL(38, 12) AS cost
FROM calls
WHERE started_at >= $start AND started_at < $stop AND kind = 'llm' AND state = 'complete' AND cost > 0
  AND currency = $currency AND apart IS NULL AND model IS NOT NULL {filters}
GROUP BY tenant, workload, provider, model, service_tier, can_wait, size
ORDER BY tenant, workload NULLS FIRST, provider, model, service_tier NULLS FIRST, can_wait, size
