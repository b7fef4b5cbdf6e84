-- Who changed what: each row is written with the change that it tells of. No secrets, and nothing that opens anything.

CREATE TABLE audit (
    -- Grows; what came later has a higher one.
    id BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    -- Unix seconds.
    happened_at BIGINT NOT NULL,
    -- Who, by kind: authsvc is what nobody asked for, nobody is whoever did not show who they are.
    author TEXT NOT NULL CHECK (author IN ('operator', 'user', 'client', 'authsvc', 'nobody')),
    -- Subject, client, or account at the system.
    author_id TEXT,
    author_name TEXT,
    action TEXT NOT NULL,
    -- Identity of what was changed.
    target TEXT,
    target_name TEXT,
    -- JSON object.
    details TEXT NOT NULL,
    address TEXT,
    request_id TEXT
);

CREATE INDEX audit_happened_at ON audit (happened_at);
CREATE INDEX audit_author ON audit (author, id);
