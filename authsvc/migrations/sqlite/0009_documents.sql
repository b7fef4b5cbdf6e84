-- Clients whose id is the URL of a document about them. Times are Unix seconds.
ALTER TABLE clients ADD COLUMN document_expires_at BIGINT;
-- 1: it shows who it is by what it signs, whatever auth_method says, which knows no such thing.
ALTER TABLE clients ADD COLUMN signs BIGINT NOT NULL DEFAULT 0;
-- Where its keys are, and its keys (RFC 7517), of one that signs assertions.
ALTER TABLE clients ADD COLUMN keys_uri TEXT;
ALTER TABLE clients ADD COLUMN keys TEXT;
ALTER TABLE clients ADD COLUMN keys_expire_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE clients ADD COLUMN keys_fetched_at BIGINT NOT NULL DEFAULT 0;
