-- In which periods something was posted, and for which days: what `condition` says of both.
SELECT DISTINCT period, day FROM ledger_entries WHERE {condition} ORDER BY ALL
