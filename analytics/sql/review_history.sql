-- What each owner's calls cost by hour, for the forecast; as far as it is known.
SELECT owner, "hour", sum(cost)::DECIMAL(38, 12) AS cost
FROM rollup_hours WHERE "hour" >= $start AND "hour" < $stop AND cost IS NOT NULL AND currency = $currency
GROUP BY ALL
