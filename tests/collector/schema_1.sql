-- The database as version 1 made it, with two calls in it.

-- The facts. `booked` holds one row for each call, `members` every span of a call that several spans told of.
-- No keys: a primary key costs 2 to 10 times the insert; the one writer finds duplicates by 64-bit hashes and
-- then compares exactly.

CREATE TABLE store (schema_version INTEGER NOT NULL, created_at TIMESTAMPTZ NOT NULL);

CREATE TABLE booked (
    seq              BIGINT        NOT NULL,  -- place in the feed; a row that became richer gets a new one
    call_id          BIGINT        NOT NULL,  -- the seq of its first booking, kept for good
    booked_at        TIMESTAMPTZ   NOT NULL,
    state            VARCHAR       NOT NULL,  -- complete, incomplete, unpriced
    cost             DECIMAL(18, 12),         -- NULL: not known
    currency         VARCHAR,
    price_version    VARCHAR,
    identity_hash    UBIGINT       NOT NULL,  -- of (tenant, trace, span)
    parent_hash      UBIGINT,                 -- of (tenant, trace, parent span)
    response_hash    UBIGINT,                 -- of (tenant, response id)
    tenant           VARCHAR       NOT NULL,
    trace_id         VARCHAR       NOT NULL,
    span_id          VARCHAR       NOT NULL,
    parent_span_id   VARCHAR,
    started_at       TIMESTAMPTZ   NOT NULL,
    ended_at         TIMESTAMPTZ,             -- NULL: the clock went backwards
    workload         VARCHAR,
    task_id          VARCHAR,
    parent_task_id   VARCHAR,
    root_task_id     VARCHAR,
    tier             VARCHAR,
    provider         VARCHAR,
    model            VARCHAR,
    request_model    VARCHAR,
    response_id      VARCHAR,
    input_uncached   BIGINT,                  -- the six counts: NULL where no usage is known
    cache_read       BIGINT,
    cache_write_5m   BIGINT,
    cache_write_1h   BIGINT,
    output           BIGINT,
    reasoning        BIGINT,
    reported         SMALLINT      NOT NULL,  -- which counts a span named (call.Reported)
    attempts         INTEGER       NOT NULL,
    dialect          VARCHAR       NOT NULL,
    scope            VARCHAR       NOT NULL,
    lease_id         VARCHAR
);

CREATE TABLE members AS
SELECT * EXCLUDE (seq, booked_at, state, cost, currency, price_version) FROM booked LIMIT 0;

-- A call that was booked and then turned out to be another one: its money is in `into_key` now.
CREATE TABLE retractions (
    seq         BIGINT      NOT NULL,
    call_id     BIGINT      NOT NULL,
    tenant      VARCHAR     NOT NULL,
    trace_id    VARCHAR     NOT NULL,
    span_id     VARCHAR     NOT NULL,
    into_key    VARCHAR     NOT NULL,
    booked_at   TIMESTAMPTZ NOT NULL,
    started_at  TIMESTAMPTZ NOT NULL
);

CREATE TABLE registry_workloads (
    tenant VARCHAR NOT NULL, workload VARCHAR NOT NULL, owner VARCHAR, cost_centre VARCHAR
);

CREATE TABLE plans (
    cost_centre VARCHAR NOT NULL, month DATE NOT NULL, amount DECIMAL(18, 6) NOT NULL, currency VARCHAR NOT NULL
);

CREATE TABLE audit (
    id         VARCHAR     NOT NULL,
    "at"       TIMESTAMPTZ NOT NULL,
    policy     VARCHAR     NOT NULL,
    scope      STRUCT(tenant VARCHAR, workload VARCHAR, tier VARCHAR, task VARCHAR),
    "from"     VARCHAR     NOT NULL,
    "to"       VARCHAR     NOT NULL,
    "by"       VARCHAR     NOT NULL,
    reason     VARCHAR,
    spent      DECIMAL(38, 12),
    held       DECIMAL(38, 12),
    projected  DECIMAL(38, 12),
    ceiling    DECIMAL(38, 12),
    currency   VARCHAR,
    shadow     BOOLEAN     NOT NULL,           -- decided and recorded, but not acted upon
    prev_hash  VARCHAR,
    hash       VARCHAR
);

-- What queries and reports read. Owner and cost centre are joined here, so that a late change is right at once.
CREATE VIEW calls AS
SELECT b.tenant, b.workload, b.task_id, b.parent_task_id, b.root_task_id, b.tier,
       r.owner, r.cost_centre,
       b.provider, b.model, b.request_model, b.response_id, b.started_at, b.ended_at,
       b.input_uncached, b.cache_read, b.cache_write_5m, b.cache_write_1h, b.output, b.reasoning,
       b.attempts, b.state, b.cost, b.currency, b.price_version,
       b.trace_id, b.span_id, b.dialect, b.scope, b.lease_id, b.seq, b.booked_at
FROM booked AS b
LEFT JOIN registry_workloads AS r ON r.tenant = b.tenant AND r.workload = b.workload;

CREATE VIEW registry AS SELECT tenant, workload, owner, cost_centre FROM registry_workloads;

CREATE VIEW transitions AS SELECT * FROM audit;

INSERT INTO store VALUES (1, TIMESTAMPTZ '2026-11-01 00:00:00+00');
INSERT INTO booked BY NAME SELECT
    11 AS seq, 1 AS call_id, TIMESTAMPTZ '2026-11-24 12:00:00+00' AS booked_at, 'complete' AS state, 0.5 AS cost, 'USD' AS currency,
    'book 1' AS price_version, 1 AS identity_hash, 'acme' AS tenant, '00000000000000000000000000000001' AS trace_id,
    '0000000000000001' AS span_id, TIMESTAMPTZ '2026-11-24 12:00:00+00' AS started_at,
    TIMESTAMPTZ '2026-11-24 12:00:01+00' AS ended_at, 'openai' AS provider, 'gpt-4o-mini' AS model, 7 AS input_uncached, 0 AS cache_read,
    0 AS cache_write_5m, 0 AS cache_write_1h, 1 AS output, 0 AS reasoning, 3 AS reported, 1 AS attempts, 'otel-genai' AS dialect, 'x@1' AS scope;
INSERT INTO booked BY NAME SELECT
    12 AS seq, 2 AS call_id, TIMESTAMPTZ '2026-11-24 12:00:00+00' AS booked_at, 'incomplete' AS state, 2 AS identity_hash, 'acme' AS tenant,
    '00000000000000000000000000000002' AS trace_id, '0000000000000002' AS span_id, TIMESTAMPTZ '2026-11-24 12:00:00+00' AS started_at,
    0 AS reported, 1 AS attempts, 'otel-genai' AS dialect, 'x@1' AS scope;
-- A call that two spans told of.
INSERT INTO booked BY NAME SELECT
    14 AS seq, 3 AS call_id, TIMESTAMPTZ '2026-11-24 12:00:00+00' AS booked_at, 'unpriced' AS state, 3 AS identity_hash, 'acme' AS tenant,
    '00000000000000000000000000000003' AS trace_id, '0000000000000003' AS span_id, TIMESTAMPTZ '2026-11-24 12:00:00+00' AS started_at,
    TIMESTAMPTZ '2026-11-24 12:00:01+00' AS ended_at, 'r' AS response_id, 7 AS input_uncached, 0 AS cache_read, 0 AS cache_write_5m,
    0 AS cache_write_1h, 1 AS output, 0 AS reasoning, 3 AS reported, 1 AS attempts, 'otel-genai' AS dialect, 'x@1' AS scope;
INSERT INTO members BY NAME SELECT * EXCLUDE (seq, booked_at, state, cost, currency, price_version) FROM booked WHERE call_id = 3;
INSERT INTO members BY NAME SELECT * EXCLUDE (seq, booked_at, state, cost, currency, price_version) REPLACE (
    4 AS identity_hash, '00000000000000000000000000000004' AS trace_id, '0000000000000004' AS span_id, 'y@1' AS scope
) FROM booked WHERE call_id = 3;
