-- The currencies in which the calls of a range were paid.
SELECT currency FROM ({facts}) WHERE currency IS NOT NULL GROUP BY currency HAVING sum(calls) > 0 ORDER BY currency
