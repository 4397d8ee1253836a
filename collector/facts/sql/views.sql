-- The documented views; made anew at each start, so that a change here needs no migration.

-- Who answers for a workload, and who pays. Grouped, so that a view without these columns needs no join: over 10 M calls it
-- takes longer than to add them up.
CREATE OR REPLACE VIEW owners AS
SELECT tenant, workload, any_value(owner) AS owner, any_value(cost_centre) AS cost_centre
FROM (
    SELECT tenant, workload, owner, cost_centre FROM registry_workloads
    UNION ALL
    SELECT tenant, workload, owner, cost_centre FROM deleted_workloads
)
GROUP BY tenant, workload;

-- What queries and reports read. Owner and cost centre are joined here, so that a late change is right at once.
CREATE OR REPLACE VIEW calls AS
SELECT b.tenant, b.workload, b.task_id, b.parent_task_id, b.root_task_id, b.tier,
       b.end_user, r.owner, r.cost_centre,
       b.provider, b.model, b.request_model, b.response_id, b.started_at, b.ended_at,
       b.input_uncached, b.cache_read, b.cache_write_5m, b.cache_write_1h, b.output, b.reasoning, b.apart,
       b.attempts, b.state, b.cost, b.currency, b.price_version, b.list_cost, b.contract, b.service_tier,
       b.trace_id, b.span_id, b.dialect, b.scope, b.lease_id, b.kind, b.sku, b.flags, b.seq, b.booked_at
FROM booked AS b
LEFT JOIN owners AS r ON r.tenant = b.tenant AND r.workload = b.workload;

CREATE OR REPLACE VIEW registry AS SELECT tenant, workload, owner, cost_centre FROM registry_workloads;

CREATE OR REPLACE VIEW transitions AS SELECT * FROM audit;

-- Spans that were not booked by themselves, since their call is another's too.
CREATE OR REPLACE VIEW merged_spans AS
SELECT b.booked_at AS "at", b.tenant, b.workload, m.trace_id, m.span_id, m.dialect, m.scope,
       CASE WHEN m.marks & 1 = 1 THEN 'wraps_several' ELSE 'twin' END AS code,
       CASE WHEN m.marks & 1 = 1 THEN 'lies round several calls: only these are billed'
            ELSE 'merged into ' || b.trace_id || ':' || b.span_id || ': both tell of one call' END AS reason,
       b.trace_id AS call_trace_id, b.span_id AS call_span_id
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
SELECT a.rerate, a."at", a."by", a.reason, a.tenant, a.workload, a.tier, o.owner, o.cost_centre, a.provider, a.model,
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
