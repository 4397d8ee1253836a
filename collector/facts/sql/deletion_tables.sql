-- What was deleted, when, by whom and why; and what remains to be known of tenants whose details were.

CREATE TABLE IF NOT EXISTS deletions (
    "at"     TIMESTAMPTZ NOT NULL,
    "by"     VARCHAR     NOT NULL,             -- the id of a key, or retention
    reason   VARCHAR     NOT NULL,
    what     VARCHAR     NOT NULL,             -- details: calls, their spans and their tasks; else one table
    tenant   VARCHAR,                          -- the pseudonym of the tenant; NULL: of every tenant
    before   TIMESTAMPTZ NOT NULL,             -- what began, or was noted, before it
    rows     MAP(VARCHAR, BIGINT) NOT NULL,    -- how many, by table
    amounts  MAP(VARCHAR, DECIMAL(38, 12)) NOT NULL  -- their known cost by currency: the same in the rollup before and after
);

-- Who answered for a workload of a deleted tenant, and who paid; both under pseudonyms.
CREATE TABLE IF NOT EXISTS deleted_workloads (
    tenant VARCHAR NOT NULL, workload VARCHAR NOT NULL, owner VARCHAR, cost_centre VARCHAR,
    begins TIMESTAMPTZ, ends TIMESTAMPTZ       -- as in `ownership`
);
-- What such a tenant brought in.
CREATE TABLE IF NOT EXISTS deleted_revenue (
    tenant VARCHAR NOT NULL, month DATE NOT NULL, amount DECIMAL(18, 6) NOT NULL, currency VARCHAR NOT NULL
);

-- The key of the hash that makes pseudonyms: one row from the first deletion on.
CREATE TABLE IF NOT EXISTS pseudonym_key (secret BLOB NOT NULL);
