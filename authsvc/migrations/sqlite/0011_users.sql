-- Users beside those of attache.yaml, and what codes and grants are bound to.

CREATE TABLE users (
    -- Subject.
    id TEXT PRIMARY KEY,
    -- Lower case.
    email TEXT NOT NULL UNIQUE,
    -- Argon2id, PHC string format.
    password_hash TEXT NOT NULL,
    -- JSON array.
    user_groups TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    password_changed_at BIGINT NOT NULL,
    disabled_at BIGINT,
    -- Grows when all that was granted must end although the password stays.
    epoch BIGINT NOT NULL DEFAULT 0
);

-- The password with which it was granted, see Member::credential; of older ones it is empty, which is nobody's.
ALTER TABLE codes ADD COLUMN credential BLOB NOT NULL DEFAULT x'';
ALTER TABLE grants ADD COLUMN credential BLOB NOT NULL DEFAULT x'';
CREATE INDEX codes_sub ON codes (sub);
