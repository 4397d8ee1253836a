-- What a cache of answers in shadow mode has seen of each workload and model: how many requests it looked up, which of them
-- it would have answered, and what these cost. Of the calls of which all is known.
SELECT tenant, workload, provider, model, count(*) AS looked_up,
       count(*) FILTER (cache = 'shadow_exact') AS exact,
       count(*) FILTER (cache = 'shadow_same') AS same,
       count(*) FILTER (cache = 'shadow_different') AS different,
       count(*) FILTER (cache = 'shadow') AS unjudged,
       coalesce(sum(cost) FILTER (cache = 'shadow_exact'), 0)::DECIMAL(38, 12) AS exact_cost,
       coalesce(sum(cost) FILTER (cache = 'shadow_same'), 0)::DECIMAL(38, 12) AS same_cost
FROM calls
WHERE started_at >= $start AND started_at < $stop AND kind = 'llm' AND state = 'complete' AND cost > 0
  AND currency = $currency AND apart IS NULL AND model IS NOT NULL
  AND (cache = 'miss' OR starts_with(cache, 'shadow')) {filters}
GROUP BY ALL HAVING count(*) FILTER (starts_with(cache, 'shadow')) > 0
ORDER BY tenant, workload NULLS FIRST, provider, model
