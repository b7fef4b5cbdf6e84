-- Which clients were never used: of these only so many are kept, and what a person is busy with keeps its client.

ALTER TABLE interactions ADD COLUMN client_id TEXT NOT NULL DEFAULT '';
CREATE INDEX interactions_client_id ON interactions (client_id);
CREATE INDEX codes_client_id ON codes (client_id);
CREATE INDEX clients_unused ON clients (seen_at) WHERE used_at IS NULL;
