-- Signing keys rotate, and their private parts are encrypted.

-- Name of the secret that encrypts private_key; NULL: it is in clear, from before this migration.
ALTER TABLE signing_keys ADD COLUMN sealed_by TEXT;
-- In its state since, Unix seconds.
ALTER TABLE signing_keys ADD COLUMN since BIGINT NOT NULL DEFAULT 0;
-- Longest life of a token that it signs, seconds; of older keys the longest that could be configured.
ALTER TABLE signing_keys ADD COLUMN token_life BIGINT NOT NULL DEFAULT 86400;
UPDATE signing_keys SET since = created_at;
CREATE UNIQUE INDEX signing_keys_next ON signing_keys (algorithm) WHERE state = 'next';
