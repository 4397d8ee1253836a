-- Every time a breaker opened in the range, by the engine or by hand.
SELECT * FROM transitions WHERE "to" IN ('open', 'forced_open') AND "at" >= $start AND "at" < $stop ORDER BY "at"
