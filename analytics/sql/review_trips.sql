-- Every time a breaker opened in the range; one in shadow stopped nobody. Needless: somebody closed it by hand within the
-- hour.
SELECT t.*, EXISTS (
    SELECT 1 FROM transitions AS after
    WHERE after.policy = t.policy AND after.scope IS NOT DISTINCT FROM t.scope AND after."by" <> 'engine'
      AND after."to" IN ('closed', 'disabled') AND after."at" > t."at" AND after."at" <= t."at" + INTERVAL 1 HOUR
) AS needless
FROM transitions AS t
WHERE t."to" IN ('open', 'forced_open') AND NOT t.shadow AND t."at" >= $start AND t."at" < $stop
ORDER BY t."at"
