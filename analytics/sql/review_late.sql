-- What was booked since $since for days before $before: entries by hand and corrections, and calls that came late.
SELECT day, kind, tenant, workload, currency, sum(amount)::DECIMAL(38, 12) AS amount,
       coalesce(any_value(reason), 'corrects ' || strftime(day, '%Y-%m') || ', which is closed') AS why
FROM ledger_entries
WHERE posted_at >= $since AND (strftime(day, '%Y-%m') <> period OR kind IN ('credit', 'adjustment', 'accrual', 'true_up'))
GROUP BY day, kind, tenant, workload, currency
UNION ALL
SELECT (started_at AT TIME ZONE $zone)::DATE AS day, 'late' AS kind, tenant, workload, currency,
       sum(cost)::DECIMAL(38, 12) AS amount, count(*)::VARCHAR || ' calls came late' AS why
FROM calls
WHERE booked_at >= $since AND started_at < $before AND cost IS NOT NULL
GROUP BY day, tenant, workload, currency
ORDER BY day, kind, tenant, workload
LIMIT 200
