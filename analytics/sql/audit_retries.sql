-- Calls and their attempts by tenant, workload, provider and model.
SELECT tenant, workload, owner, provider, model, currency, count(*)::BIGINT AS calls,
       count(*) FILTER (attempts > 1)::BIGINT AS retried_calls, sum(attempts)::BIGINT AS attempts,
       max(attempts)::BIGINT AS most_attempts,
       max(epoch_us(ended_at) - epoch_us(started_at)) FILTER (attempts > 1) / 1_000_000 AS longest_s,
       count(*) FILTER (attempts > 1 AND lease_id IS NOT NULL)::BIGINT AS guarded_calls,
       count(cost)::BIGINT AS priced_calls, sum(cost)::DECIMAL(38, 12) AS cost,
       -- In whole millionths of a millionth: a division of decimals is one of floats.
       CASE WHEN count(*) FILTER (attempts > 1) = 0 THEN 0
            ELSE sum((cost * 1_000_000_000_000)::HUGEINT * (attempts - 1) // attempts) FILTER (attempts > 1)
                 ::DECIMAL(26, 0) * 0.000000000001 END::DECIMAL(38, 12) AS retry_cost,
       CASE WHEN count(*) FILTER (attempts > 1) = 0 THEN 0
            ELSE sum(cost * (attempts - 1)) FILTER (attempts > 1) END::DECIMAL(38, 12) AS retry_cost_at_most,
       count(*) FILTER (state = 'incomplete')::BIGINT AS incomplete_calls,
       quantile_cont((epoch_us(ended_at) - epoch_us(started_at)) / 1_000_000, [0.1, 0.5, 0.9])
           FILTER (state = 'incomplete') AS incomplete_after_s
FROM calls
WHERE kind = 'llm' AND started_at >= $start AND started_at < $stop
GROUP BY ALL
ORDER BY retry_cost_at_most DESC NULLS LAST, retried_calls DESC, calls DESC, tenant, workload NULLS FIRST, model NULLS FIRST,
         provider NULLS FIRST, currency NULLS FIRST
