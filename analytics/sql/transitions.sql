-- What breakers did from $start to before $stop, newest first; lines of one instant in an order that stays.
SELECT id, "at", policy, scope.tenant AS tenant, scope.workload AS workload, scope."owner" AS "owner",
    scope.tier AS tier, scope.model AS model, scope.provider AS provider, scope.task AS task,
    "from", "to", "by", reason, spent, held, projected, ceiling, currency, shadow
FROM transitions
WHERE "at" >= $start AND "at" < $stop
ORDER BY "at" DESC, id DESC
LIMIT $top
