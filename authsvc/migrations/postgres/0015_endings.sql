-- Of which grants that are over the provider is still to be told.
CREATE INDEX grants_to_tell ON grants (ended_at) WHERE ended_at IS NOT NULL AND provider_tokens IS NOT NULL;

-- Access tokens of the provider that clients have: each of them ends with its grant, not the newest alone.
CREATE TABLE provider_access (
    -- SHA-256 of the token.
    digest BYTEA NOT NULL,
    grant_id TEXT NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    expires_at BIGINT NOT NULL,
    -- Some providers give the same one again.
    PRIMARY KEY (digest, grant_id)
);
CREATE INDEX provider_access_grant_id ON provider_access (grant_id);
CREATE INDEX provider_access_expires_at ON provider_access (expires_at);
INSERT INTO provider_access (digest, grant_id, expires_at)
    SELECT provider_access, id, expires_at FROM grants WHERE provider_access IS NOT NULL;
DROP INDEX grants_provider_access;
ALTER TABLE grants DROP COLUMN provider_access;
