-- People who log in at a provider of identities. Times are Unix seconds.

CREATE TABLE accounts (
    -- Subject.
    id TEXT PRIMARY KEY,
    -- Name of the provider in attache.yaml, as it was at the last login.
    provider TEXT NOT NULL,
    issuer TEXT NOT NULL,
    -- Subject at the issuer.
    subject TEXT NOT NULL,
    -- As the provider verified it, in lower case: a label, which several may have.
    email TEXT,
    -- What they are called.
    name TEXT,
    -- JSON array.
    user_groups TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    -- Last login.
    seen_at BIGINT NOT NULL,
    disabled_at BIGINT,
    -- Grows when all that was granted must end.
    epoch BIGINT NOT NULL DEFAULT 0,
    UNIQUE (issuer, subject)
);

-- SHA-256 of the state with which the browser was last sent to a provider; gone when it came back.
ALTER TABLE interactions ADD COLUMN trip BLOB;
