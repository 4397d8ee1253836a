-- What changes with the calls that began from $start to before $stop: one that is booked or changed gets the highest
-- number so far, and one that goes is one less.
SELECT count(*), max(seq) FROM calls WHERE started_at >= $start AND started_at < $stop
