-- The rollups: sums of `booked` by hour and by task. A batch appends what it changes to `..._recent`, what it takes back
-- with a minus; now and then that is folded into `..._base`, which has one row for each key.

CREATE TABLE IF NOT EXISTS rollup_hours_base (
    "hour"          TIMESTAMPTZ NOT NULL,     -- of started_at, in UTC
    tenant          VARCHAR     NOT NULL,
    workload        VARCHAR,
    tier            VARCHAR,
    provider        VARCHAR,
    model           VARCHAR,
    state           VARCHAR     NOT NULL,
    currency        VARCHAR,
    kind            VARCHAR     NOT NULL,
    calls           BIGINT      NOT NULL,
    attempts        BIGINT      NOT NULL,
    input_uncached  BIGINT      NOT NULL,     -- the six sums are those of calls with known usage
    cache_read      BIGINT      NOT NULL,
    cache_write_5m  BIGINT      NOT NULL,
    cache_write_1h  BIGINT      NOT NULL,
    output          BIGINT      NOT NULL,
    reasoning       BIGINT      NOT NULL,
    priced_calls    BIGINT      NOT NULL,     -- the calls with a known cost
    cost            DECIMAL(38, 12) NOT NULL, -- theirs
    details         BOOLEAN     NOT NULL,     -- whether its calls are in `booked`: false once they were deleted
    cache           VARCHAR,                  -- what a cache of answers made of them; NULL: none was asked
    saved_calls     BIGINT      NOT NULL DEFAULT 0,  -- of kind served: those of which it is known what they would have cost
    saved           DECIMAL(38, 12) NOT NULL DEFAULT 0  -- and that
);

CREATE TABLE IF NOT EXISTS rollup_hours_recent AS
SELECT * EXCLUDE (details) FROM rollup_hours_base LIMIT 0;

CREATE TABLE IF NOT EXISTS rollup_tasks_base (
    tenant          VARCHAR     NOT NULL,
    workload        VARCHAR,
    task_id         VARCHAR,                  -- NULL: all calls of the workload without a task
    root_task_id    VARCHAR,                  -- the first by name, should they differ; so with tier
    tier            VARCHAR,
    currency        VARCHAR,                  -- the first by name, and
    last_currency   VARCHAR,                  -- the last: the same but for a task that was paid in several
    first_at        TIMESTAMPTZ NOT NULL,     -- of started_at
    last_at         TIMESTAMPTZ NOT NULL,
    calls           BIGINT      NOT NULL,
    attempts        BIGINT      NOT NULL,
    input_uncached  BIGINT      NOT NULL,
    cache_read      BIGINT      NOT NULL,
    cache_write_5m  BIGINT      NOT NULL,
    cache_write_1h  BIGINT      NOT NULL,
    output          BIGINT      NOT NULL,
    reasoning       BIGINT      NOT NULL,
    unpriced_calls  BIGINT      NOT NULL,     -- calls in this state
    incomplete_calls BIGINT      NOT NULL,
    priced_calls    BIGINT      NOT NULL,
    cost            DECIMAL(38, 12) NOT NULL,
    loose           BOOLEAN     NOT NULL      -- a call was taken back: what is no sum is seen to at the next fold
);

CREATE TABLE IF NOT EXISTS rollup_tasks_recent AS FROM rollup_tasks_base LIMIT 0;
