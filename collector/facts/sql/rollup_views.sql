-- What the rollups hold, and what they must hold. Made anew at each start, like the other views.

-- What the batches since the last fold have touched, added up: one row for each key again.
CREATE OR REPLACE VIEW rollup_hours_touched AS
SELECT "hour", tenant, workload, tier, provider, model, state, currency, kind,
       sum(calls)::BIGINT AS calls, sum(attempts)::BIGINT AS attempts,
       sum(input_uncached)::BIGINT AS input_uncached, sum(cache_read)::BIGINT AS cache_read,
       sum(cache_write_5m)::BIGINT AS cache_write_5m, sum(cache_write_1h)::BIGINT AS cache_write_1h,
       sum(output)::BIGINT AS output, sum(reasoning)::BIGINT AS reasoning,
       sum(priced_calls)::BIGINT AS priced_calls, sum(cost)::DECIMAL(38, 12) AS cost, details,
       cache, sum(saved_calls)::BIGINT AS saved_calls, sum(saved)::DECIMAL(38, 12) AS saved
FROM (
    SELECT base.* FROM rollup_hours_base AS base SEMI JOIN rollup_hours_recent AS recent USING ("hour")
    UNION ALL BY NAME
    SELECT *, true AS details FROM rollup_hours_recent
)
GROUP BY ALL HAVING sum(calls) <> 0;

CREATE OR REPLACE VIEW rollup_tasks_touched AS
SELECT tenant, workload, task_id,
       min(root_task_id) AS root_task_id, min(tier) AS tier,
       min(currency) AS currency, max(last_currency) AS last_currency,
       min(first_at) AS first_at, max(last_at) AS last_at,
       sum(calls)::BIGINT AS calls, sum(attempts)::BIGINT AS attempts,
       sum(input_uncached)::BIGINT AS input_uncached, sum(cache_read)::BIGINT AS cache_read,
       sum(cache_write_5m)::BIGINT AS cache_write_5m, sum(cache_write_1h)::BIGINT AS cache_write_1h,
       sum(output)::BIGINT AS output, sum(reasoning)::BIGINT AS reasoning,
       sum(unpriced_calls)::BIGINT AS unpriced_calls, sum(incomplete_calls)::BIGINT AS incomplete_calls,
       sum(priced_calls)::BIGINT AS priced_calls, sum(cost)::DECIMAL(38, 12) AS cost, bool_or(loose) AS loose
FROM (
    SELECT base.* FROM rollup_tasks_base AS base SEMI JOIN rollup_tasks_recent AS recent
        ON base.tenant = recent.tenant AND base.workload IS NOT DISTINCT FROM recent.workload
        AND base.task_id IS NOT DISTINCT FROM recent.task_id
    UNION ALL BY NAME
    FROM rollup_tasks_recent
)
GROUP BY ALL HAVING sum(calls) <> 0;

-- Those and all other tasks.
CREATE OR REPLACE VIEW rollup_tasks_whole AS
SELECT base.* FROM rollup_tasks_base AS base ANTI JOIN rollup_tasks_recent AS recent
    ON base.tenant = recent.tenant AND base.workload IS NOT DISTINCT FROM recent.workload
    AND base.task_id IS NOT DISTINCT FROM recent.task_id
UNION ALL BY NAME
FROM rollup_tasks_touched;

-- The documented ones. Owner and cost centre are joined here, so that a late change is right at once. Of an hour there may
-- be several rows for one key until the next fold, some with a minus: who reads it adds up, which is faster than to add up
-- here first. Of a task there is one row, and no owner: with a join the dearest of 125,000 take twice as long to find.
CREATE OR REPLACE VIEW rollup_hours AS
SELECT h."hour", h.tenant, h.workload, h.tier,
       owner_at(r.since, r.owner, r.earlier, h."hour") AS owner,
       centre_at(r.since, r.cost_centre, r.earlier, h."hour") AS cost_centre, h.provider, h.model, h.state, h.currency, h.kind,
       h.calls, h.attempts, h.input_uncached, h.cache_read, h.cache_write_5m, h.cache_write_1h, h.output, h.reasoning,
       h.priced_calls, CASE WHEN h.priced_calls <> 0 THEN h.cost END AS cost, h.details
FROM (
    FROM rollup_hours_base
    UNION ALL BY NAME
    SELECT *, true AS details FROM rollup_hours_recent
) AS h
LEFT JOIN owners AS r ON r.tenant = h.tenant AND r.workload = h.workload
WHERE h.kind <> 'served';

-- What a cache of answers made of calls, and what it served in place of calls: the latter are in no other sum.
CREATE OR REPLACE VIEW rollup_cache AS
SELECT h."hour", h.tenant, h.workload, h.tier,
       owner_at(r.since, r.owner, r.earlier, h."hour") AS owner,
       centre_at(r.since, r.cost_centre, r.earlier, h."hour") AS cost_centre, h.provider, h.model, h.state, h.currency,
       h.cache, h.kind = 'served' AS served, h.calls,
       h.input_uncached, h.cache_read, h.cache_write_5m, h.cache_write_1h, h.output, h.reasoning,
       h.priced_calls, CASE WHEN h.priced_calls <> 0 THEN h.cost END AS cost,
       h.saved_calls, CASE WHEN h.saved_calls <> 0 THEN h.saved END AS saved, h.details
FROM (
    FROM rollup_hours_base
    UNION ALL BY NAME
    SELECT *, true AS details FROM rollup_hours_recent
) AS h
LEFT JOIN owners AS r ON r.tenant = h.tenant AND r.workload = h.workload
WHERE h.cache IS NOT NULL;

CREATE OR REPLACE VIEW rollup_tasks AS
SELECT tenant, workload, task_id, root_task_id, tier, first_at, last_at,
       calls, attempts, input_uncached, cache_read, cache_write_5m, cache_write_1h, output, reasoning,
       unpriced_calls, incomplete_calls, priced_calls, currency,
       -- Of a task that was paid in several currencies there is no sum.
       CASE WHEN priced_calls > 0 AND currency = last_currency THEN cost END AS cost,
       NOT loose AND currency IS NOT DISTINCT FROM last_currency AS exact
FROM rollup_tasks_whole;

-- The same, counted from the calls: what the rollups are filled from once, and checked against.
CREATE OR REPLACE VIEW rollup_hours_counted AS
SELECT date_trunc('hour', started_at) AS "hour", tenant, workload, tier, provider, model, state, currency, kind,
       count(*) AS calls, sum(attempts)::BIGINT AS attempts,
       coalesce(sum(input_uncached), 0)::BIGINT AS input_uncached, coalesce(sum(cache_read), 0)::BIGINT AS cache_read,
       coalesce(sum(cache_write_5m), 0)::BIGINT AS cache_write_5m,
       coalesce(sum(cache_write_1h), 0)::BIGINT AS cache_write_1h,
       coalesce(sum(output), 0)::BIGINT AS output, coalesce(sum(reasoning), 0)::BIGINT AS reasoning,
       count(cost) AS priced_calls, coalesce(sum(cost), 0)::DECIMAL(38, 12) AS cost, true AS details,
       cache, count(saved) AS saved_calls, coalesce(sum(saved), 0)::DECIMAL(38, 12) AS saved
FROM booked GROUP BY ALL;

CREATE OR REPLACE MACRO rollup_tasks_of(source) AS TABLE
SELECT tenant, workload, task_id,
       min(root_task_id) AS root_task_id, min(tier) AS tier,
       min(currency) AS currency, max(currency) AS last_currency,
       min(started_at) AS first_at, max(started_at) AS last_at,
       count(*) AS calls, sum(attempts)::BIGINT AS attempts,
       coalesce(sum(input_uncached), 0)::BIGINT AS input_uncached, coalesce(sum(cache_read), 0)::BIGINT AS cache_read,
       coalesce(sum(cache_write_5m), 0)::BIGINT AS cache_write_5m,
       coalesce(sum(cache_write_1h), 0)::BIGINT AS cache_write_1h,
       coalesce(sum(output), 0)::BIGINT AS output, coalesce(sum(reasoning), 0)::BIGINT AS reasoning,
       count(*) FILTER (state = 'unpriced') AS unpriced_calls, count(*) FILTER (state = 'incomplete') AS incomplete_calls,
       count(cost) AS priced_calls, coalesce(sum(cost), 0)::DECIMAL(38, 12) AS cost, false AS loose
FROM query_table(source) WHERE kind <> 'served' GROUP BY ALL;

CREATE OR REPLACE VIEW rollup_tasks_counted AS FROM rollup_tasks_of('booked');
