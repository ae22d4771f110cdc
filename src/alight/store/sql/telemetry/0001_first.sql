-- What explains: logs, spans, invocations, metrics. Nothing here was promised to anybody.
-- Times are seconds since 1970.

CREATE TABLE log_events (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    log_group   TEXT NOT NULL,
    stream      TEXT NOT NULL,
    ts          REAL NOT NULL,
    ingested    REAL NOT NULL,
    message     TEXT NOT NULL,
    request_id  TEXT NOT NULL
) STRICT;
CREATE INDEX log_events_by_time ON log_events (log_group, ts, id);
CREATE INDEX log_events_by_stream ON log_events (log_group, stream, ts, id);
CREATE INDEX log_events_by_request ON log_events (request_id, id) WHERE request_id <> '';
CREATE INDEX log_events_by_age ON log_events (ts);

CREATE TABLE log_streams (
    log_group       TEXT NOT NULL,
    stream          TEXT NOT NULL,
    created         REAL NOT NULL,
    first_ts        REAL,
    last_ts         REAL,
    last_ingested   REAL,
    bytes           INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (log_group, stream)
) STRICT, WITHOUT ROWID;

CREATE TABLE spans (
    id          INTEGER PRIMARY KEY,
    request_id  TEXT NOT NULL,
    event_id    TEXT NOT NULL,
    name        TEXT NOT NULL,
    start       REAL NOT NULL,
    end         REAL NOT NULL,
    attributes  TEXT NOT NULL
) STRICT;
CREATE INDEX spans_by_request ON spans (request_id, start);
CREATE INDEX spans_by_event ON spans (event_id, start) WHERE event_id <> '';
CREATE INDEX spans_by_age ON spans (start);

CREATE TABLE invocations (
    id              INTEGER PRIMARY KEY,
    request_id      TEXT NOT NULL,
    event_id        TEXT NOT NULL,
    function        TEXT NOT NULL,
    attempt         INTEGER NOT NULL,
    started         REAL NOT NULL,
    ended           REAL NOT NULL,
    init_ms         REAL,
    outcome         TEXT NOT NULL,
    error           TEXT NOT NULL,
    max_memory_mb   INTEGER NOT NULL
) STRICT;
CREATE INDEX invocations_by_function ON invocations (function, started);
CREATE INDEX invocations_by_request ON invocations (request_id);
CREATE INDEX invocations_by_event ON invocations (event_id, started) WHERE event_id <> '';
CREATE INDEX invocations_by_age ON invocations (started);

CREATE TABLE metrics (
    id          INTEGER PRIMARY KEY,
    namespace   TEXT NOT NULL,
    name        TEXT NOT NULL,
    ts          REAL NOT NULL,
    value       REAL NOT NULL,
    dimensions  TEXT NOT NULL
) STRICT;
CREATE INDEX metrics_by_name ON metrics (namespace, name, ts);
CREATE INDEX metrics_by_age ON metrics (ts);

-- Which series there are, so that listing them does not read their values.
CREATE TABLE series (
    namespace   TEXT NOT NULL,
    name        TEXT NOT NULL,
    dimensions  TEXT NOT NULL,
    last_ts     REAL NOT NULL,
    PRIMARY KEY (namespace, name, dimensions)
) STRICT, WITHOUT ROWID;
