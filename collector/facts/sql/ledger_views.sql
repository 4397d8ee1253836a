-- What is charged back, for queries and reports; made anew at each start, like the other views.
CREATE OR REPLACE VIEW ledger AS FROM ledger_entries;
