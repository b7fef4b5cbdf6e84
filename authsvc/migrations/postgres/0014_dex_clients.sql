-- Clients that authsvc made at Dex, each for one login, and for which resources Dex makes tokens for them.

CREATE TABLE dex_clients (
    -- There.
    id TEXT PRIMARY KEY,
    -- Here.
    client_id TEXT NOT NULL,
    -- What it was made for, when that has become one.
    grant_id TEXT,
    created_at BIGINT NOT NULL
);
CREATE INDEX dex_clients_created_at ON dex_clients (created_at);

CREATE TABLE dex_peers (
    resource TEXT NOT NULL,
    dex_client TEXT NOT NULL REFERENCES dex_clients (id) ON DELETE CASCADE,
    PRIMARY KEY (resource, dex_client)
);
CREATE INDEX dex_peers_client ON dex_peers (dex_client);

-- The client at Dex that stands for a resource: one process at a time says who its peers are.
CREATE TABLE dex_resources (
    resource TEXT PRIMARY KEY,
    -- Unix milliseconds.
    leased_until BIGINT NOT NULL DEFAULT 0
);
