-- The documented views; made anew at each start, so that a change here needs no migration.

-- Who answers for a workload, and who pays: since a moment, where it was somebody else's before, and the pieces before that
-- in their order. Grouped, so that a view without these columns needs no join: over 10 M calls it takes longer than to add
-- them up.
CREATE OR REPLACE VIEW owners AS
SELECT tenant, workload,
       any_value(begins) FILTER (ends IS NULL) AS since, any_value(owner) FILTER (ends IS NULL) AS owner,
       any_value(cost_centre) FILTER (ends IS NULL) AS cost_centre,
       list({'ends': ends, 'owner': owner, 'cost_centre': cost_centre} ORDER BY ends) FILTER (ends IS NOT NULL) AS earlier
FROM (
    SELECT tenant, workload, owner, cost_centre, begins, ends FROM ownership
    UNION ALL
    SELECT tenant, workload, owner, cost_centre, begins, ends FROM deleted_workloads
)
GROUP BY tenant, workload;

-- Whose it was at a moment, of a row of `owners`: only what lies before `since` is looked for in a list.
CREATE OR REPLACE MACRO owner_at(since, latest, earlier, moment) AS
    CASE WHEN moment < since THEN list_filter(earlier, lambda x: moment < x.ends)[1].owner ELSE latest END;
CREATE OR REPLACE MACRO centre_at(since, latest, earlier, moment) AS
    CASE WHEN moment < since THEN list_filter(earlier, lambda x: moment < x.ends)[1].cost_centre ELSE latest END;
-- Whether one piece ended and another began after the first moment, and not after the last.
CREATE OR REPLACE MACRO moved_between(since, earlier, first_moment, last_moment) AS
    CASE WHEN first_moment < since
         THEN len(list_filter(earlier, lambda x: first_moment < x.ends AND x.ends <= last_moment)) > 0 ELSE false END;

-- What queries and reports read. Owner and cost centre are joined here, so that a late change is right at once.
CREATE OR REPLACE VIEW calls AS
SELECT b.tenant, b.workload, b.task_id, b.parent_task_id, b.root_task_id, b.tier,
       b.end_user,
       owner_at(r.since, r.owner, r.earlier, b.started_at) AS owner,
       centre_at(r.since, r.cost_centre, r.earlier, b.started_at) AS cost_centre,
       b.provider, b.model, b.request_model, b.response_id, b.started_at, b.ended_at,
       b.input_uncached, b.cache_read, b.cache_write_5m, b.cache_write_1h, b.output, b.reasoning, b.apart,
       b.attempts, b.state, b.cost, b.currency, b.price_version, b.list_cost, b.contract, b.service_tier,
       b.trace_id, b.span_id, b.dialect, b.scope, b.lease_id, b.kind, b.sku, b.flags, b.seq, b.booked_at, b.cache
FROM booked AS b
LEFT JOIN owners AS r ON r.tenant = b.tenant AND r.workload = b.workload
WHERE b.kind <> 'served';

-- Answers that a cache served: no call was made and nothing bought. What they would have cost is in no sum of cost.
CREATE OR REPLACE VIEW served AS
SELECT b.tenant, b.workload, b.task_id, b.parent_task_id, b.root_task_id, b.tier,
       b.end_user,
       owner_at(r.since, r.owner, r.earlier, b.started_at) AS owner,
       centre_at(r.since, r.cost_centre, r.earlier, b.started_at) AS cost_centre,
       b.provider, b.model, b.request_model, b.response_id, b.started_at, b.ended_at, b.cache,
       b.input_uncached, b.cache_read, b.cache_write_5m, b.cache_write_1h, b.output, b.reasoning, b.apart,
       b.state, b.saved, b.currency, b.price_version, b.contract, b.service_tier,
       b.trace_id, b.span_id, b.dialect, b.scope, b.flags, b.seq, b.booked_at
FROM booked AS b
LEFT JOIN owners AS r ON r.tenant = b.tenant AND r.workload = b.workload
WHERE b.kind = 'served';

CREATE OR REPLACE VIEW registry AS
SELECT tenant, workload, owner, cost_centre, starts_on, ends_on, begins, ends, source FROM ownership WHERE source IS NOT NULL;

-- Where both speak of a month, what finance imported counts.
CREATE OR REPLACE VIEW plans AS
SELECT cost_centre, month, amount, currency, source FROM registry_plans
QUALIFY row_number() OVER (PARTITION BY cost_centre, month ORDER BY source = 'imported' DESC) = 1;

CREATE OR REPLACE VIEW revenue AS
SELECT tenant, month, amount, currency FROM registry_revenue
UNION ALL
SELECT tenant, month, amount, currency FROM deleted_revenue;

CREATE OR REPLACE VIEW transitions AS SELECT * FROM audit;

-- Spans that were not booked by themselves, since their call is another's too.
CREATE OR REPLACE VIEW merged_spans AS
SELECT b.booked_at AS "at", b.tenant, b.workload, m.trace_id, m.span_id, m.dialect, m.scope,
       CASE WHEN m.marks & 1 = 1 THEN 'wraps_several' ELSE 'twin' END AS code,
       CASE WHEN m.marks & 1 = 1 THEN 'lies round several calls: only these are billed'
            ELSE 'merged into ' || b.trace_id || ':' || b.span_id || ': both tell of one call' END AS reason,
       b.trace_id AS call_trace_id, b.span_id AS call_span_id, b.started_at
FROM members AS m JOIN booked AS b USING (call_id)
WHERE m.fact <> m.call_id;

-- Of rerates, with the one rule for when an adjustment applies: while its call has the cost that it adjusted; where that
-- was not known or nothing, while no other span has changed the call.
CREATE OR REPLACE VIEW adjustments_of_calls AS
SELECT a.*, r."at", r."by", r.reason, a.call_id IS NULL OR b.call_id IS NOT NULL AS applies
FROM adjusted AS a JOIN rerates AS r ON r.id = a.rerate
LEFT JOIN booked AS b ON b.call_id = a.call_id
    AND b.cost IS NOT DISTINCT FROM a.booked_cost AND b.currency IS NOT DISTINCT FROM a.booked_currency
    AND (b.cost > 0 OR b.seq = a.call_seq);

CREATE OR REPLACE VIEW adjustments AS
SELECT a.rerate, a."at", a."by", a.reason, a.tenant, a.workload, a.tier,
       owner_at(o.since, o.owner, o.earlier, a.started_at) AS owner,
       centre_at(o.since, o.cost_centre, o.earlier, a.started_at) AS cost_centre, a.provider, a.model,
       a.trace_id, a.span_id, a.started_at, a.calls, a.currency, a.old_cost, a.new_cost, a.delta,
       a.old_price_version, a.new_price_version, a.old_contract, a.new_contract, a.applies
FROM adjustments_of_calls AS a
LEFT JOIN owners AS o ON o.tenant = a.tenant AND o.workload = a.workload;

-- What stays of adjustments whose calls go.
CREATE OR REPLACE MACRO adjustment_sums(source) AS TABLE
SELECT max(seq) AS seq, rerate, tenant, workload, tier, provider, model, date_trunc('hour', started_at) AS started_at,
       sum(calls)::BIGINT AS calls, currency, sum(old_cost)::DECIMAL(38, 12) AS old_cost,
       sum(new_cost)::DECIMAL(38, 12) AS new_cost, sum(delta)::DECIMAL(38, 12) AS delta,
       old_price_version, new_price_version, old_contract, new_contract
FROM query_table(source) WHERE applies
GROUP BY ALL;
