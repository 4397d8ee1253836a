-- The facts. `booked` holds one row for each call, `members` every span of a call that several spans told of.
-- No keys: a primary key costs 2 to 10 times the insert; the one writer finds duplicates by 64-bit hashes and
-- then compares exactly.

CREATE TABLE IF NOT EXISTS store (
    schema_version INTEGER     NOT NULL,
    created_at     TIMESTAMPTZ NOT NULL,
    applied_seq    BIGINT      NOT NULL        -- the last of the journal's facts that is booked here
);

CREATE TABLE IF NOT EXISTS booked (
    seq              BIGINT        NOT NULL,  -- the journal's number of the fact that changed it last: its place in the feed
    call_id          BIGINT        NOT NULL,  -- the number of the fact under whose identity it is booked
    booked_at        TIMESTAMPTZ   NOT NULL,  -- when the fact that changed it last was taken in
    state            VARCHAR       NOT NULL,  -- complete, incomplete, unpriced, settled_only
    cost             DECIMAL(18, 12),         -- NULL: not known; 0 for an answer that a cache served
    currency         VARCHAR,
    price_version    VARCHAR,
    list_cost        DECIMAL(18, 12),         -- NULL: no contract priced it, the cost is by list price
    contract         VARCHAR,                 -- the version of that contract
    identity_hash    UBIGINT       NOT NULL,  -- of (trace, span)
    parent_hash      UBIGINT,                 -- of (trace, parent span)
    response_hash    UBIGINT,                 -- of the response id
    lease_hash       UBIGINT,                 -- of the hold
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
    end_user         VARCHAR,                 -- for whom of the tenant's users it ran, where the agent says so
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
    apart            VARCHAR,                 -- what is billed apart (switchgear.usage.APART): name=count, comma-separated
    reported         SMALLINT      NOT NULL,  -- which counts a span named (call.Reported)
    attempts         INTEGER       NOT NULL,
    dialect          VARCHAR       NOT NULL,
    scope            VARCHAR       NOT NULL,
    lease_id         VARCHAR,
    kind             VARCHAR       NOT NULL,  -- llm; cost: something else, which costs what its span states; served: no call
    flags            VARCHAR,                 -- what is odd about it (call.Flag), comma-separated
    stated_amount    DECIMAL(18, 12),
    stated_currency  VARCHAR,
    sku              VARCHAR,
    service_tier     VARCHAR,                 -- batch, flex, priority; NULL: the standard one
    marks            SMALLINT,                -- what other spans have shown about it (call.Marks); NULL: nothing
    cache            VARCHAR,                 -- what a cache of answers made of it; NULL: none was asked
    saved            DECIMAL(18, 12)          -- of kind served: what it would have cost; NULL: not known
);

CREATE TABLE IF NOT EXISTS members AS         -- `fact` is the number of the span's own fact
SELECT seq AS fact, * EXCLUDE (seq, booked_at, state, cost, currency, price_version, list_cost, contract, saved) FROM booked LIMIT 0;

-- A call that was booked and then turned out to be another one: its money is in `into_key` now.
CREATE TABLE IF NOT EXISTS retractions (
    seq         BIGINT      NOT NULL,
    call_id     BIGINT      NOT NULL,
    tenant      VARCHAR     NOT NULL,
    trace_id    VARCHAR     NOT NULL,
    span_id     VARCHAR     NOT NULL,
    into_key    VARCHAR     NOT NULL,
    booked_at   TIMESTAMPTZ NOT NULL,
    started_at  TIMESTAMPTZ NOT NULL
);

-- A span that was sent again with other content: the first is kept, and what the other said stands here.
CREATE TABLE IF NOT EXISTS conflicts (
    seq              BIGINT      NOT NULL,
    "at"             TIMESTAMPTZ NOT NULL,    -- when the other was taken in
    tenant           VARCHAR     NOT NULL,
    trace_id         VARCHAR     NOT NULL,
    span_id          VARCHAR     NOT NULL,
    kept_model       VARCHAR,
    kept_input       BIGINT,
    kept_output      BIGINT,
    refused_model    VARCHAR,
    refused_input    BIGINT,
    refused_output   BIGINT
);

-- Calls whose time cannot be right: not billed until they are sent again as history.
CREATE TABLE IF NOT EXISTS quarantine AS
SELECT seq, booked_at, ''::VARCHAR AS reason, * EXCLUDE (seq, booked_at, call_id), ''::VARCHAR AS outcome FROM booked LIMIT 0;

-- How tasks ended, one row a span that tells it: no calls, and in no sum of them. Of a task that ended several times, since
-- it went on elsewhere, the last end counts.
CREATE TABLE IF NOT EXISTS task_ends (
    seq            BIGINT      NOT NULL,
    booked_at      TIMESTAMPTZ NOT NULL,
    identity_hash  UBIGINT     NOT NULL,      -- as in `booked`
    tenant         VARCHAR     NOT NULL,
    workload       VARCHAR,
    task_id        VARCHAR     NOT NULL,
    parent_task_id VARCHAR,
    root_task_id   VARCHAR,
    tier           VARCHAR,
    end_user       VARCHAR,
    outcome        VARCHAR     NOT NULL,      -- succeeded, failed, stopped, abandoned
    started_at     TIMESTAMPTZ NOT NULL,
    ended_at       TIMESTAMPTZ,               -- NULL: the clock went backwards
    trace_id       VARCHAR     NOT NULL,
    span_id        VARCHAR     NOT NULL,
    scope          VARCHAR     NOT NULL,
    flags          VARCHAR
);

-- Why a span that some dialect knows was not billed, one row a span; and how many there were, of all.
CREATE TABLE IF NOT EXISTS not_billed (
    "at"     TIMESTAMPTZ NOT NULL,
    tenant   VARCHAR,
    trace_id VARCHAR     NOT NULL,
    span_id  VARCHAR     NOT NULL,
    dialect  VARCHAR,
    code     VARCHAR     NOT NULL,
    reason   VARCHAR     NOT NULL
);
CREATE TABLE IF NOT EXISTS not_billed_counts (
    "hour"  TIMESTAMPTZ NOT NULL,
    tenant  VARCHAR,
    dialect VARCHAR,
    code    VARCHAR     NOT NULL,
    spans   BIGINT      NOT NULL
);

-- What rerates make of calls, which stay as they are in `booked`: one row for each call and currency. Where the details of
-- the calls are gone, their sums by hour stay: without call_id, trace_id and span_id.
CREATE TABLE IF NOT EXISTS adjusted (
    seq               BIGINT  NOT NULL,       -- the journal's number of the row; of a sum the last one
    rerate            VARCHAR NOT NULL,       -- it counts only once this stands in `rerates`
    call_id           BIGINT,                 -- of `booked`,
    call_seq          BIGINT,                 -- and which state of the call was looked at
    booked_cost       DECIMAL(18, 12),        -- what that had
    booked_currency   VARCHAR,
    tenant            VARCHAR     NOT NULL,
    workload          VARCHAR,
    tier              VARCHAR,
    provider          VARCHAR,
    model             VARCHAR,
    trace_id          VARCHAR,
    span_id           VARCHAR,
    started_at        TIMESTAMPTZ NOT NULL,   -- of a sum the hour
    calls             BIGINT      NOT NULL,
    currency          VARCHAR     NOT NULL,   -- a call whose currency changes has two rows
    old_cost          DECIMAL(38, 12),        -- with what earlier rerates made of it; NULL: there was none in this currency
    new_cost          DECIMAL(38, 12),        -- NULL: it costs something in another currency now
    delta             DECIMAL(38, 12) NOT NULL,
    old_price_version VARCHAR,
    new_price_version VARCHAR,
    old_contract      VARCHAR,
    new_contract      VARCHAR
);
CREATE TABLE IF NOT EXISTS rerates (
    id            VARCHAR     NOT NULL,
    "at"          TIMESTAMPTZ NOT NULL,
    "by"          VARCHAR     NOT NULL,       -- the id of a key
    reason        VARCHAR     NOT NULL,
    begins        TIMESTAMPTZ NOT NULL,       -- of the calls that began at or after it, and
    ends          TIMESTAMPTZ NOT NULL,       -- before it
    price_version VARCHAR     NOT NULL,
    rows          BIGINT      NOT NULL
);

-- Who answers for a workload and who pays, as it was said: analytics/registry writes these. A day is one of the zone.
CREATE TABLE IF NOT EXISTS registry_workloads (
    source      VARCHAR NOT NULL,             -- who says it: policies (the policy file), imported (finance)
    tenant      VARCHAR NOT NULL,
    workload    VARCHAR NOT NULL,
    owner       VARCHAR,
    cost_centre VARCHAR,
    starts_on   DATE,                         -- the first day; NULL: from the beginning of time
    ends_on     DATE                          -- the first day on which it holds no more; NULL: it goes on
);
CREATE TABLE IF NOT EXISTS registry_plans (
    source VARCHAR NOT NULL, cost_centre VARCHAR NOT NULL, month DATE NOT NULL, amount DECIMAL(18, 6) NOT NULL,
    currency VARCHAR NOT NULL
);
CREATE TABLE IF NOT EXISTS registry_revenue (
    tenant VARCHAR NOT NULL, month DATE NOT NULL, amount DECIMAL(18, 6) NOT NULL, currency VARCHAR NOT NULL
);
CREATE TABLE IF NOT EXISTS registry_zone (zone VARCHAR NOT NULL);  -- one row, once somebody named one; else it is UTC

-- What comes of the lines: of each workload all of time, piece after piece, those without an owner too. The instants are whole
-- hours, so that a call and its hour have one owner.
CREATE TABLE IF NOT EXISTS ownership (
    tenant      VARCHAR NOT NULL,
    workload    VARCHAR NOT NULL,
    owner       VARCHAR,
    cost_centre VARCHAR,
    starts_on   DATE,
    ends_on     DATE,
    begins      TIMESTAMPTZ,                  -- NULL: of the first piece
    ends        TIMESTAMPTZ,                  -- NULL: of the last
    source      VARCHAR                       -- NULL: no line speaks of this time
);
CREATE TABLE IF NOT EXISTS cost_centres (
    cost_centre VARCHAR NOT NULL,
    approver    VARCHAR,
    starts_on   DATE,
    ends_on     DATE,
    begins      TIMESTAMPTZ,
    ends        TIMESTAMPTZ
);

CREATE TABLE IF NOT EXISTS audit (
    id         VARCHAR     NOT NULL,
    "at"       TIMESTAMPTZ NOT NULL,
    policy     VARCHAR     NOT NULL,
    scope      STRUCT(
        tenant VARCHAR, workload VARCHAR, tier VARCHAR, task VARCHAR, owner VARCHAR, model VARCHAR, provider VARCHAR
    ),
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
