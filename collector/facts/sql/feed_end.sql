-- With which number a page of $limit entries after $after ends. It is found among the numbers alone: to put whole rows of a
-- million calls in order takes a hundred times as long.
SELECT max(seq)
FROM (
    SELECT seq
    FROM (
        SELECT seq FROM booked WHERE seq > $after AND kind <> 'served'
        UNION ALL
        SELECT seq FROM retractions WHERE seq > $after
    )
    ORDER BY seq LIMIT $limit
)
