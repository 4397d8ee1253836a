-- What was used from $start to before $stop by minute, of calls whose provider and usage are known.
-- `cost` is that of the calls with a price, which have a row of their own in each currency.
SELECT make_timestamptz(epoch_us(started_at) // 60_000_000 * 60_000_000) AS minute,
       tenant, workload, provider, coalesce(model, '') AS model,
       CASE WHEN cost IS NOT NULL THEN currency END AS currency, sum(cost)::DECIMAL(38, 12) AS cost,
       sum(input_uncached)::BIGINT AS input_uncached, sum(cache_read)::BIGINT AS cache_read,
       sum(cache_write_5m)::BIGINT AS cache_write_5m, sum(cache_write_1h)::BIGINT AS cache_write_1h,
       sum(output)::BIGINT AS output
FROM calls
WHERE started_at >= $start AND started_at < $stop AND kind = 'llm' AND provider IS NOT NULL
  AND input_uncached IS NOT NULL
GROUP BY ALL
