-- The lines of the statements that count, of the days of the periods that are exported.
SELECT d.invoice, i.imported_at, d.provider, d.day, d.model, d.kind, d.amount, d.currency
FROM ({effective}) AS d JOIN invoices AS i ON i.id = d.invoice WHERE d.amount IS NOT NULL
ORDER BY ALL
