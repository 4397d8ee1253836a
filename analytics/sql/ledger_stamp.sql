-- What changes with the lines of many days: who owns what, which calls were deleted, whose sums have another name by now,
-- and what was re-rated.
SELECT (SELECT (count(*), bit_xor(hash(owners))) FROM owners),
       (SELECT (count(*), sum(calls), sum(cost)) FROM rollup_hours WHERE NOT details),
       (SELECT count(*) FROM deletions WHERE tenant IS NOT NULL),
       (SELECT (count(*), max("at")) FROM rerates)
