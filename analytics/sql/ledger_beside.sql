-- Whether anything is told of the time from $start to before $stop beside its calls: sums of deleted ones, or rerates.
SELECT EXISTS (FROM rollup_hours WHERE NOT details AND "hour" >= $start AND "hour" < $stop)
       OR EXISTS (FROM rerates WHERE begins < $stop AND ends > $start)
