-- Before a provider, which issues the access tokens. Times are Unix seconds.

-- When the user agreed to the request, before they were sent to the provider.
ALTER TABLE interactions ADD COLUMN agreed_at BIGINT;

-- What the provider gave, encrypted: it is needed itself.
ALTER TABLE codes ADD COLUMN provider_tokens BLOB;
ALTER TABLE grants ADD COLUMN provider_tokens BLOB;
-- SHA-256 of the newest access token.
ALTER TABLE grants ADD COLUMN provider_access BLOB;
CREATE INDEX grants_provider_access ON grants (provider_access);
-- Until when somebody is getting new ones, Unix milliseconds.
ALTER TABLE grants ADD COLUMN provider_busy_until_ms BIGINT NOT NULL DEFAULT 0;

-- Who authsvc is at a provider, for each client of ours.
CREATE TABLE provider_clients (
    issuer TEXT NOT NULL,
    -- Our client; empty for authsvc itself.
    client_id TEXT NOT NULL,
    -- Its id at the provider.
    id TEXT NOT NULL,
    -- JSON, encrypted: its secret, and what it is ended with.
    secrets BLOB NOT NULL,
    created_at BIGINT NOT NULL,
    -- When its secret is over.
    expires_at BIGINT,
    PRIMARY KEY (issuer, client_id)
);
CREATE INDEX provider_clients_id ON provider_clients (issuer, id);
