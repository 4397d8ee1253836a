-- What a cache of answers saved, and what it would have. Amounts are counted in millionths of a millionth, and rounded where
-- nothing is summed up yet: whatever they are grouped by then, they add up to the same.
WITH leaves AS (
    SELECT tenant, workload, tier, owner, cost_centre, provider, model, date_trunc('day', started_at)::DATE AS "day", currency,
           sum(calls) AS requests,
           sum(calls) FILTER (NOT served AND cache = 'bypass') AS bypassed,
           sum(calls) FILTER (NOT served AND cache = 'miss') AS missed,
           sum(calls) FILTER (served AND cache = 'exact') AS exact,
           sum(calls) FILTER (served AND cache = 'semantic') AS semantic,
           sum(calls) FILTER (NOT served AND starts_with(cache, 'audit')) AS audits,
           sum(calls) FILTER (NOT served AND cache = 'audit_same') AS audit_same,
           sum(calls) FILTER (NOT served AND cache = 'audit_different') AS audit_different,
           sum(calls) FILTER (NOT served AND starts_with(cache, 'shadow')) AS shadows,
           sum(calls) FILTER (NOT served AND cache = 'shadow_exact') AS shadow_exact,
           sum(calls) FILTER (NOT served AND cache = 'shadow_same') AS shadow_same,
           sum(calls) FILTER (NOT served AND cache = 'shadow_different') AS shadow_different,
           sum(calls - saved_calls) FILTER (served) AS unknown,
           sum(saved_calls) FILTER (served AND cache = 'semantic') AS known_semantic,
           CASE WHEN sum(saved_calls) FILTER (served AND cache = 'exact') > 0
                THEN (sum(saved) FILTER (served AND cache = 'exact') * 1_000_000_000_000)::HUGEINT END AS saved_exact,
           CASE WHEN known_semantic > 0
                THEN (sum(saved) FILTER (served AND cache = 'semantic') * 1_000_000_000_000)::HUGEINT END AS saved_semantic,
           coalesce(saved_exact + coalesce(saved_semantic, 0), saved_semantic) AS saved,
           CASE WHEN sum(priced_calls) FILTER (NOT served AND starts_with(cache, 'audit')) > 0
                THEN sum(cost) FILTER (NOT served AND starts_with(cache, 'audit')) END AS audit_cost,
           CASE WHEN sum(priced_calls) FILTER (NOT served AND starts_with(cache, 'shadow')) > 0
                THEN sum(cost) FILTER (NOT served AND starts_with(cache, 'shadow')) END AS shadow_saved,
           CASE WHEN sum(priced_calls) FILTER (NOT served AND cache = 'shadow_different') > 0
                THEN sum(cost) FILTER (NOT served AND cache = 'shadow_different') END AS shadow_wrong,
           CASE WHEN sum(priced_calls) FILTER (NOT served AND cache = 'shadow') > 0
                THEN sum(cost) FILTER (NOT served AND cache = 'shadow') END AS shadow_unjudged,
           CASE WHEN sum(priced_calls) FILTER (NOT served AND cache IN ('shadow_exact', 'shadow_same')) > 0
                THEN sum(cost) FILTER (NOT served AND cache IN ('shadow_exact', 'shadow_same')) END AS shadow_net
    FROM ({facts}) WHERE true {filters}
    GROUP BY ALL HAVING sum(calls) > 0
),
judged AS (
    SELECT leaves.*, j.judged, j.different, j.at_most,
           CASE WHEN j.judged IS NULL THEN saved_semantic END AS unjudged,
           CASE WHEN j.judged IS NOT NULL THEN saved_semantic END AS held,
           -- Half to even.
           held * j.different // j.judged AS whole, held * j.different % j.judged * 2 AS rest,
           whole + CASE WHEN rest > j.judged OR (rest = j.judged AND whole % 2 = 1) THEN 1 ELSE 0 END AS wrong,
           (held * j.at_most + 999_999) // 1_000_000 AS wrong_at_most,
           CASE WHEN saved_exact IS NOT NULL OR held IS NOT NULL
                THEN coalesce(saved_exact, 0) + coalesce(held - wrong, 0) END AS net
    FROM leaves LEFT JOIN judgements AS j ON j.tenant = leaves.tenant AND j.workload IS NOT DISTINCT FROM leaves.workload
)
SELECT {keys}
       sum(requests)::BIGINT AS requests,
       coalesce(sum(bypassed), 0)::BIGINT AS bypassed,
       coalesce(sum(missed), 0)::BIGINT AS missed,
       coalesce(sum(exact), 0)::BIGINT AS exact,
       coalesce(sum(semantic), 0)::BIGINT AS semantic,
       coalesce(sum(audits), 0)::BIGINT AS audits,
       coalesce(sum(audit_same), 0)::BIGINT AS audit_same,
       coalesce(sum(audit_different), 0)::BIGINT AS audit_different,
       coalesce(sum(shadows), 0)::BIGINT AS shadows,
       coalesce(sum(shadow_exact), 0)::BIGINT AS shadow_exact,
       coalesce(sum(shadow_same), 0)::BIGINT AS shadow_same,
       coalesce(sum(shadow_different), 0)::BIGINT AS shadow_different,
       coalesce(sum(unknown), 0)::BIGINT AS unknown,
       -- Of one workload alone: how often its audits found another answer, and how often that may be, with 90 % confidence.
       CASE WHEN count(DISTINCT (tenant, workload)) = 1 AND any_value(judged) IS NOT NULL
            THEN (any_value(different) * 1_000_000 // any_value(judged))::DECIMAL(18, 0) * 0.000001 END::DECIMAL(7, 6) AS wrong_rate,
       CASE WHEN count(DISTINCT (tenant, workload)) = 1
            THEN any_value(at_most)::DECIMAL(18, 0) * 0.000001 END::DECIMAL(7, 6) AS wrong_rate_at_most,
       {amounts}
       CAST(sum(audit_cost) AS DECIMAL(38, 12)) AS audit_cost,
       CAST(sum(shadow_saved) AS DECIMAL(38, 12)) AS shadow_saved,
       CAST(sum(shadow_wrong) AS DECIMAL(38, 12)) AS shadow_wrong,
       CAST(sum(shadow_unjudged) AS DECIMAL(38, 12)) AS shadow_unjudged,
       CAST(sum(shadow_net) AS DECIMAL(38, 12)) AS shadow_net,
       max(currency) AS currency
FROM judged
{grouping}
ORDER BY {order}
