-- Every time a breaker opened in the range, by the engine or by hand; one in shadow stopped nobody.
SELECT * FROM transitions WHERE "to" IN ('open', 'forced_open') AND NOT shadow AND "at" >= $start AND "at" < $stop ORDER BY "at"
