-- What is charged back: the ledger, what closes its periods, what providers billed, and what was signed. Rows of
-- `ledger_entries` are only ever appended; analytics/ledger writes and reads all of this.

CREATE TABLE IF NOT EXISTS ledger_entries (
    seq            BIGINT      NOT NULL,      -- 1, 2, 3 ...: its place in the chain
    period         VARCHAR     NOT NULL,      -- "2026-10": the period in which it is booked
    day            DATE        NOT NULL,      -- the day that it is for, in the period's zone; of another period: a correction
    kind           VARCHAR     NOT NULL,      -- line.Kind
    tenant         VARCHAR,
    workload       VARCHAR,
    tier           VARCHAR,
    owner          VARCHAR,
    cost_centre    VARCHAR,
    provider       VARCHAR,
    model          VARCHAR,
    service_tier   VARCHAR,
    state          VARCHAR,                   -- of usage: complete, incomplete, unpriced, settled_only
    price_version  VARCHAR,
    contract       VARCHAR,
    currency       VARCHAR,                   -- NULL: of usage whose cost is not known
    item           VARCHAR,                   -- what it is for, where that is no usage: the term of a contract, an invoice
    rule           VARCHAR,                   -- the allocation rule that moved it
    reference      VARCHAR,                   -- what it belongs to: an invoice, a rerate, an entry
    details        VARCHAR,                   -- of a share: the ratio and what it went by, as JSON
    calls          BIGINT      NOT NULL,
    attempts       BIGINT      NOT NULL,
    input_uncached BIGINT      NOT NULL,
    cache_read     BIGINT      NOT NULL,
    cache_write_5m BIGINT      NOT NULL,
    cache_write_1h BIGINT      NOT NULL,
    output         BIGINT      NOT NULL,      -- with reasoning
    reasoning      BIGINT      NOT NULL,
    amount_input          DECIMAL(38, 12),    -- these six add up to `amount`; NULL with it
    amount_cache_read     DECIMAL(38, 12),
    amount_cache_write_5m DECIMAL(38, 12),
    amount_cache_write_1h DECIMAL(38, 12),
    amount_output         DECIMAL(38, 12),
    amount_other          DECIMAL(38, 12),    -- all that is no tokens: requests, searches, charges, shares, credits
    amount         DECIMAL(38, 12),           -- NULL: not known
    list_amount    DECIMAL(38, 12),           -- at list price
    retry_amount   DECIMAL(38, 12),           -- the part of `amount` that falls to attempts after the first
    cache_savings  DECIMAL(38, 12),           -- what the tokens read from cache would have cost more as input
    reason         VARCHAR,                   -- why somebody booked it by hand
    prepared_by    VARCHAR,
    approved_by    VARCHAR,
    posted_at      TIMESTAMPTZ NOT NULL,
    prev_hash      VARCHAR     NOT NULL,
    hash           VARCHAR     NOT NULL
);

-- The periods that are closed. An open one has no row.
CREATE TABLE IF NOT EXISTS ledger_periods (
    period      VARCHAR     NOT NULL,
    zone        VARCHAR     NOT NULL,
    starts      TIMESTAMPTZ NOT NULL,
    ends        TIMESTAMPTZ NOT NULL,
    closed_at   TIMESTAMPTZ NOT NULL,
    closed_by   VARCHAR     NOT NULL,
    watermark   TIMESTAMPTZ,
    booked_seq  BIGINT      NOT NULL,         -- how far the calls were booked that it counts
    first_seq   BIGINT      NOT NULL,         -- its entries that were appended by the close: from this one
    last_seq    BIGINT      NOT NULL,         -- to this one
    totals      VARCHAR     NOT NULL,         -- by currency, as JSON
    root_hash   VARCHAR     NOT NULL,         -- the hash of the entry `last_seq`
    terms       VARCHAR     NOT NULL,         -- what the close went by, as JSON: accounts, what was accepted and why, ...
    files       VARCHAR     NOT NULL          -- the SHA-256 of each file of the period by its name, as JSON
);

-- Entries by hand that nobody has approved yet, and what became of them.
CREATE TABLE IF NOT EXISTS ledger_drafts (
    id          VARCHAR     NOT NULL,
    prepared_at TIMESTAMPTZ NOT NULL,
    prepared_by VARCHAR     NOT NULL,
    preparer_key VARCHAR    NOT NULL,         -- the id of the key with which it was prepared
    document    VARCHAR     NOT NULL,         -- the entry, as JSON
    decided_at  TIMESTAMPTZ,
    decided_by  VARCHAR,
    note        VARCHAR,                      -- why it was refused
    entry       BIGINT,                       -- the number of the entry that it became
    state       VARCHAR     NOT NULL          -- waiting, approved, refused
);

-- What providers say was spent, as it was imported. Of one provider, account and source a later import counts for its days.
CREATE TABLE IF NOT EXISTS invoices (
    id          VARCHAR     NOT NULL,         -- the SHA-256 of its content, with provider, currency and account
    provider    VARCHAR     NOT NULL,
    account     VARCHAR,
    source      VARCHAR     NOT NULL,         -- which shape it had
    imported_at TIMESTAMPTZ NOT NULL,
    imported_by VARCHAR     NOT NULL,
    first_day   DATE        NOT NULL,
    last_day    DATE        NOT NULL,
    currency    VARCHAR     NOT NULL,         -- "": of usage alone
    total       DECIMAL(38, 12)
);
CREATE TABLE IF NOT EXISTS invoice_lines (
    invoice      VARCHAR NOT NULL,
    provider     VARCHAR NOT NULL,
    day          DATE    NOT NULL,            -- in UTC
    model        VARCHAR,
    project      VARCHAR,
    kind         VARCHAR NOT NULL,
    service_tier VARCHAR,
    quantity     DECIMAL(38, 12),
    amount       DECIMAL(38, 12),
    currency     VARCHAR NOT NULL,
    item         VARCHAR
);

-- The weekly reviews that somebody signed, each as it was then; who signed; and what was to be done.
CREATE TABLE IF NOT EXISTS reviews (
    week      VARCHAR     NOT NULL,
    frozen_at TIMESTAMPTZ NOT NULL,
    document  VARCHAR     NOT NULL,           -- all of it, as JSON: its files are made of nothing else
    hash      VARCHAR     NOT NULL            -- SHA-256 of the document
);
CREATE TABLE IF NOT EXISTS review_signatures (
    week      VARCHAR     NOT NULL,
    owner     VARCHAR     NOT NULL,           -- for whose cost; "" is all of it
    name      VARCHAR     NOT NULL,
    key       VARCHAR     NOT NULL,           -- the id of the key
    signed_at TIMESTAMPTZ NOT NULL,
    hash      VARCHAR     NOT NULL,           -- of the document that was signed
    note      VARCHAR
);
CREATE TABLE IF NOT EXISTS review_actions (
    id       VARCHAR     NOT NULL,
    week     VARCHAR     NOT NULL,            -- in which it was decided
    owner    VARCHAR     NOT NULL,
    text     VARCHAR     NOT NULL,
    due      DATE        NOT NULL,
    saving   DECIMAL(38, 12),                 -- what it is expected to save in a week
    currency VARCHAR,
    state    VARCHAR     NOT NULL,            -- open, done, dropped
    note     VARCHAR,
    changed_at TIMESTAMPTZ NOT NULL,
    changed_by VARCHAR   NOT NULL
);
