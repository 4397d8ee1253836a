-- How the audits of each workload came out; of a workload without judged ones there is no row.
SELECT tenant, workload,
       coalesce(sum(calls) FILTER (cache = 'audit_different'), 0)::BIGINT AS different,
       sum(calls)::BIGINT AS judged
FROM ({facts}) WHERE NOT served AND cache IN ('audit_same', 'audit_different')
GROUP BY ALL HAVING sum(calls) > 0
