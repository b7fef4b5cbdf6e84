-- Tokens that the operator made for a user: for programs that cannot log in. Who the user is now is asked when the
-- token is.

CREATE TABLE personal_access_tokens (
    id TEXT PRIMARY KEY,
    -- SHA-256 of the token.
    digest BLOB NOT NULL UNIQUE,
    name TEXT,
    sub TEXT NOT NULL,
    -- The user's address when it was made.
    email TEXT NOT NULL,
    -- JSON array.
    resources TEXT NOT NULL,
    scope TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT,
    -- To the hour.
    used_at BIGINT
);
CREATE INDEX personal_access_tokens_sub ON personal_access_tokens (sub);
CREATE INDEX personal_access_tokens_expires_at ON personal_access_tokens (expires_at);
