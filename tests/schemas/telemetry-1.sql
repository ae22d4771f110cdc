BEGIN TRANSACTION;
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
INSERT INTO "invocations" VALUES(1,'f0126f52-4548-42c9-8074-ad44bdda1890','f0126f52-4548-42c9-8074-ad44bdda1890','keeps',1,1.795943661221729517e+09,1.79594366342015981669e+09,1.95702603700192412361e+03,'crash','{"errorType":"Runtime.ExitError","errorMessage":"RequestId: f0126f52-4548-42c9-8074-ad44bdda1890 Error: Runtime exited with error: exit status 1"}',39);
INSERT INTO "invocations" VALUES(2,'c9ca32f1-80be-448a-935e-caf27799e4a3','c9ca32f1-80be-448a-935e-caf27799e4a3','keeps',1,1.79594366113877797119e+09,1.79594366359574818606e+09,2.1733343900014006067e+03,'ok','',39);
INSERT INTO "invocations" VALUES(3,'78c38c51-36fb-4958-b439-c41083123fbf','78c38c51-36fb-4958-b439-c41083123fbf','keeps',1,1.79594366097033071518e+09,1.79594366365976762772e+09,2.25938014499843120574e+03,'ok','',39);
INSERT INTO "invocations" VALUES(4,'f0126f52-4548-42c9-8074-ad44bdda1890','f0126f52-4548-42c9-8074-ad44bdda1890','keeps',2,1.79594366350899124146e+09,1.79594366583994126318e+09,2.27380948700010776519e+03,'crash','{"errorType":"Runtime.ExitError","errorMessage":"RequestId: f0126f52-4548-42c9-8074-ad44bdda1890 Error: Runtime exited with error: exit status 1"}',38);
INSERT INTO "invocations" VALUES(5,'f0126f52-4548-42c9-8074-ad44bdda1890','f0126f52-4548-42c9-8074-ad44bdda1890','keeps',3,1.79594366594222164148e+09,1.7959436659681887626e+09,NULL,'crash','{"errorType":"Runtime.ExitError","errorMessage":"RequestId: f0126f52-4548-42c9-8074-ad44bdda1890 Error: Runtime exited with error: exit status 1"}',39);
CREATE TABLE log_events (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    log_group   TEXT NOT NULL,
    stream      TEXT NOT NULL,
    ts          REAL NOT NULL,
    ingested    REAL NOT NULL,
    message     TEXT NOT NULL,
    request_id  TEXT NOT NULL
) STRICT;
INSERT INTO "log_events" VALUES(1,'/aws/lambda/keeps','2026/11/29/[$LATEST]3c2637dc3d701504f7b354ca74cb12f9',1.79594366139086484904e+09,1.79594366139086771016e+09,'INIT_START Runtime Version: python:3.11.7','');
INSERT INTO "log_events" VALUES(2,'/aws/lambda/keeps','2026/11/29/[$LATEST]2268a1091ae06125d58488b71437a011',1.79594366139483952522e+09,1.79594366139484238622e+09,'INIT_START Runtime Version: python:3.11.7','');
INSERT INTO "log_events" VALUES(3,'/aws/lambda/keeps','2026/11/29/[$LATEST]8307bd7115b81e83372426ade257cfd3',1.79594366141427516942e+09,1.7959436614142785072e+09,'INIT_START Runtime Version: python:3.11.7','');
INSERT INTO "log_events" VALUES(4,'/aws/lambda/keeps','2026/11/29/[$LATEST]8307bd7115b81e83372426ade257cfd3',1.79594366337159228323e+09,1.79594366337159633629e+09,'START RequestId: f0126f52-4548-42c9-8074-ad44bdda1890 Version: $LATEST','f0126f52-4548-42c9-8074-ad44bdda1890');
INSERT INTO "log_events" VALUES(5,'/aws/lambda/keeps','2026/11/29/[$LATEST]8307bd7115b81e83372426ade257cfd3',1.79594366341932630539e+09,1.79594366341933035858e+09,'RequestId: f0126f52-4548-42c9-8074-ad44bdda1890 Error: Runtime exited with error: exit status 1
Runtime.ExitError','f0126f52-4548-42c9-8074-ad44bdda1890');
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
INSERT INTO "log_streams" VALUES('/aws/lambda/keeps','2026/11/29/[$LATEST]2268a1091ae06125d58488b71437a011',1.79594366139484238622e+09,1.79594366139483952522e+09,1.79594366609056305889e+09,1.79594366609056520461e+09,400);
INSERT INTO "log_streams" VALUES('/aws/lambda/keeps','2026/11/29/[$LATEST]3c2637dc3d701504f7b354ca74cb12f9',1.79594366139086771016e+09,1.79594366139086484904e+09,1.79594366596770191194e+09,1.79594366596770238877e+09,747);
INSERT INTO "log_streams" VALUES('/aws/lambda/keeps','2026/11/29/[$LATEST]4f5caa5d4505367805412098e2bc7774',1.79594366351694393162e+09,1.7959436635169382095e+09,1.79594366583951902394e+09,1.79594366583951950072e+09,487);
INSERT INTO "log_streams" VALUES('/aws/lambda/keeps','2026/11/29/[$LATEST]8307bd7115b81e83372426ade257cfd3',1.7959436614142785072e+09,1.79594366141427516942e+09,1.79594366341935825345e+09,1.79594366341935873028e+09,487);
CREATE TABLE metrics (
    id          INTEGER PRIMARY KEY,
    namespace   TEXT NOT NULL,
    name        TEXT NOT NULL,
    ts          REAL NOT NULL,
    value       REAL NOT NULL,
    dimensions  TEXT NOT NULL
) STRICT;
CREATE TABLE series (
    namespace   TEXT NOT NULL,
    name        TEXT NOT NULL,
    dimensions  TEXT NOT NULL,
    last_ts     REAL NOT NULL,
    PRIMARY KEY (namespace, name, dimensions)
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
INSERT INTO "spans" VALUES(1,'80c5fd36-11e5-461e-9782-b9de9cfec577','80c5fd36-11e5-461e-9782-b9de9cfec577','s3 ListObjectsV2',1.79594366613498806952e+09,1.79594366613530182844e+09,'{"Bucket":"signs","outcome":"ok"}');
CREATE INDEX log_events_by_time ON log_events (log_group, ts, id);
CREATE INDEX log_events_by_stream ON log_events (log_group, stream, ts, id);
CREATE INDEX log_events_by_request ON log_events (request_id, id) WHERE request_id <> '';
CREATE INDEX log_events_by_age ON log_events (ts);
CREATE INDEX spans_by_request ON spans (request_id, start);
CREATE INDEX spans_by_event ON spans (event_id, start) WHERE event_id <> '';
CREATE INDEX spans_by_age ON spans (start);
CREATE INDEX invocations_by_function ON invocations (function, started);
CREATE INDEX invocations_by_request ON invocations (request_id);
CREATE INDEX invocations_by_event ON invocations (event_id, started) WHERE event_id <> '';
CREATE INDEX invocations_by_age ON invocations (started);
CREATE INDEX metrics_by_name ON metrics (namespace, name, ts);
CREATE INDEX metrics_by_age ON metrics (ts);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('log_events',23);
COMMIT;
PRAGMA user_version = 1;
