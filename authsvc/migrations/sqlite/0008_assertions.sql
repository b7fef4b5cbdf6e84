-- Assertions of clients that were used (RFC 7523 section 3): each is good once.
CREATE TABLE assertions (
    id BLOB PRIMARY KEY, -- SHA-256 of client and jti
    expires_at BIGINT NOT NULL
);
CREATE INDEX assertions_expires_at ON assertions (expires_at);
