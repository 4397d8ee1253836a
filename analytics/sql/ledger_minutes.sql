-- What was used from $start to before $stop by minute, as contracts charge it: of calls whose provider is known.
SELECT provider, coalesce(model, '') AS model, tenant, currency,
       make_timestamptz(epoch_us(started_at) // 60_000_000 * 60_000_000) AS "at",
       sum(coalesce(list_cost, cost))::DECIMAL(38, 12) AS list_cost,
       coalesce(sum(input_uncached), 0)::BIGINT AS input_uncached, coalesce(sum(cache_read), 0)::BIGINT AS cache_read,
       coalesce(sum(cache_write_5m), 0)::BIGINT AS cache_write_5m,
       coalesce(sum(cache_write_1h), 0)::BIGINT AS cache_write_1h, coalesce(sum(output), 0)::BIGINT AS output
FROM (SELECT * REPLACE (CASE WHEN cost IS NOT NULL THEN currency END AS currency) FROM calls)
WHERE started_at >= $start AND started_at < $stop AND kind = 'llm' AND provider IN (SELECT unnest($providers))
GROUP BY ALL
