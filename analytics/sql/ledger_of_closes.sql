-- The periods in which what was used on their own days is charged, which only their close does; each with its first entry.
SELECT period, min(seq) FROM ledger_entries
WHERE kind IN ('usage', 'rerate', 'charge', 'shared') AND strftime(day, '%Y-%m') = period
GROUP BY period ORDER BY period
