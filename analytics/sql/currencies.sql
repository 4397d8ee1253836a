-- The currencies in which the calls of a range were paid.
SELECT DISTINCT currency FROM ({facts}) WHERE currency IS NOT NULL ORDER BY currency
