-- What calls whose usage is not wholly known may have cost, by what calls like them cost in the last 7 days that had any:
-- those of the same tenant, workload and model, else of the same tenant and model, else of the same model. Where one side of
-- the usage is known, its cost stands, and only the other side is a mean. An estimate is in no sum and no ledger; it goes when
-- the usage comes. Reads `calls` and `rollup_hours`, so that who may see less of these estimates from less.
-- Amounts are counted in millionths of a millionth, so that means are of whole numbers.
WITH grouped AS (
    SELECT grouping(tenant) + grouping(workload) AS level, tenant, workload, model, currency,
           sum(priced_calls)::HUGEINT AS calls, (sum(cost) * 1_000_000_000_000)::HUGEINT AS cost,
           sum(input_uncached + cache_read + cache_write_5m + cache_write_1h)::HUGEINT AS input, sum(output)::HUGEINT AS output
    FROM rollup_hours
    WHERE kind = 'llm' AND state IN ('complete', 'settled_only')
      AND "hour" > (SELECT max("hour") FROM rollup_hours) - INTERVAL 7 DAYS
    GROUP BY GROUPING SETS ((tenant, workload, model, currency), (tenant, model, currency), (model, currency))
    HAVING sum(priced_calls) > 0
),
basis AS (
    SELECT level, tenant, workload, model,
           {'level': level, 'calls': calls, 'cost': cost, 'input': input, 'output': output, 'currency': currency} AS mean
    FROM grouped
    -- Where they were paid in several currencies, the one of most calls.
    QUALIFY row_number() OVER (PARTITION BY level, tenant, workload, model ORDER BY calls DESC, currency) = 1
),
incomplete AS (
    SELECT tenant, workload, model, owner, cost_centre, started_at, trace_id, span_id, cost AS known_cost, currency,
           coalesce((cost * 1_000_000_000_000)::HUGEINT, 0) AS known,
           coalesce(input_uncached + cache_read + cache_write_5m + cache_write_1h, 0) AS input, coalesce(output, 0) AS output
    FROM calls WHERE state = 'incomplete' AND kind = 'llm'
),
likened AS (
    SELECT i.*, coalesce(w.mean, t.mean, m.mean) AS mean
    FROM incomplete AS i
    LEFT JOIN basis AS w ON w.level = 0 AND w.tenant = i.tenant AND w.workload IS NOT DISTINCT FROM i.workload
        AND w.model = i.model AND w.mean.currency = coalesce(i.currency, w.mean.currency)
    LEFT JOIN basis AS t ON t.level = 1 AND t.tenant = i.tenant
        AND t.model = i.model AND t.mean.currency = coalesce(i.currency, t.mean.currency)
    LEFT JOIN basis AS m ON m.level = 2
        AND m.model = i.model AND m.mean.currency = coalesce(i.currency, m.mean.currency)
),
estimated AS (
    SELECT *,
           known > 0 AND (input > 0) <> (output > 0) AS half_known,
           -- Of the mean, what the known side of such calls costs at this call's own rate is taken off.
           CASE WHEN NOT half_known THEN mean.cost // mean.calls
                ELSE known + greatest(0, (mean.cost - CASE WHEN input > 0 THEN mean.input * known // input
                                                           ELSE mean.output * known // output END) // mean.calls)
           END AS amount
    FROM likened
)
SELECT tenant, workload, model, owner, cost_centre, started_at, trace_id, span_id, known_cost,
       (amount::DECIMAL(26, 0) * 0.000000000001)::DECIMAL(38, 12) AS estimated_cost,
       coalesce(currency, mean.currency) AS currency,
       CASE WHEN half_known THEN 'known part, and the rest of the ' ELSE '' END ||
       CASE mean.level WHEN 0 THEN 'mean of tenant, workload and model'
                       WHEN 1 THEN 'mean of tenant and model'
                       WHEN 2 THEN 'mean of model' END AS method,
       coalesce(mean.calls, 0)::BIGINT AS based_on
FROM estimated
