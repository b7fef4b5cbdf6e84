-- Events as the filter sent them, and what is still to be delivered of them.

CREATE TABLE events (
    -- Grows with every commit and is never reused: what a listing continues from.
    cursor INTEGER PRIMARY KEY AUTOINCREMENT,
    -- UUID that the filter made; the same event sent twice is one row.
    id TEXT NOT NULL UNIQUE,
    -- JSON, byte for byte as received.
    body TEXT NOT NULL,
    started_at_ms INTEGER NOT NULL,
    received_at_ms INTEGER NOT NULL
);

-- Transactional outbox: a row is written with its event, and stays until the event goes.
CREATE TABLE deliveries (
    event INTEGER NOT NULL REFERENCES events (cursor) ON DELETE CASCADE,
    destination TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('due', 'leased', 'delivered', 'dead')),
    -- due: when it is attempted; leased: when the lease ends; delivered, dead: since when.
    at_ms INTEGER NOT NULL,
    -- Attempts begun.
    attempts INTEGER NOT NULL DEFAULT 0,
    last_status INTEGER,
    last_error TEXT,
    -- First kilobyte of the last answer that was not a success.
    last_reply TEXT,
    PRIMARY KEY (event, destination)
);

CREATE INDEX deliveries_open ON deliveries (destination, at_ms, event)
    WHERE state IN ('due', 'leased');

CREATE TABLE destinations (
    name TEXT PRIMARY KEY,
    -- SHA-256 of the URL, which may carry secrets: another URL is another chance.
    url_digest BLOB NOT NULL,
    -- When it answered 410 Gone.
    disabled_at_ms INTEGER
);

-- Events lost before they reached us, as the senders count them.
CREATE TABLE event_losses (
    reason TEXT PRIMARY KEY,
    count INTEGER NOT NULL
);
