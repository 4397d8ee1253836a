-- The calls that hold a span of the batch, its twin by response id, its parent or its child.
SELECT call_id FROM booked SEMI JOIN probe_identity AS p ON booked.identity_hash = p.hash
UNION SELECT call_id FROM booked SEMI JOIN probe_response AS p ON booked.response_hash = p.hash
UNION SELECT call_id FROM booked SEMI JOIN probe_child AS p ON booked.parent_hash = p.hash
UNION SELECT call_id FROM members SEMI JOIN probe_identity AS p ON members.identity_hash = p.hash
UNION SELECT call_id FROM members SEMI JOIN probe_response AS p ON members.response_hash = p.hash
UNION SELECT call_id FROM members SEMI JOIN probe_child AS p ON members.parent_hash = p.hash
