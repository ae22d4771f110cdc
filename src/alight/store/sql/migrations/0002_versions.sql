-- Versions of objects that are not the current one, and delete markers: newest first. The current version of a key
-- is its row of `objects`; there is none where the newest version is a marker. `visible`: the id that S3 shows.

CREATE TABLE versions (
    bucket          TEXT NOT NULL,
    key             TEXT NOT NULL,
    sequencer       TEXT NOT NULL,
    version_id      TEXT NOT NULL,
    visible         TEXT NOT NULL,
    size            INTEGER NOT NULL,
    etag            TEXT NOT NULL,
    last_modified   REAL NOT NULL,
    crc64nvme       TEXT NOT NULL,
    segments        TEXT NOT NULL,
    info            TEXT NOT NULL,
    parts           TEXT NOT NULL,
    crc             INTEGER NOT NULL,
    PRIMARY KEY (bucket, key, sequencer DESC)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX versions_by_id ON versions (bucket, key, visible);
