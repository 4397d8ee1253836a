-- What the calls that began before $before cost, as far as it is known, by currency.
SELECT coalesce(currency, '') AS currency, sum(cost)::DECIMAL(38, 12) FROM booked
WHERE started_at < $before AND cost IS NOT NULL AND kind <> 'served' GROUP BY ALL ORDER BY ALL
