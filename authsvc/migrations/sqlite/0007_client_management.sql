-- SHA-256 of the token with which a client manages its own registration (RFC 7592); a client that many share has none.
ALTER TABLE clients ADD COLUMN management BLOB;
