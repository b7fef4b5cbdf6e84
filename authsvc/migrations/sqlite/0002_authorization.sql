-- What the authorization endpoint keeps. Times are Unix seconds; secrets of browsers are SHA-256.

-- Requests that wait for a login or an answer.
CREATE TABLE interactions (
    id BLOB PRIMARY KEY,
    browser BLOB NOT NULL,
    -- The request after all checks, JSON.
    asked TEXT NOT NULL,
    -- Session whose login was made for this request.
    session BLOB,
    expires_at BIGINT NOT NULL,
    answered_at BIGINT
);
CREATE INDEX interactions_expires_at ON interactions (expires_at);

CREATE TABLE sessions (
    id BLOB PRIMARY KEY,
    sub TEXT NOT NULL,
    credential BLOB NOT NULL,
    auth_time BIGINT NOT NULL,
    last_seen BIGINT NOT NULL
);
CREATE INDEX sessions_sub ON sessions (sub);
CREATE INDEX sessions_auth_time ON sessions (auth_time);
CREATE INDEX sessions_last_seen ON sessions (last_seen);

-- What users have agreed to, one row per resource.
CREATE TABLE consents (
    sub TEXT NOT NULL,
    client_id TEXT NOT NULL,
    redirect_host TEXT NOT NULL,
    resource TEXT NOT NULL,
    -- Sorted, separated by spaces.
    scopes TEXT NOT NULL,
    granted_at BIGINT NOT NULL,
    PRIMARY KEY (sub, client_id, redirect_host, resource, scopes)
);
