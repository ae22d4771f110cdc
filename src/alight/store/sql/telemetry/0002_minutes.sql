-- Metrics minute by minute: of many values in one minute the statistics stay, and how the values were spread.
-- No release has written single values, so none is taken over.

DROP TABLE metrics;
DROP TABLE series;

CREATE TABLE series (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    namespace   TEXT NOT NULL,
    name        TEXT NOT NULL,
    dimensions  TEXT NOT NULL,
    last_ts     REAL NOT NULL,
    UNIQUE (namespace, name, dimensions)
) STRICT;
CREATE INDEX series_by_age ON series (last_ts);

-- `spread` is a JSON object, value -> how often.
CREATE TABLE minutes (
    series      INTEGER NOT NULL,
    minute      INTEGER NOT NULL,
    unit        TEXT NOT NULL,
    count       REAL NOT NULL,
    sum         REAL NOT NULL,
    low         REAL NOT NULL,
    high        REAL NOT NULL,
    spread      TEXT NOT NULL,
    PRIMARY KEY (series, minute, unit)
) STRICT, WITHOUT ROWID;
CREATE INDEX minutes_by_age ON minutes (minute);
