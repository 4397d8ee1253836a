-- Calls that count exactly the tokens, in and out, of a call of another task in the $within_h hours before: same workload
-- and model. And how many pairs of equal calls there are, and would be if the counts of input and output were drawn apart.
-- The four names are compared by one hash of them, which takes a sixth of the time over 1 M calls.
WITH counted AS MATERIALIZED (
    SELECT hash(tenant, workload, provider, model) AS names, hash(task_id) AS task, started_at, seq, cost, output,
           input_uncached + cache_read + cache_write_5m + cache_write_1h AS input
    FROM calls
    WHERE started_at >= $start AND started_at < $stop AND kind = 'llm' AND state = 'complete' AND cost > 0
      AND currency = $currency AND apart IS NULL AND model IS NOT NULL AND task_id IS NOT NULL {filters}
),
kinds AS MATERIALIZED (
    SELECT names, input, output, count(*) AS n FROM counted GROUP BY ALL
),
ins AS (
    SELECT names, sum(n * (n - 1.0) / 2) AS pairs
    FROM (SELECT names, input, sum(n)::DOUBLE AS n FROM kinds GROUP BY ALL) GROUP BY names
),
outs AS (
    SELECT names, sum(n * (n - 1.0) / 2) AS pairs
    FROM (SELECT names, output, sum(n)::DOUBLE AS n FROM kinds GROUP BY ALL) GROUP BY names
),
drawn AS (
    SELECT names, sum(n)::BIGINT AS calls, sum(n * (n - 1.0) / 2) AS pairs FROM kinds GROUP BY names
),
again AS (
    SELECT c.names, c.task, c.started_at, c.cost, lag(c.started_at) OVER same AS was_at, lag(c.task) OVER same AS was_task
    FROM counted AS c JOIN (FROM kinds WHERE n > 1) AS k
        ON k.names = c.names AND k.input = c.input AND k.output = c.output
    WINDOW same AS (PARTITION BY c.names, c.input, c.output ORDER BY c.started_at, c.seq)
),
repeats AS (
    SELECT names, count(*) AS repeats, sum(cost)::DECIMAL(38, 12) AS saving
    FROM again
    WHERE started_at - was_at <= $within_h * INTERVAL 1 HOUR AND was_task <> task
    GROUP BY names
),
named AS (
    SELECT DISTINCT tenant, workload, provider, model, hash(tenant, workload, provider, model) AS names
    FROM calls WHERE started_at >= $start AND started_at < $stop AND model IS NOT NULL {filters}
)
SELECT tenant, workload, provider, model, repeats, saving, calls, drawn.pairs::DOUBLE AS pairs,
       (ins.pairs * outs.pairs / greatest(calls * (calls - 1.0) / 2, 1))::DOUBLE AS by_chance
FROM repeats JOIN drawn USING (names) JOIN ins USING (names) JOIN outs USING (names) JOIN named USING (names)
ORDER BY saving DESC, tenant, workload NULLS FIRST, model
