-- Whether a rerate has had calls of this time before it.
SELECT count(*) > 0 FROM rerates WHERE begins < $stop AND ends > $start
