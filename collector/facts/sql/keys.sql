-- The key file. Of a secret only its SHA-256 is kept. `changes` tells a reader that there is something new.
CREATE TABLE keyring (schema_version INTEGER NOT NULL, changes INTEGER NOT NULL) STRICT;
INSERT INTO keyring VALUES (1, 0);
CREATE TABLE keys (
    id TEXT PRIMARY KEY,
    digest BLOB NOT NULL,
    name TEXT NOT NULL,
    -- Lists, as JSON.
    tenants TEXT NOT NULL,
    scopes TEXT NOT NULL,
    options TEXT NOT NULL,
    -- Times in UTC, as ISO 8601.
    created_at TEXT NOT NULL,
    expires_at TEXT,
    revoked_at TEXT,
    replaces TEXT REFERENCES keys (id)
) STRICT;
