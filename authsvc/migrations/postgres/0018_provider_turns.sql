-- For which client of ours somebody is just registering at a provider: one at a time.
CREATE TABLE provider_turns (
    issuer TEXT NOT NULL,
    client_id TEXT NOT NULL,
    -- Unix milliseconds.
    until_ms BIGINT NOT NULL,
    PRIMARY KEY (issuer, client_id)
);
