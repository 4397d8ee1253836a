-- The database as version 5 made it: a call of which two spans tell, in the folded rollups, and one that is not folded yet.

CREATE TABLE adjusted(seq BIGINT NOT NULL, rerate VARCHAR NOT NULL, call_id BIGINT, call_seq BIGINT, booked_cost
    DECIMAL(18,12), booked_currency VARCHAR, tenant VARCHAR NOT NULL, workload VARCHAR, tier VARCHAR, provider VARCHAR,
    model VARCHAR, trace_id VARCHAR, span_id VARCHAR, started_at TIMESTAMP WITH TIME ZONE NOT NULL, calls BIGINT NOT
    NULL, currency VARCHAR NOT NULL, old_cost DECIMAL(38,12), new_cost DECIMAL(38,12), delta DECIMAL(38,12) NOT NULL,
    old_price_version VARCHAR, new_price_version VARCHAR, old_contract VARCHAR, new_contract VARCHAR);

CREATE TABLE audit(id VARCHAR NOT NULL, "at" TIMESTAMP WITH TIME ZONE NOT NULL, "policy" VARCHAR NOT NULL, "scope"
    STRUCT(tenant VARCHAR, workload VARCHAR, tier VARCHAR, task VARCHAR, "owner" VARCHAR, model VARCHAR, provider
    VARCHAR), "from" VARCHAR NOT NULL, "to" VARCHAR NOT NULL, "by" VARCHAR NOT NULL, reason VARCHAR, spent
    DECIMAL(38,12), held DECIMAL(38,12), projected DECIMAL(38,12), ceiling DECIMAL(38,12), currency VARCHAR, shadow
    BOOLEAN NOT NULL, prev_hash VARCHAR, hash VARCHAR);

CREATE TABLE booked(seq BIGINT NOT NULL, call_id BIGINT NOT NULL, booked_at TIMESTAMP WITH TIME ZONE NOT NULL, state
    VARCHAR NOT NULL, "cost" DECIMAL(18,12), currency VARCHAR, price_version VARCHAR, list_cost DECIMAL(18,12), contract
    VARCHAR, identity_hash UBIGINT NOT NULL, parent_hash UBIGINT, response_hash UBIGINT, lease_hash UBIGINT, tenant
    VARCHAR NOT NULL, trace_id VARCHAR NOT NULL, span_id VARCHAR NOT NULL, parent_span_id VARCHAR, started_at TIMESTAMP
    WITH TIME ZONE NOT NULL, ended_at TIMESTAMP WITH TIME ZONE, workload VARCHAR, task_id VARCHAR, parent_task_id
    VARCHAR, root_task_id VARCHAR, tier VARCHAR, end_user VARCHAR, provider VARCHAR, model VARCHAR, request_model
    VARCHAR, response_id VARCHAR, input_uncached BIGINT, cache_read BIGINT, cache_write_5m BIGINT, cache_write_1h
    BIGINT, output BIGINT, reasoning BIGINT, apart VARCHAR, reported SMALLINT NOT NULL, attempts INTEGER NOT NULL,
    dialect VARCHAR NOT NULL, "scope" VARCHAR NOT NULL, lease_id VARCHAR, kind VARCHAR NOT NULL, flags VARCHAR,
    stated_amount DECIMAL(18,12), stated_currency VARCHAR, sku VARCHAR, service_tier VARCHAR, marks SMALLINT);

CREATE TABLE conflicts(seq BIGINT NOT NULL, "at" TIMESTAMP WITH TIME ZONE NOT NULL, tenant VARCHAR NOT NULL, trace_id
    VARCHAR NOT NULL, span_id VARCHAR NOT NULL, kept_model VARCHAR, kept_input BIGINT, kept_output BIGINT, refused_model
    VARCHAR, refused_input BIGINT, refused_output BIGINT);

CREATE TABLE cost_centres(cost_centre VARCHAR NOT NULL, approver VARCHAR, starts_on DATE, ends_on DATE, begins TIMESTAMP
    WITH TIME ZONE, ends TIMESTAMP WITH TIME ZONE);

CREATE TABLE deleted_revenue(tenant VARCHAR NOT NULL, "month" DATE NOT NULL, amount DECIMAL(18,6) NOT NULL, currency
    VARCHAR NOT NULL);

CREATE TABLE deleted_workloads(tenant VARCHAR NOT NULL, workload VARCHAR NOT NULL, "owner" VARCHAR, cost_centre VARCHAR,
    begins TIMESTAMP WITH TIME ZONE, ends TIMESTAMP WITH TIME ZONE);

CREATE TABLE deletions("at" TIMESTAMP WITH TIME ZONE NOT NULL, "by" VARCHAR NOT NULL, reason VARCHAR NOT NULL, what
    VARCHAR NOT NULL, tenant VARCHAR, "before" TIMESTAMP WITH TIME ZONE NOT NULL, "rows" MAP(VARCHAR, BIGINT) NOT NULL,
    amounts MAP(VARCHAR, DECIMAL(38,12)) NOT NULL);

CREATE TABLE invoice_lines(invoice VARCHAR NOT NULL, provider VARCHAR NOT NULL, "day" DATE NOT NULL, model VARCHAR,
    project VARCHAR, kind VARCHAR NOT NULL, service_tier VARCHAR, quantity DECIMAL(38,12), amount DECIMAL(38,12),
    currency VARCHAR NOT NULL, item VARCHAR);

CREATE TABLE invoices(id VARCHAR NOT NULL, provider VARCHAR NOT NULL, account VARCHAR, "source" VARCHAR NOT NULL,
    imported_at TIMESTAMP WITH TIME ZONE NOT NULL, imported_by VARCHAR NOT NULL, first_day DATE NOT NULL, last_day DATE
    NOT NULL, currency VARCHAR NOT NULL, total DECIMAL(38,12));

CREATE TABLE ledger_drafts(id VARCHAR NOT NULL, prepared_at TIMESTAMP WITH TIME ZONE NOT NULL, prepared_by VARCHAR NOT
    NULL, preparer_key VARCHAR NOT NULL, "document" VARCHAR NOT NULL, decided_at TIMESTAMP WITH TIME ZONE, decided_by
    VARCHAR, note VARCHAR, entry BIGINT, state VARCHAR NOT NULL);

CREATE TABLE ledger_entries(seq BIGINT NOT NULL, period VARCHAR NOT NULL, "day" DATE NOT NULL, kind VARCHAR NOT NULL,
    tenant VARCHAR, workload VARCHAR, tier VARCHAR, "owner" VARCHAR, cost_centre VARCHAR, provider VARCHAR, model
    VARCHAR, service_tier VARCHAR, state VARCHAR, price_version VARCHAR, contract VARCHAR, currency VARCHAR, item
    VARCHAR, "rule" VARCHAR, reference VARCHAR, details VARCHAR, calls BIGINT NOT NULL, attempts BIGINT NOT NULL,
    input_uncached BIGINT NOT NULL, cache_read BIGINT NOT NULL, cache_write_5m BIGINT NOT NULL, cache_write_1h BIGINT
    NOT NULL, output BIGINT NOT NULL, reasoning BIGINT NOT NULL, amount_input DECIMAL(38,12), amount_cache_read
    DECIMAL(38,12), amount_cache_write_5m DECIMAL(38,12), amount_cache_write_1h DECIMAL(38,12), amount_output
    DECIMAL(38,12), amount_other DECIMAL(38,12), amount DECIMAL(38,12), list_amount DECIMAL(38,12), retry_amount
    DECIMAL(38,12), cache_savings DECIMAL(38,12), reason VARCHAR, prepared_by VARCHAR, approved_by VARCHAR, posted_at
    TIMESTAMP WITH TIME ZONE NOT NULL, prev_hash VARCHAR NOT NULL, hash VARCHAR NOT NULL);

CREATE TABLE ledger_periods(period VARCHAR NOT NULL, "zone" VARCHAR NOT NULL, starts TIMESTAMP WITH TIME ZONE NOT NULL,
    ends TIMESTAMP WITH TIME ZONE NOT NULL, closed_at TIMESTAMP WITH TIME ZONE NOT NULL, closed_by VARCHAR NOT NULL,
    watermark TIMESTAMP WITH TIME ZONE, booked_seq BIGINT NOT NULL, first_seq BIGINT NOT NULL, last_seq BIGINT NOT NULL,
    totals VARCHAR NOT NULL, root_hash VARCHAR NOT NULL, terms VARCHAR NOT NULL, files VARCHAR NOT NULL);

CREATE TABLE members(fact BIGINT, call_id BIGINT, identity_hash UBIGINT, parent_hash UBIGINT, response_hash UBIGINT,
    lease_hash UBIGINT, tenant VARCHAR, trace_id VARCHAR, span_id VARCHAR, parent_span_id VARCHAR, started_at TIMESTAMP
    WITH TIME ZONE, ended_at TIMESTAMP WITH TIME ZONE, workload VARCHAR, task_id VARCHAR, parent_task_id VARCHAR,
    root_task_id VARCHAR, tier VARCHAR, end_user VARCHAR, provider VARCHAR, model VARCHAR, request_model VARCHAR,
    response_id VARCHAR, input_uncached BIGINT, cache_read BIGINT, cache_write_5m BIGINT, cache_write_1h BIGINT, output
    BIGINT, reasoning BIGINT, apart VARCHAR, reported SMALLINT, attempts INTEGER, dialect VARCHAR, "scope" VARCHAR,
    lease_id VARCHAR, kind VARCHAR, flags VARCHAR, stated_amount DECIMAL(18,12), stated_currency VARCHAR, sku VARCHAR,
    service_tier VARCHAR, marks SMALLINT);

CREATE TABLE not_billed("at" TIMESTAMP WITH TIME ZONE NOT NULL, tenant VARCHAR, trace_id VARCHAR NOT NULL, span_id
    VARCHAR NOT NULL, dialect VARCHAR, code VARCHAR NOT NULL, reason VARCHAR NOT NULL);

CREATE TABLE not_billed_counts("hour" TIMESTAMP WITH TIME ZONE NOT NULL, tenant VARCHAR, dialect VARCHAR, code VARCHAR
    NOT NULL, spans BIGINT NOT NULL);

CREATE TABLE ownership(tenant VARCHAR NOT NULL, workload VARCHAR NOT NULL, "owner" VARCHAR, cost_centre VARCHAR,
    starts_on DATE, ends_on DATE, begins TIMESTAMP WITH TIME ZONE, ends TIMESTAMP WITH TIME ZONE, "source" VARCHAR);

CREATE TABLE pseudonym_key("secret" BLOB NOT NULL);

CREATE TABLE quarantine(seq BIGINT, booked_at TIMESTAMP WITH TIME ZONE, reason VARCHAR, state VARCHAR, "cost"
    DECIMAL(18,12), currency VARCHAR, price_version VARCHAR, list_cost DECIMAL(18,12), contract VARCHAR, identity_hash
    UBIGINT, parent_hash UBIGINT, response_hash UBIGINT, lease_hash UBIGINT, tenant VARCHAR, trace_id VARCHAR, span_id
    VARCHAR, parent_span_id VARCHAR, started_at TIMESTAMP WITH TIME ZONE, ended_at TIMESTAMP WITH TIME ZONE, workload
    VARCHAR, task_id VARCHAR, parent_task_id VARCHAR, root_task_id VARCHAR, tier VARCHAR, end_user VARCHAR, provider
    VARCHAR, model VARCHAR, request_model VARCHAR, response_id VARCHAR, input_uncached BIGINT, cache_read BIGINT,
    cache_write_5m BIGINT, cache_write_1h BIGINT, output BIGINT, reasoning BIGINT, apart VARCHAR, reported SMALLINT,
    attempts INTEGER, dialect VARCHAR, "scope" VARCHAR, lease_id VARCHAR, kind VARCHAR, flags VARCHAR, stated_amount
    DECIMAL(18,12), stated_currency VARCHAR, sku VARCHAR, service_tier VARCHAR, marks SMALLINT, outcome VARCHAR);

CREATE TABLE registry_plans("source" VARCHAR NOT NULL, cost_centre VARCHAR NOT NULL, "month" DATE NOT NULL, amount
    DECIMAL(18,6) NOT NULL, currency VARCHAR NOT NULL);

CREATE TABLE registry_revenue(tenant VARCHAR NOT NULL, "month" DATE NOT NULL, amount DECIMAL(18,6) NOT NULL, currency
    VARCHAR NOT NULL);

CREATE TABLE registry_workloads("source" VARCHAR NOT NULL, tenant VARCHAR NOT NULL, workload VARCHAR NOT NULL, "owner"
    VARCHAR, cost_centre VARCHAR, starts_on DATE, ends_on DATE);

CREATE TABLE registry_zone("zone" VARCHAR NOT NULL);

CREATE TABLE rerates(id VARCHAR NOT NULL, "at" TIMESTAMP WITH TIME ZONE NOT NULL, "by" VARCHAR NOT NULL, reason VARCHAR
    NOT NULL, begins TIMESTAMP WITH TIME ZONE NOT NULL, ends TIMESTAMP WITH TIME ZONE NOT NULL, price_version VARCHAR
    NOT NULL, "rows" BIGINT NOT NULL);

CREATE TABLE retractions(seq BIGINT NOT NULL, call_id BIGINT NOT NULL, tenant VARCHAR NOT NULL, trace_id VARCHAR NOT
    NULL, span_id VARCHAR NOT NULL, into_key VARCHAR NOT NULL, booked_at TIMESTAMP WITH TIME ZONE NOT NULL, started_at
    TIMESTAMP WITH TIME ZONE NOT NULL);

CREATE TABLE review_actions(id VARCHAR NOT NULL, "week" VARCHAR NOT NULL, "owner" VARCHAR NOT NULL, "text" VARCHAR NOT
    NULL, due DATE NOT NULL, saving DECIMAL(38,12), currency VARCHAR, state VARCHAR NOT NULL, note VARCHAR, changed_at
    TIMESTAMP WITH TIME ZONE NOT NULL, changed_by VARCHAR NOT NULL);

CREATE TABLE review_signatures("week" VARCHAR NOT NULL, "owner" VARCHAR NOT NULL, "name" VARCHAR NOT NULL, "key" VARCHAR
    NOT NULL, signed_at TIMESTAMP WITH TIME ZONE NOT NULL, hash VARCHAR NOT NULL, note VARCHAR);

CREATE TABLE reviews("week" VARCHAR NOT NULL, frozen_at TIMESTAMP WITH TIME ZONE NOT NULL, "document" VARCHAR NOT NULL,
    hash VARCHAR NOT NULL);

CREATE TABLE rollup_hours_base("hour" TIMESTAMP WITH TIME ZONE NOT NULL, tenant VARCHAR NOT NULL, workload VARCHAR, tier
    VARCHAR, provider VARCHAR, model VARCHAR, state VARCHAR NOT NULL, currency VARCHAR, kind VARCHAR NOT NULL, calls
    BIGINT NOT NULL, attempts BIGINT NOT NULL, input_uncached BIGINT NOT NULL, cache_read BIGINT NOT NULL,
    cache_write_5m BIGINT NOT NULL, cache_write_1h BIGINT NOT NULL, output BIGINT NOT NULL, reasoning BIGINT NOT NULL,
    priced_calls BIGINT NOT NULL, "cost" DECIMAL(38,12) NOT NULL, details BOOLEAN NOT NULL);

CREATE TABLE rollup_hours_recent("hour" TIMESTAMP WITH TIME ZONE, tenant VARCHAR, workload VARCHAR, tier VARCHAR,
    provider VARCHAR, model VARCHAR, state VARCHAR, currency VARCHAR, kind VARCHAR, calls BIGINT, attempts BIGINT,
    input_uncached BIGINT, cache_read BIGINT, cache_write_5m BIGINT, cache_write_1h BIGINT, output BIGINT, reasoning
    BIGINT, priced_calls BIGINT, "cost" DECIMAL(38,12));

CREATE TABLE rollup_tasks_base(tenant VARCHAR NOT NULL, workload VARCHAR, task_id VARCHAR, root_task_id VARCHAR, tier
    VARCHAR, currency VARCHAR, last_currency VARCHAR, first_at TIMESTAMP WITH TIME ZONE NOT NULL, last_at TIMESTAMP WITH
    TIME ZONE NOT NULL, calls BIGINT NOT NULL, attempts BIGINT NOT NULL, input_uncached BIGINT NOT NULL, cache_read
    BIGINT NOT NULL, cache_write_5m BIGINT NOT NULL, cache_write_1h BIGINT NOT NULL, output BIGINT NOT NULL, reasoning
    BIGINT NOT NULL, unpriced_calls BIGINT NOT NULL, incomplete_calls BIGINT NOT NULL, priced_calls BIGINT NOT NULL,
    "cost" DECIMAL(38,12) NOT NULL, loose BOOLEAN NOT NULL);

CREATE TABLE rollup_tasks_recent(tenant VARCHAR, workload VARCHAR, task_id VARCHAR, root_task_id VARCHAR, tier VARCHAR,
    currency VARCHAR, last_currency VARCHAR, first_at TIMESTAMP WITH TIME ZONE, last_at TIMESTAMP WITH TIME ZONE, calls
    BIGINT, attempts BIGINT, input_uncached BIGINT, cache_read BIGINT, cache_write_5m BIGINT, cache_write_1h BIGINT,
    output BIGINT, reasoning BIGINT, unpriced_calls BIGINT, incomplete_calls BIGINT, priced_calls BIGINT, "cost"
    DECIMAL(38,12), loose BOOLEAN);

CREATE TABLE store(schema_version INTEGER NOT NULL, created_at TIMESTAMP WITH TIME ZONE NOT NULL, applied_seq BIGINT NOT
    NULL);

CREATE TABLE task_ends(seq BIGINT NOT NULL, booked_at TIMESTAMP WITH TIME ZONE NOT NULL, identity_hash UBIGINT NOT NULL,
    tenant VARCHAR NOT NULL, workload VARCHAR, task_id VARCHAR NOT NULL, parent_task_id VARCHAR, root_task_id VARCHAR,
    tier VARCHAR, end_user VARCHAR, outcome VARCHAR NOT NULL, started_at TIMESTAMP WITH TIME ZONE NOT NULL, ended_at
    TIMESTAMP WITH TIME ZONE, trace_id VARCHAR NOT NULL, span_id VARCHAR NOT NULL, "scope" VARCHAR NOT NULL, flags
    VARCHAR);

INSERT INTO booked BY NAME SELECT 2 AS "seq", 1 AS "call_id", TIMESTAMPTZ '2026-11-24T12:00:00Z' AS "booked_at",
    'complete' AS "state", 0.020000000000 AS "cost", 'USD' AS "currency", 'book 1' AS "price_version",
    10909201608240471582 AS "identity_hash", 8900498257494522009 AS "response_hash", 'acme' AS "tenant",
    '00000000000000000000000000000001' AS "trace_id", '0000000000000001' AS "span_id", TIMESTAMPTZ
    '2026-11-24T12:00:00Z' AS "started_at", TIMESTAMPTZ '2026-11-24T12:00:00Z' AS "ended_at", 'w' AS "workload", 't' AS
    "task_id", 'm' AS "model", 'r' AS "response_id", 1 AS "input_uncached", 0 AS "cache_read", 0 AS "cache_write_5m", 0
    AS "cache_write_1h", 1 AS "output", 0 AS "reasoning", 3 AS "reported", 1 AS "attempts", 'otel-genai' AS "dialect",
    'x@1' AS "scope", 'llm' AS "kind", 0 AS "marks";
INSERT INTO booked BY NAME SELECT 3 AS "seq", 3 AS "call_id", TIMESTAMPTZ '2026-11-24T12:00:00Z' AS "booked_at",
    'complete' AS "state", 0.040000000000 AS "cost", 'USD' AS "currency", 'book 1' AS "price_version",
    8682773361771298790 AS "identity_hash", 'acme' AS "tenant", '00000000000000000000000000000003' AS "trace_id",
    '0000000000000003' AS "span_id", TIMESTAMPTZ '2026-11-24T12:00:00Z' AS "started_at", TIMESTAMPTZ
    '2026-11-24T12:00:00Z' AS "ended_at", 'w' AS "workload", 'm' AS "model", 3 AS "input_uncached", 0 AS "cache_read", 0
    AS "cache_write_5m", 0 AS "cache_write_1h", 1 AS "output", 0 AS "reasoning", 3 AS "reported", 1 AS "attempts",
    'otel-genai' AS "dialect", 'x@1' AS "scope", 'llm' AS "kind";
INSERT INTO members BY NAME SELECT 2 AS "fact", 1 AS "call_id", 16698398662923725820 AS "identity_hash",
    8900498257494522009 AS "response_hash", 'acme' AS "tenant", '00000000000000000000000000000002' AS "trace_id",
    '0000000000000002' AS "span_id", TIMESTAMPTZ '2026-11-24T12:00:00Z' AS "started_at", TIMESTAMPTZ
    '2026-11-24T12:00:00Z' AS "ended_at", 'w' AS "workload", 't' AS "task_id", 'm' AS "model", 'r' AS "response_id", 0
    AS "reported", 1 AS "attempts", 'otel-genai' AS "dialect", 'y@1' AS "scope", 'llm' AS "kind", 0 AS "marks";
INSERT INTO members BY NAME SELECT 1 AS "fact", 1 AS "call_id", 10909201608240471582 AS "identity_hash",
    8900498257494522009 AS "response_hash", 'acme' AS "tenant", '00000000000000000000000000000001' AS "trace_id",
    '0000000000000001' AS "span_id", TIMESTAMPTZ '2026-11-24T12:00:00Z' AS "started_at", TIMESTAMPTZ
    '2026-11-24T12:00:00Z' AS "ended_at", 'w' AS "workload", 't' AS "task_id", 'm' AS "model", 'r' AS "response_id", 1
    AS "input_uncached", 0 AS "cache_read", 0 AS "cache_write_5m", 0 AS "cache_write_1h", 1 AS "output", 0 AS
    "reasoning", 3 AS "reported", 1 AS "attempts", 'otel-genai' AS "dialect", 'x@1' AS "scope", 'llm' AS "kind", 0 AS
    "marks";
INSERT INTO rollup_hours_base BY NAME SELECT TIMESTAMPTZ '2026-11-24T12:00:00Z' AS "hour", 'acme' AS "tenant", 'w' AS
    "workload", 'm' AS "model", 'complete' AS "state", 'USD' AS "currency", 'llm' AS "kind", 1 AS "calls", 1 AS
    "attempts", 1 AS "input_uncached", 0 AS "cache_read", 0 AS "cache_write_5m", 0 AS "cache_write_1h", 1 AS "output", 0
    AS "reasoning", 1 AS "priced_calls", 0.020000000000 AS "cost", true AS "details";
INSERT INTO rollup_hours_recent BY NAME SELECT TIMESTAMPTZ '2026-11-24T12:00:00Z' AS "hour", 'acme' AS "tenant", 'w' AS
    "workload", 'm' AS "model", 'complete' AS "state", 'USD' AS "currency", 'llm' AS "kind", 1 AS "calls", 1 AS
    "attempts", 3 AS "input_uncached", 0 AS "cache_read", 0 AS "cache_write_5m", 0 AS "cache_write_1h", 1 AS "output", 0
    AS "reasoning", 1 AS "priced_calls", 0.040000000000 AS "cost";
INSERT INTO rollup_tasks_base BY NAME SELECT 'acme' AS "tenant", 'w' AS "workload", 't' AS "task_id", 'USD' AS
    "currency", 'USD' AS "last_currency", TIMESTAMPTZ '2026-11-24T12:00:00Z' AS "first_at", TIMESTAMPTZ
    '2026-11-24T12:00:00Z' AS "last_at", 1 AS "calls", 1 AS "attempts", 1 AS "input_uncached", 0 AS "cache_read", 0 AS
    "cache_write_5m", 0 AS "cache_write_1h", 1 AS "output", 0 AS "reasoning", 0 AS "unpriced_calls", 0 AS
    "incomplete_calls", 1 AS "priced_calls", 0.020000000000 AS "cost", false AS "loose";
INSERT INTO rollup_tasks_recent BY NAME SELECT 'acme' AS "tenant", 'w' AS "workload", 'USD' AS "currency", 'USD' AS
    "last_currency", TIMESTAMPTZ '2026-11-24T12:00:00Z' AS "first_at", TIMESTAMPTZ '2026-11-24T12:00:00Z' AS "last_at",
    1 AS "calls", 1 AS "attempts", 3 AS "input_uncached", 0 AS "cache_read", 0 AS "cache_write_5m", 0 AS
    "cache_write_1h", 1 AS "output", 0 AS "reasoning", 0 AS "unpriced_calls", 0 AS "incomplete_calls", 1 AS
    "priced_calls", 0.040000000000 AS "cost", false AS "loose";
INSERT INTO store BY NAME SELECT 5 AS "schema_version", TIMESTAMPTZ '2026-11-29T14:52:09Z' AS "created_at", 3 AS
    "applied_seq";
