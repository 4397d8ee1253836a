-- What is posted, as lines: what `condition` says of the entries' periods, days and kinds.
SELECT {columns} FROM ledger WHERE {condition}
