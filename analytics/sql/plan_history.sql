-- What the calls of each cost centre cost by hour, for the forecast; as far as it is known.
SELECT cost_centre, currency, "hour", sum(cost)::DECIMAL(38, 12) AS cost
FROM rollup_hours WHERE "hour" >= $start AND "hour" < $stop AND cost IS NOT NULL AND currency IS NOT NULL
GROUP BY ALL
