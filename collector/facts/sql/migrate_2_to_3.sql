-- Version 3: what a contract made of the list price, what else is priced apart, for which user a call ran, and how tasks end.

ALTER TABLE booked ADD COLUMN list_cost DECIMAL(18, 12);
ALTER TABLE booked ADD COLUMN contract VARCHAR;
ALTER TABLE booked ADD COLUMN apart VARCHAR;
ALTER TABLE booked ADD COLUMN service_tier VARCHAR;
ALTER TABLE booked ADD COLUMN end_user VARCHAR;

ALTER TABLE members ADD COLUMN apart VARCHAR;
ALTER TABLE members ADD COLUMN service_tier VARCHAR;
ALTER TABLE members ADD COLUMN end_user VARCHAR;

-- What version 1 has left has no quarantine yet.
ALTER TABLE IF EXISTS quarantine ADD COLUMN list_cost DECIMAL(18, 12);
ALTER TABLE IF EXISTS quarantine ADD COLUMN contract VARCHAR;
ALTER TABLE IF EXISTS quarantine ADD COLUMN apart VARCHAR;
ALTER TABLE IF EXISTS quarantine ADD COLUMN service_tier VARCHAR;
ALTER TABLE IF EXISTS quarantine ADD COLUMN end_user VARCHAR;
ALTER TABLE IF EXISTS quarantine ADD COLUMN outcome VARCHAR;
