-- Clients at Dex of logins of which no grant has come: there are to be few, and those that stay away go soon.
CREATE INDEX dex_clients_unfinished ON dex_clients (created_at) WHERE grant_id IS NULL;
