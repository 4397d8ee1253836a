-- The database as version 4 made it: a call, two transitions, two lines of the registry with a plan, and who owned a workload of
-- a deleted tenant.

CREATE TABLE adjusted(seq BIGINT NOT NULL, rerate VARCHAR NOT NULL, call_id BIGINT, call_seq BIGINT, booked_cost
    DECIMAL(18,12), booked_currency VARCHAR, tenant VARCHAR NOT NULL, workload VARCHAR, tier VARCHAR, provider VARCHAR,
    model VARCHAR, trace_id VARCHAR, span_id VARCHAR, started_at TIMESTAMP WITH TIME ZONE NOT NULL, calls BIGINT NOT NULL,
    currency VARCHAR NOT NULL, old_cost DECIMAL(38,12), new_cost DECIMAL(38,12), delta DECIMAL(38,12) NOT NULL,
    old_price_version VARCHAR, new_price_version VARCHAR, old_contract VARCHAR, new_contract VARCHAR);

CREATE TABLE audit(id VARCHAR NOT NULL, "at" TIMESTAMP WITH TIME ZONE NOT NULL, "policy" VARCHAR NOT NULL, "scope"
    STRUCT(tenant VARCHAR, workload VARCHAR, tier VARCHAR, task VARCHAR, "owner" VARCHAR, model VARCHAR, provider VARCHAR),
    "from" VARCHAR NOT NULL, "to" VARCHAR NOT NULL, "by" VARCHAR NOT NULL, reason VARCHAR, spent DECIMAL(38,12), held
    DECIMAL(38,12), projected DECIMAL(38,12), ceiling DECIMAL(38,12), currency VARCHAR, shadow BOOLEAN NOT NULL, prev_hash
    VARCHAR, hash VARCHAR);

CREATE TABLE booked(seq BIGINT NOT NULL, call_id BIGINT NOT NULL, booked_at TIMESTAMP WITH TIME ZONE NOT NULL, state VARCHAR
    NOT NULL, "cost" DECIMAL(18,12), currency VARCHAR, price_version VARCHAR, list_cost DECIMAL(18,12), contract VARCHAR,
    identity_hash UBIGINT NOT NULL, parent_hash UBIGINT, response_hash UBIGINT, lease_hash UBIGINT, tenant VARCHAR NOT NULL,
    trace_id VARCHAR NOT NULL, span_id VARCHAR NOT NULL, parent_span_id VARCHAR, started_at TIMESTAMP WITH TIME ZONE NOT
    NULL, ended_at TIMESTAMP WITH TIME ZONE, workload VARCHAR, task_id VARCHAR, parent_task_id VARCHAR, root_task_id
    VARCHAR, tier VARCHAR, end_user VARCHAR, provider VARCHAR, model VARCHAR, request_model VARCHAR, response_id VARCHAR,
    input_uncached BIGINT, cache_read BIGINT, cache_write_5m BIGINT, cache_write_1h BIGINT, output BIGINT, reasoning BIGINT,
    apart VARCHAR, reported SMALLINT NOT NULL, attempts INTEGER NOT NULL, dialect VARCHAR NOT NULL, "scope" VARCHAR NOT
    NULL, lease_id VARCHAR, kind VARCHAR NOT NULL, flags VARCHAR, stated_amount DECIMAL(18,12), stated_currency VARCHAR, sku
    VARCHAR, service_tier VARCHAR, marks SMALLINT);

CREATE TABLE conflicts(seq BIGINT NOT NULL, "at" TIMESTAMP WITH TIME ZONE NOT NULL, tenant VARCHAR NOT NULL, trace_id
    VARCHAR NOT NULL, span_id VARCHAR NOT NULL, kept_model VARCHAR, kept_input BIGINT, kept_output BIGINT, refused_model
    VARCHAR, refused_input BIGINT, refused_output BIGINT);

CREATE TABLE deleted_workloads(tenant VARCHAR NOT NULL, workload VARCHAR NOT NULL, "owner" VARCHAR, cost_centre VARCHAR);

CREATE TABLE deletions("at" TIMESTAMP WITH TIME ZONE NOT NULL, "by" VARCHAR NOT NULL, reason VARCHAR NOT NULL, what VARCHAR
    NOT NULL, tenant VARCHAR, "before" TIMESTAMP WITH TIME ZONE NOT NULL, "rows" MAP(VARCHAR, BIGINT) NOT NULL, amounts
    MAP(VARCHAR, DECIMAL(38,12)) NOT NULL);

CREATE TABLE members(fact BIGINT, call_id BIGINT, identity_hash UBIGINT, parent_hash UBIGINT, response_hash UBIGINT,
    lease_hash UBIGINT, tenant VARCHAR, trace_id VARCHAR, span_id VARCHAR, parent_span_id VARCHAR, started_at TIMESTAMP WITH
    TIME ZONE, ended_at TIMESTAMP WITH TIME ZONE, workload VARCHAR, task_id VARCHAR, parent_task_id VARCHAR, root_task_id
    VARCHAR, tier VARCHAR, end_user VARCHAR, provider VARCHAR, model VARCHAR, request_model VARCHAR, response_id VARCHAR,
    input_uncached BIGINT, cache_read BIGINT, cache_write_5m BIGINT, cache_write_1h BIGINT, output BIGINT, reasoning BIGINT,
    apart VARCHAR, reported SMALLINT, attempts INTEGER, dialect VARCHAR, "scope" VARCHAR, lease_id VARCHAR, kind VARCHAR,
    flags VARCHAR, stated_amount DECIMAL(18,12), stated_currency VARCHAR, sku VARCHAR, service_tier VARCHAR, marks
    SMALLINT);

CREATE TABLE not_billed("at" TIMESTAMP WITH TIME ZONE NOT NULL, tenant VARCHAR, trace_id VARCHAR NOT NULL, span_id VARCHAR
    NOT NULL, dialect VARCHAR, code VARCHAR NOT NULL, reason VARCHAR NOT NULL);

CREATE TABLE not_billed_counts("hour" TIMESTAMP WITH TIME ZONE NOT NULL, tenant VARCHAR, dialect VARCHAR, code VARCHAR NOT
    NULL, spans BIGINT NOT NULL);

CREATE TABLE "plans"(cost_centre VARCHAR NOT NULL, "month" DATE NOT NULL, amount DECIMAL(18,6) NOT NULL, currency VARCHAR
    NOT NULL);

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

CREATE TABLE registry_workloads(tenant VARCHAR NOT NULL, workload VARCHAR NOT NULL, "owner" VARCHAR, cost_centre VARCHAR);

CREATE TABLE rerates(id VARCHAR NOT NULL, "at" TIMESTAMP WITH TIME ZONE NOT NULL, "by" VARCHAR NOT NULL, reason VARCHAR NOT
    NULL, begins TIMESTAMP WITH TIME ZONE NOT NULL, ends TIMESTAMP WITH TIME ZONE NOT NULL, price_version VARCHAR NOT NULL,
    "rows" BIGINT NOT NULL);

CREATE TABLE retractions(seq BIGINT NOT NULL, call_id BIGINT NOT NULL, tenant VARCHAR NOT NULL, trace_id VARCHAR NOT NULL,
    span_id VARCHAR NOT NULL, into_key VARCHAR NOT NULL, booked_at TIMESTAMP WITH TIME ZONE NOT NULL, started_at TIMESTAMP
    WITH TIME ZONE NOT NULL);

CREATE TABLE rollup_hours_base("hour" TIMESTAMP WITH TIME ZONE NOT NULL, tenant VARCHAR NOT NULL, workload VARCHAR, tier
    VARCHAR, provider VARCHAR, model VARCHAR, state VARCHAR NOT NULL, currency VARCHAR, kind VARCHAR NOT NULL, calls BIGINT
    NOT NULL, attempts BIGINT NOT NULL, input_uncached BIGINT NOT NULL, cache_read BIGINT NOT NULL, cache_write_5m BIGINT
    NOT NULL, cache_write_1h BIGINT NOT NULL, output BIGINT NOT NULL, reasoning BIGINT NOT NULL, priced_calls BIGINT NOT
    NULL, "cost" DECIMAL(38,12) NOT NULL, details BOOLEAN NOT NULL);

CREATE TABLE rollup_hours_recent("hour" TIMESTAMP WITH TIME ZONE, tenant VARCHAR, workload VARCHAR, tier VARCHAR, provider
    VARCHAR, model VARCHAR, state VARCHAR, currency VARCHAR, kind VARCHAR, calls BIGINT, attempts BIGINT, input_uncached
    BIGINT, cache_read BIGINT, cache_write_5m BIGINT, cache_write_1h BIGINT, output BIGINT, reasoning BIGINT, priced_calls
    BIGINT, "cost" DECIMAL(38,12));

CREATE TABLE rollup_tasks_base(tenant VARCHAR NOT NULL, workload VARCHAR, task_id VARCHAR, root_task_id VARCHAR, tier
    VARCHAR, currency VARCHAR, last_currency VARCHAR, first_at TIMESTAMP WITH TIME ZONE NOT NULL, last_at TIMESTAMP WITH
    TIME ZONE NOT NULL, calls BIGINT NOT NULL, attempts BIGINT NOT NULL, input_uncached BIGINT NOT NULL, cache_read BIGINT
    NOT NULL, cache_write_5m BIGINT NOT NULL, cache_write_1h BIGINT NOT NULL, output BIGINT NOT NULL, reasoning BIGINT NOT
    NULL, unpriced_calls BIGINT NOT NULL, incomplete_calls BIGINT NOT NULL, priced_calls BIGINT NOT NULL, "cost"
    DECIMAL(38,12) NOT NULL, loose BOOLEAN NOT NULL);

CREATE TABLE rollup_tasks_recent(tenant VARCHAR, workload VARCHAR, task_id VARCHAR, root_task_id VARCHAR, tier VARCHAR,
    currency VARCHAR, last_currency VARCHAR, first_at TIMESTAMP WITH TIME ZONE, last_at TIMESTAMP WITH TIME ZONE, calls
    BIGINT, attempts BIGINT, input_uncached BIGINT, cache_read BIGINT, cache_write_5m BIGINT, cache_write_1h BIGINT, output
    BIGINT, reasoning BIGINT, unpriced_calls BIGINT, incomplete_calls BIGINT, priced_calls BIGINT, "cost" DECIMAL(38,12),
    loose BOOLEAN);

CREATE TABLE store(schema_version INTEGER NOT NULL, created_at TIMESTAMP WITH TIME ZONE NOT NULL, applied_seq BIGINT NOT
    NULL);

CREATE TABLE task_ends(seq BIGINT NOT NULL, booked_at TIMESTAMP WITH TIME ZONE NOT NULL, identity_hash UBIGINT NOT NULL,
    tenant VARCHAR NOT NULL, workload VARCHAR, task_id VARCHAR NOT NULL, parent_task_id VARCHAR, root_task_id VARCHAR, tier
    VARCHAR, end_user VARCHAR, outcome VARCHAR NOT NULL, started_at TIMESTAMP WITH TIME ZONE NOT NULL, ended_at TIMESTAMP
    WITH TIME ZONE, trace_id VARCHAR NOT NULL, span_id VARCHAR NOT NULL, "scope" VARCHAR NOT NULL, flags VARCHAR);

CREATE VIEW registry AS SELECT tenant, workload, "owner", cost_centre FROM registry_workloads;

INSERT INTO audit BY NAME SELECT 'h2' AS "id", TIMESTAMPTZ '2026-11-24T12:00:00Z' AS "at", 'hour' AS "policy", {'tenant':
    NULL, 'workload': NULL, 'tier': NULL, 'task': NULL, 'owner': NULL, 'model': NULL, 'provider': NULL} AS "scope", 'closed'
    AS "from", 'open' AS "to", 'engine' AS "by", 'over' AS "reason", 1.500000000000 AS "spent", 0.100000000000 AS "held",
    1.750000000000 AS "projected", 1.500000000000 AS "ceiling", 'USD' AS "currency", false AS "shadow", '0' AS "prev_hash",
    'h2' AS "hash";
INSERT INTO audit BY NAME SELECT 'h1' AS "id", TIMESTAMPTZ '2026-11-24T12:00:00Z' AS "at", 'hour' AS "policy", {'tenant':
    'acme', 'workload': 'w', 'tier': 'batch', 'task': 't1', 'owner': NULL, 'model': NULL, 'provider': NULL} AS "scope",
    'closed' AS "from", 'open' AS "to", 'engine' AS "by", 'over' AS "reason", 1.500000000000 AS "spent", 0.100000000000 AS
    "held", 1.750000000000 AS "projected", 1.500000000000 AS "ceiling", 'USD' AS "currency", false AS "shadow", '0' AS
    "prev_hash", 'h1' AS "hash";
INSERT INTO booked BY NAME SELECT 1 AS "seq", 1 AS "call_id", TIMESTAMPTZ '2026-11-24T12:00:00Z' AS "booked_at", 'complete'
    AS "state", 0.000000750000 AS "cost", 'USD' AS "currency", 'genai-prices 0.2.3 + dd9d6164' AS "price_version",
    10909201608240471582 AS "identity_hash", 'acme' AS "tenant", '00000000000000000000000000000001' AS "trace_id",
    '0000000000000001' AS "span_id", TIMESTAMPTZ '2026-11-24T12:00:00Z' AS "started_at", TIMESTAMPTZ '2026-11-24T12:00:01Z'
    AS "ended_at", 'w' AS "workload", 'openai' AS "provider", 'gpt-4o-mini' AS "model", 1 AS "input_uncached", 0 AS
    "cache_read", 0 AS "cache_write_5m", 0 AS "cache_write_1h", 1 AS "output", 0 AS "reasoning", 3 AS "reported", 1 AS
    "attempts", 'otel-genai' AS "dialect", 'x@1' AS "scope", 'llm' AS "kind";
INSERT INTO deleted_workloads BY NAME SELECT 'deleted-1a' AS "tenant", 'workload-2b' AS "workload", 'legal' AS "owner",
    'CC-9' AS "cost_centre";
INSERT INTO plans BY NAME SELECT 'CC-1' AS "cost_centre", DATE '2026-11-01' AS "month", 1200.500000 AS "amount", 'USD' AS
    "currency";
INSERT INTO registry_workloads BY NAME SELECT 'acme' AS "tenant", 'w' AS "workload", 'data' AS "owner", 'CC-1' AS
    "cost_centre";
INSERT INTO registry_workloads BY NAME SELECT 'acme' AS "tenant", 'x' AS "workload", 'CC-2' AS "cost_centre";
INSERT INTO rollup_hours_recent BY NAME SELECT TIMESTAMPTZ '2026-11-24T12:00:00Z' AS "hour", 'acme' AS "tenant", 'w' AS
    "workload", 'openai' AS "provider", 'gpt-4o-mini' AS "model", 'complete' AS "state", 'USD' AS "currency", 'llm' AS
    "kind", 1 AS "calls", 1 AS "attempts", 1 AS "input_uncached", 0 AS "cache_read", 0 AS "cache_write_5m", 0 AS
    "cache_write_1h", 1 AS "output", 0 AS "reasoning", 1 AS "priced_calls", 0.000000750000 AS "cost";
INSERT INTO rollup_tasks_recent BY NAME SELECT 'acme' AS "tenant", 'w' AS "workload", 'USD' AS "currency", 'USD' AS
    "last_currency", TIMESTAMPTZ '2026-11-24T12:00:00Z' AS "first_at", TIMESTAMPTZ '2026-11-24T12:00:00Z' AS "last_at", 1 AS
    "calls", 1 AS "attempts", 1 AS "input_uncached", 0 AS "cache_read", 0 AS "cache_write_5m", 0 AS "cache_write_1h", 1 AS
    "output", 0 AS "reasoning", 0 AS "unpriced_calls", 0 AS "incomplete_calls", 1 AS "priced_calls", 0.000000750000 AS
    "cost", false AS "loose";
INSERT INTO store BY NAME SELECT 4 AS "schema_version", TIMESTAMPTZ '2026-11-28T18:36:18Z' AS "created_at", 1 AS
    "applied_seq";
