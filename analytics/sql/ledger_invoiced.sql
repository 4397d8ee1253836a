-- The lines of invoices that count, of the days from $first to $last. Of one provider and account the statement that was
-- given last counts for the days that it is of: in place of those of its shape, and what it bills in place of what any
-- other bills. Priority Tier is billed apart, so that its bill takes the place of another such bill alone.
WITH newer AS (
    SELECT i.id, i.provider, i.account, i.source, i.imported_at, i.first_day, i.last_day,
           bool_or(d.amount IS NOT NULL AND d.service_tier IS NOT DISTINCT FROM 'priority') AS bills_priority,
           bool_or(d.amount IS NOT NULL AND d.service_tier IS DISTINCT FROM 'priority') AS bills_rest
    FROM invoices AS i JOIN invoice_lines AS d ON d.invoice = i.id
    GROUP BY ALL
)
SELECT d.* FROM invoice_lines AS d JOIN invoices AS i ON i.id = d.invoice
WHERE d.day BETWEEN $first AND $last AND NOT EXISTS (
    FROM newer
    WHERE newer.provider = i.provider AND newer.account IS NOT DISTINCT FROM i.account
      AND newer.imported_at > i.imported_at AND d.day BETWEEN newer.first_day AND newer.last_day
      AND (newer.source = i.source OR (d.amount IS NOT NULL AND CASE
          WHEN d.service_tier IS NOT DISTINCT FROM 'priority' THEN newer.bills_priority ELSE newer.bills_rest END))
)
