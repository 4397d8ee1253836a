-- The workloads that have calls without an owner, with the days in which nobody has them; what they cost since $since, and
-- when they were first and last seen so. What no line of the registry can name is left out: calls without a workload, names
-- over the cap, and deleted tenants.
SELECT h.tenant, h.workload, p.starts_on, p.ends_on, any_value(p.cost_centre) AS cost_centre,
       coalesce(sum(h.calls) FILTER (h."hour" >= $since), 0)::BIGINT AS calls,
       CASE WHEN count(DISTINCT h.currency) FILTER (h."hour" >= $since) = 1
            THEN sum(h.cost) FILTER (h."hour" >= $since) END::DECIMAL(38, 12) AS cost,
       CASE WHEN count(DISTINCT h.currency) FILTER (h."hour" >= $since) = 1
            THEN any_value(h.currency) FILTER (h."hour" >= $since) END AS currency,
       min(h."hour") AS first_seen, max(h."hour") AS last_seen
FROM rollup_hours AS h
LEFT JOIN ownership AS p ON p.tenant = h.tenant AND p.workload = h.workload AND p.owner IS NULL
    AND (p.begins IS NULL OR p.begins <= h."hour") AND (p.ends IS NULL OR h."hour" < p.ends)
WHERE h.owner IS NULL AND h.workload IS NOT NULL AND h.workload <> $overflow
  AND h.tenant NOT IN (SELECT tenant FROM deletions WHERE tenant IS NOT NULL)
GROUP BY h.tenant, h.workload, p.starts_on, p.ends_on HAVING sum(h.calls) > 0
ORDER BY cost DESC NULLS LAST, calls DESC, h.tenant, h.workload, p.starts_on NULLS FIRST
