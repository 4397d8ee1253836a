-- Version 2: facts are numbered by the journal, and their hashes leave the tenant out, so that a span without one finds
-- its twin with one. `hashed` is a function that the store lends for this.

ALTER TABLE store ADD COLUMN applied_seq BIGINT;
UPDATE store SET applied_seq = greatest(
    (SELECT coalesce(max(seq), 0) FROM booked), (SELECT coalesce(max(seq), 0) FROM retractions)
);

ALTER TABLE booked ADD COLUMN lease_hash UBIGINT;
ALTER TABLE booked ADD COLUMN marks SMALLINT;
ALTER TABLE booked ADD COLUMN kind VARCHAR;
ALTER TABLE booked ADD COLUMN flags VARCHAR;
ALTER TABLE booked ADD COLUMN stated_amount DECIMAL(18, 12);
ALTER TABLE booked ADD COLUMN stated_currency VARCHAR;
ALTER TABLE booked ADD COLUMN sku VARCHAR;
UPDATE booked SET
    kind = 'llm',
    identity_hash = hashed(concat(trace_id, chr(0), span_id)),
    parent_hash = CASE WHEN parent_span_id IS NOT NULL THEN hashed(concat(trace_id, chr(0), parent_span_id)) END,
    response_hash = CASE WHEN response_id IS NOT NULL THEN hashed(concat('r', chr(0), response_id)) END,
    lease_hash = CASE WHEN lease_id IS NOT NULL THEN hashed(concat('l', chr(0), lease_id)) END;

ALTER TABLE members ADD COLUMN lease_hash UBIGINT;
ALTER TABLE members ADD COLUMN marks SMALLINT;
ALTER TABLE members ADD COLUMN fact BIGINT;
ALTER TABLE members ADD COLUMN kind VARCHAR;
ALTER TABLE members ADD COLUMN flags VARCHAR;
ALTER TABLE members ADD COLUMN stated_amount DECIMAL(18, 12);
ALTER TABLE members ADD COLUMN stated_currency VARCHAR;
ALTER TABLE members ADD COLUMN sku VARCHAR;
UPDATE members SET
    kind = 'llm',
    identity_hash = hashed(concat(trace_id, chr(0), span_id)),
    parent_hash = CASE WHEN parent_span_id IS NOT NULL THEN hashed(concat(trace_id, chr(0), parent_span_id)) END,
    response_hash = CASE WHEN response_id IS NOT NULL THEN hashed(concat('r', chr(0), response_id)) END,
    lease_hash = CASE WHEN lease_id IS NOT NULL THEN hashed(concat('l', chr(0), lease_id)) END;

-- A call has the number of the span whose identity it has; its other spans get numbers that no fact has had.
UPDATE members SET fact = booked.call_id FROM booked
WHERE members.call_id = booked.call_id AND members.identity_hash = booked.identity_hash;
UPDATE members SET fact = store.applied_seq + numbered.place
FROM store, (SELECT rowid AS place_in_file, row_number() OVER () AS place FROM members WHERE fact IS NULL) AS numbered
WHERE members.rowid = numbered.place_in_file;
UPDATE store SET applied_seq = greatest(applied_seq, (SELECT coalesce(max(fact), 0) FROM members));
