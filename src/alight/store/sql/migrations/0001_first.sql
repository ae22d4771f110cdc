-- Everything that was promised to somebody. `crc` columns hold row_crc() of the columns that their statements name.
-- Times are seconds since 1970. Text is compared by its UTF-8 bytes, as S3 orders keys.

CREATE TABLE counters (
    name    TEXT PRIMARY KEY,
    value   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE records (
    kind        TEXT NOT NULL,
    name        TEXT NOT NULL,
    body        TEXT NOT NULL,
    created     REAL NOT NULL,
    modified    REAL NOT NULL,
    crc         INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

-- Object store ------------------------------------------------------------------------------------------------

CREATE TABLE buckets (
    name        TEXT PRIMARY KEY,
    created     REAL NOT NULL,
    settings    TEXT NOT NULL,
    crc         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A run of bytes that objects and parts refer to: `data` where it is small, else the file bodies/<2 hex>/<id>.
CREATE TABLE bodies (
    id          TEXT PRIMARY KEY,
    size        INTEGER NOT NULL,
    crc64nvme   TEXT NOT NULL,
    refs        INTEGER NOT NULL,
    data        BLOB
) STRICT, WITHOUT ROWID;

-- `segments`: [[body id, size, crc64nvme, inline], ...]; `parts`: what a multipart upload was made of.
CREATE TABLE objects (
    bucket          TEXT NOT NULL,
    key             TEXT NOT NULL,
    version_id      TEXT NOT NULL,
    size            INTEGER NOT NULL,
    etag            TEXT NOT NULL,
    last_modified   REAL NOT NULL,
    sequencer       TEXT NOT NULL,
    crc64nvme       TEXT NOT NULL,
    segments        TEXT NOT NULL,
    info            TEXT NOT NULL,
    parts           TEXT NOT NULL,
    crc             INTEGER NOT NULL,
    PRIMARY KEY (bucket, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE uploads (
    id          TEXT PRIMARY KEY,
    bucket      TEXT NOT NULL,
    key         TEXT NOT NULL,
    initiated   REAL NOT NULL,
    info        TEXT NOT NULL,
    crc         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX uploads_by_key ON uploads (bucket, key, id);

CREATE TABLE parts (
    upload_id       TEXT NOT NULL,
    number          INTEGER NOT NULL,
    size            INTEGER NOT NULL,
    etag            TEXT NOT NULL,
    last_modified   REAL NOT NULL,
    checksums       TEXT NOT NULL,
    segments        TEXT NOT NULL,
    crc             INTEGER NOT NULL,
    PRIMARY KEY (upload_id, number)
) STRICT, WITHOUT ROWID;

-- Journal of asynchronous events --------------------------------------------------------------------------------

CREATE TABLE events (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    id          TEXT NOT NULL UNIQUE,
    function    TEXT NOT NULL,
    payload     BLOB NOT NULL,
    source      TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('pending', 'running', 'succeeded', 'dead')),
    attempts    INTEGER NOT NULL DEFAULT 0,
    leases      INTEGER NOT NULL DEFAULT 0,
    fence       INTEGER NOT NULL DEFAULT 0,
    not_before  REAL NOT NULL,
    accepted    REAL NOT NULL,
    expires     REAL NOT NULL,
    retries     INTEGER NOT NULL,
    finished    REAL,
    error       TEXT,
    result      BLOB,
    crc         INTEGER NOT NULL
) STRICT;
CREATE INDEX events_due ON events (state, function, not_before, seq);

CREATE TABLE attempts (
    event_id    TEXT NOT NULL,
    fence       INTEGER NOT NULL,
    request_id  TEXT NOT NULL,
    started     REAL NOT NULL,
    ended       REAL,
    outcome     TEXT,
    error       TEXT,
    PRIMARY KEY (event_id, fence)
) STRICT, WITHOUT ROWID;

-- Outbox of topics ------------------------------------------------------------------------------------------------

-- `kind`: Notification, SubscriptionConfirmation, UnsubscribeConfirmation; `topic` is empty for a text to a number;
-- `token`: what a confirmation link carries; `key`: what makes a repeated publish of one event the same message.
CREATE TABLE messages (
    id          TEXT PRIMARY KEY,
    kind        TEXT NOT NULL,
    topic       TEXT NOT NULL,
    target      TEXT NOT NULL,
    subject     TEXT,
    body        TEXT NOT NULL,
    structure   TEXT NOT NULL,
    attributes  TEXT NOT NULL,
    token       TEXT NOT NULL,
    event_id    TEXT,
    fence       INTEGER NOT NULL,
    ordinal     INTEGER NOT NULL,
    key         TEXT UNIQUE,
    state       TEXT NOT NULL CHECK (state IN ('staged', 'accepted', 'discarded')),
    published   REAL NOT NULL,
    accepted    REAL,
    crc         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX messages_by_event ON messages (event_id, fence) WHERE event_id IS NOT NULL;
CREATE INDEX messages_by_age ON messages (published);

-- `started`: when the last attempt began; `uncertain`: it may have arrived more than once.
CREATE TABLE deliveries (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id      TEXT NOT NULL,
    subscription    TEXT NOT NULL,
    protocol        TEXT NOT NULL,
    target          TEXT NOT NULL,
    raw             INTEGER NOT NULL,
    state           TEXT NOT NULL CHECK (state IN ('ready', 'sending', 'sent', 'held', 'dead')),
    attempts        INTEGER NOT NULL,
    not_before      REAL NOT NULL,
    fence           INTEGER NOT NULL,
    uncertain       INTEGER NOT NULL,
    reason          TEXT NOT NULL,
    last_error      TEXT NOT NULL,
    created         REAL NOT NULL,
    started         REAL,
    finished        REAL,
    crc             INTEGER NOT NULL
) STRICT;
CREATE INDEX deliveries_due ON deliveries (state, not_before);
CREATE INDEX deliveries_by_message ON deliveries (message_id);

-- Queues ----------------------------------------------------------------------------------------------------------

-- `source`: the queue that gave up on the message, where it came here as a dead letter.
CREATE TABLE queue_messages (
    seq             INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT NOT NULL,
    queue           TEXT NOT NULL,
    body            TEXT NOT NULL,
    attributes      TEXT NOT NULL,
    sender          TEXT NOT NULL,
    sent            REAL NOT NULL,
    visible_at      REAL NOT NULL,
    receives        INTEGER NOT NULL,
    first_received  REAL,
    receipt         TEXT NOT NULL,
    source          TEXT NOT NULL,
    crc             INTEGER NOT NULL
) STRICT;
CREATE INDEX queue_messages_visible ON queue_messages (queue, visible_at, seq);
