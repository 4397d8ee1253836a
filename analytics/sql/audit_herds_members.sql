-- Who is in each herd: the retried calls that began, or ended, while it lasted, by tenant and workload; and of all calls of
-- that time and model how many there were. A call is in one herd, so that their cost adds up.
WITH waves AS (
    SELECT unnest($herds::BIGINT[]) AS herd, unnest($providers::VARCHAR[]) AS provider, unnest($models::VARCHAR[]) AS model,
           unnest($by_start::BOOLEAN[]) AS by_start, unnest($starts::BIGINT[]) AS low, unnest($untils::BIGINT[]) AS high
),
minutes AS (
    SELECT *, unnest(range(low // 60_000_000, high // 60_000_000 + 1)) AS "minute" FROM waves
),
asked AS (
    SELECT tenant, workload, owner, coalesce(nullif(coalesce(root_task_id, task_id), '__overflow__'), trace_id) AS task,
           provider, model, trace_id, span_id, epoch_us(started_at) AS began, epoch_us(ended_at) AS came_back,
           attempts, cost, currency, lease_id IS NOT NULL AS guarded
    FROM calls
    WHERE kind = 'llm' AND started_at >= $start AND started_at < $stop
),
moments AS (
    SELECT *, true AS by_start, began AS "at" FROM asked
    UNION ALL BY NAME
    SELECT *, false AS by_start, came_back AS "at" FROM asked WHERE came_back IS NOT NULL
),
members AS (
    SELECT herd, moments.*
    FROM moments JOIN minutes
        ON minutes.by_start = moments.by_start AND "minute" = "at" // 60_000_000 AND "at" BETWEEN low AND high
        AND minutes.provider IS NOT DISTINCT FROM moments.provider AND minutes.model IS NOT DISTINCT FROM moments.model
    QUALIFY row_number() OVER (PARTITION BY tenant, trace_id, span_id ORDER BY herd) = 1
),
usual AS (
    SELECT provider, model, count(*) AS calls, count(*) FILTER (attempts > 1) AS retried_calls FROM asked GROUP BY ALL
)
SELECT herd, tenant, workload, owner, members.provider, members.model, count(*)::BIGINT AS calls,
       count(*) FILTER (attempts > 1)::BIGINT AS retried_calls, sum(attempts) FILTER (attempts > 1)::BIGINT AS attempts,
       count(*) FILTER (attempts > 1 AND guarded)::BIGINT AS guarded_calls,
       sum(cost) FILTER (attempts > 1)::DECIMAL(38, 12) AS cost,
       min(currency) FILTER (attempts > 1) AS currency, max(currency) FILTER (attempts > 1) AS last_currency,
       list(DISTINCT task ORDER BY task) FILTER (attempts > 1) AS tasks, max(came_back) FILTER (attempts > 1) AS last_back,
       any_value(usual.calls)::BIGINT AS usual_calls, any_value(usual.retried_calls)::BIGINT AS usual_retried_calls
FROM members JOIN usual
    ON usual.provider IS NOT DISTINCT FROM members.provider AND usual.model IS NOT DISTINCT FROM members.model
GROUP BY herd, tenant, workload, owner, members.provider, members.model
HAVING retried_calls > 0
ORDER BY herd, tenant, workload
