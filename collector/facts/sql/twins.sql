-- The calls that hold a span of the batch, its parent, its child, its hold, or its twin by response id, among those with
-- an id from $low to $high: rows stand nearly in the order of their ids, so that only their part of the table is read.
-- Twins by response id overlap in time: a server that gives one id for ever must not bring its whole history here.
WITH spans AS (
    SELECT call_id, identity_hash, parent_hash, response_hash, lease_hash, started_at,
           coalesce(ended_at, started_at) AS ended_at
    FROM booked WHERE call_id BETWEEN $low AND $high
    UNION ALL BY NAME
    SELECT call_id, identity_hash, parent_hash, response_hash, lease_hash, started_at,
           coalesce(ended_at, started_at) AS ended_at
    FROM members WHERE call_id BETWEEN $low AND $high
)
SELECT call_id FROM spans WHERE identity_hash IN (SELECT hash FROM probe_identity)
UNION
SELECT call_id FROM spans WHERE parent_hash IN (SELECT hash FROM probe_child)
UNION
SELECT call_id FROM spans WHERE lease_hash IN (SELECT hash FROM probe_lease)
UNION
SELECT call_id FROM spans JOIN probe_response AS probe ON spans.response_hash = probe.hash
WHERE spans.started_at <= probe.ended_at + INTERVAL 10 SECONDS
  AND spans.ended_at + INTERVAL 10 SECONDS >= probe.started_at
