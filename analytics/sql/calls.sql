-- The $top calls with the highest cost, with all that is known of them, and one row (`rest`) for all others, so that the rows
-- add up. What was said in them is kept nowhere.
WITH scoped AS (FROM calls WHERE started_at >= $start AND started_at < $stop {filters}),
top AS (
    SELECT row_number() OVER (ORDER BY {order}) AS place, 1 AS number, * FROM (FROM scoped ORDER BY {order} LIMIT $top)
),
whole AS (SELECT count(*) AS number, count(cost) AS priced, sum(cost) AS cost, sum(attempts) AS attempts, any_value(currency) AS currency FROM scoped),
shown AS (SELECT count(*) AS number, count(cost) AS priced, coalesce(sum(cost), 0) AS cost, coalesce(sum(attempts), 0) AS attempts FROM top),
kept AS (
    SELECT place, false AS rest, number, * EXCLUDE (place, number) FROM top
    UNION ALL BY NAME
    SELECT true AS rest, whole.number - shown.number AS number, whole.attempts - shown.attempts AS attempts,
           CASE WHEN whole.priced > shown.priced THEN whole.cost - shown.cost END AS cost,
           CASE WHEN whole.priced > shown.priced THEN whole.currency END AS currency
    FROM whole, shown WHERE whole.number > shown.number
)
SELECT place, rest, CAST(number AS BIGINT) AS calls, tenant, workload, task_id, parent_task_id, root_task_id, tier, end_user,
       owner, cost_centre, provider, model, request_model, service_tier, state, started_at, ended_at,
       CAST(attempts AS BIGINT) AS attempts,
       input_uncached, cache_read, cache_write_5m, cache_write_1h, output, reasoning, apart,
       CAST(cost AS DECIMAL(38, 12)) AS cost, currency, price_version, list_cost, contract, kind, sku,
       response_id, trace_id, span_id, dialect, scope, lease_id, flags, booked_at
FROM kept
ORDER BY place NULLS LAST
