-- Clients, what they were granted, and the keys that sign. Times are Unix seconds; secrets are SHA-256, but for
-- the private keys, which are needed themselves.

CREATE TABLE clients (
    id TEXT PRIMARY KEY,
    -- As the client claims.
    name TEXT,
    -- JSON array, byte for byte as registered.
    redirect_uris TEXT NOT NULL,
    auth_method TEXT NOT NULL CHECK (auth_method IN ('none', 'client_secret_basic', 'client_secret_post')),
    secret BLOB,
    -- SHA-256 of the registration of a public client: the same registration is the same client.
    digest BLOB UNIQUE,
    created_at BIGINT NOT NULL,
    -- Last registration or grant.
    seen_at BIGINT NOT NULL,
    -- First grant.
    used_at BIGINT,
    CHECK ((auth_method = 'none') = (secret IS NULL))
);
CREATE INDEX clients_seen_at ON clients (seen_at);

CREATE TABLE codes (
    -- SHA-256 of the code.
    id BLOB PRIMARY KEY,
    client_id TEXT NOT NULL,
    redirect_uri TEXT NOT NULL,
    -- 1: the authorization request carried it, so the token request must, too.
    redirect_uri_sent INTEGER NOT NULL CHECK (redirect_uri_sent IN (0, 1)),
    -- S256.
    code_challenge TEXT NOT NULL,
    -- JSON array.
    resources TEXT NOT NULL,
    scope TEXT NOT NULL,
    sub TEXT NOT NULL,
    email TEXT NOT NULL,
    -- JSON array.
    user_groups TEXT NOT NULL,
    auth_time BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT
);
CREATE INDEX codes_expires_at ON codes (expires_at);

-- What a code became: the family of all refresh tokens that descend from it.
CREATE TABLE grants (
    id TEXT PRIMARY KEY,
    code BLOB NOT NULL UNIQUE,
    client_id TEXT NOT NULL,
    resources TEXT NOT NULL,
    scope TEXT NOT NULL,
    sub TEXT NOT NULL,
    email TEXT NOT NULL,
    user_groups TEXT NOT NULL,
    auth_time BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at BIGINT,
    -- replayed: its code came again; reused: a refresh token came again after the grace.
    ended_because TEXT CHECK (ended_because IN ('replayed', 'reused'))
);
CREATE INDEX grants_client_id ON grants (client_id);
CREATE INDEX grants_sub ON grants (sub);
CREATE INDEX grants_expires_at ON grants (expires_at);

CREATE TABLE refresh_tokens (
    -- SHA-256 of the token.
    id BLOB PRIMARY KEY,
    grant_id TEXT NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    expires_at BIGINT NOT NULL,
    -- First use; milliseconds, since the grace counts from here.
    used_at_ms BIGINT,
    uses INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX refresh_tokens_grant_id ON refresh_tokens (grant_id);
CREATE INDEX refresh_tokens_expires_at ON refresh_tokens (expires_at);

CREATE TABLE signing_keys (
    -- RFC 7638 thumbprint.
    kid TEXT PRIMARY KEY,
    algorithm TEXT NOT NULL CHECK (algorithm IN ('EdDSA', 'ES256')),
    -- The secret scalar or seed, 32 bytes.
    private_key BLOB NOT NULL,
    -- next: published, signs later; current: signs; retired: published until the last token expires.
    state TEXT NOT NULL CHECK (state IN ('next', 'current', 'retired')),
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX signing_keys_current ON signing_keys (algorithm) WHERE state = 'current';
