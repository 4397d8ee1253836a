-- What was posted in a period for a day, as lines with the number of the entry.
SELECT period, seq AS entry, {columns} FROM ledger_entries
WHERE period = $period AND day = $day AND {condition} ORDER BY seq
