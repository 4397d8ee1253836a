-- Version 6: what a cache of answers made of a call, and what the answers that it served would have cost.

ALTER TABLE booked ADD COLUMN cache VARCHAR;
ALTER TABLE booked ADD COLUMN saved DECIMAL(18, 12);
ALTER TABLE members ADD COLUMN cache VARCHAR;

-- What version 1 has left has none of these.
ALTER TABLE IF EXISTS quarantine ADD COLUMN cache VARCHAR;
ALTER TABLE IF EXISTS quarantine ADD COLUMN saved DECIMAL(18, 12);
ALTER TABLE IF EXISTS rollup_hours_base ADD COLUMN cache VARCHAR;
ALTER TABLE IF EXISTS rollup_hours_base ADD COLUMN saved_calls BIGINT DEFAULT 0;
ALTER TABLE IF EXISTS rollup_hours_base ALTER COLUMN saved_calls SET NOT NULL;
ALTER TABLE IF EXISTS rollup_hours_base ADD COLUMN saved DECIMAL(38, 12) DEFAULT 0;
ALTER TABLE IF EXISTS rollup_hours_base ALTER COLUMN saved SET NOT NULL;
ALTER TABLE IF EXISTS rollup_hours_recent ADD COLUMN cache VARCHAR;
ALTER TABLE IF EXISTS rollup_hours_recent ADD COLUMN saved_calls BIGINT DEFAULT 0;
ALTER TABLE IF EXISTS rollup_hours_recent ADD COLUMN saved DECIMAL(38, 12) DEFAULT 0;
