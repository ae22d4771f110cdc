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
INSERT INTO "invocations" VALUES(1,'7810f39b-82b5-41fd-bd5a-df41b68f3694','7810f39b-82b5-41fd-bd5a-df41b68f3694','keeps',1,1.79594372087837719914e+09,1.79594372432678794863e+09,2.71542866799791227094e+03,'ok','',39);
INSERT INTO "invocations" VALUES(2,'aa40c298-c721-457b-9e8f-67ac0674429f','aa40c298-c721-457b-9e8f-67ac0674429f','keeps',1,1.79594372077830195431e+09,1.79594372525530052188e+09,3.66402127000037580728e+03,'ok','',39);
INSERT INTO "invocations" VALUES(3,'9a2aa28c-f68e-4883-86ca-5a6137bbdf57','9a2aa28c-f68e-4883-86ca-5a6137bbdf57','keeps',1,1.79594372095035219195e+09,1.79594372563162374498e+09,3.94594028700157650746e+03,'crash','{"errorType":"Runtime.ExitError","errorMessage":"RequestId: 9a2aa28c-f68e-4883-86ca-5a6137bbdf57 Error: Runtime exited with error: exit status 1"}',39);
INSERT INTO "invocations" VALUES(4,'9a2aa28c-f68e-4883-86ca-5a6137bbdf57','9a2aa28c-f68e-4883-86ca-5a6137bbdf57','keeps',2,1.79594372570767283441e+09,1.79594372577188014991e+09,NULL,'crash','{"errorType":"Runtime.ExitError","errorMessage":"RequestId: 9a2aa28c-f68e-4883-86ca-5a6137bbdf57 Error: Runtime exited with error: exit status 1"}',39);
INSERT INTO "invocations" VALUES(5,'9a2aa28c-f68e-4883-86ca-5a6137bbdf57','9a2aa28c-f68e-4883-86ca-5a6137bbdf57','keeps',3,1.79594372586137437822e+09,1.79594372593753600123e+09,NULL,'crash','{"errorType":"Runtime.ExitError","errorMessage":"RequestId: 9a2aa28c-f68e-4883-86ca-5a6137bbdf57 Error: Runtime exited with error: exit status 1"}',39);
CREATE TABLE log_events (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    log_group   TEXT NOT NULL,
    stream      TEXT NOT NULL,
    ts          REAL NOT NULL,
    ingested    REAL NOT NULL,
    message     TEXT NOT NULL,
    request_id  TEXT NOT NULL
) STRICT;
INSERT INTO "log_events" VALUES(1,'/aws/lambda/keeps','2026/11/29/[$LATEST]8d3b5fcf9977dfe0952533cfa2ffe155',1.79594372158104395868e+09,1.7959437215810513496e+09,'INIT_START Runtime Version: python:3.11.7','');
INSERT INTO "log_events" VALUES(2,'/aws/lambda/keeps','2026/11/29/[$LATEST]528077737bdaa3a14832e0b858fcb7d8',1.79594372159894609449e+09,1.79594372159895253188e+09,'INIT_START Runtime Version: python:3.11.7','');
INSERT INTO "log_events" VALUES(3,'/aws/lambda/keeps','2026/11/29/[$LATEST]df6052f7f06477a21d779a38393e4be1',1.79594372161824226375e+09,1.7959437216182484627e+09,'INIT_START Runtime Version: python:3.11.7','');
INSERT INTO "log_events" VALUES(4,'/aws/lambda/keeps','2026/11/29/[$LATEST]528077737bdaa3a14832e0b858fcb7d8',1.79594372431475019459e+09,1.7959437243147566318e+09,'START RequestId: 7810f39b-82b5-41fd-bd5a-df41b68f3694 Version: $LATEST','7810f39b-82b5-41fd-bd5a-df41b68f3694');
INSERT INTO "log_events" VALUES(5,'/aws/lambda/keeps','2026/11/29/[$LATEST]528077737bdaa3a14832e0b858fcb7d8',1.7959437243264153004e+09,1.79594372432642197605e+09,'END RequestId: 7810f39b-82b5-41fd-bd5a-df41b68f3694','7810f39b-82b5-41fd-bd5a-df41b68f3694');
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
INSERT INTO "log_streams" VALUES('/aws/lambda/keeps','2026/11/29/[$LATEST]29d1ff240a68c5f9c66730fa8a310ce0',1.79594372634126710893e+09,1.79594372634126520161e+09,1.79594372634126520161e+09,1.79594372634126710893e+09,67);
INSERT INTO "log_streams" VALUES('/aws/lambda/keeps','2026/11/29/[$LATEST]4c7bd4f56c95914feb59d6b5fa462523',1.79594372616230058665e+09,1.79594372616229534149e+09,1.79594372616229534149e+09,1.79594372616230058665e+09,67);
INSERT INTO "log_streams" VALUES('/aws/lambda/keeps','2026/11/29/[$LATEST]528077737bdaa3a14832e0b858fcb7d8',1.79594372159895253188e+09,1.79594372159894609449e+09,1.79594372593704986566e+09,1795943725.93705,956);
INSERT INTO "log_streams" VALUES('/aws/lambda/keeps','2026/11/29/[$LATEST]8d3b5fcf9977dfe0952533cfa2ffe155',1.7959437215810513496e+09,1.79594372158104395868e+09,1.79594372576458454135e+09,1.79594372576458501814e+09,955);
INSERT INTO "log_streams" VALUES('/aws/lambda/keeps','2026/11/29/[$LATEST]df6052f7f06477a21d779a38393e4be1',1.7959437216182484627e+09,1.79594372161824226375e+09,1.7959437256311225891e+09,1.79594372563112354276e+09,617);
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
INSERT INTO "minutes" VALUES(1,1795943700,'Count',3.0,3.0,1.0,1.0,'{"1.0":3.0}');
INSERT INTO "minutes" VALUES(2,1795943700,'Count',3.0,3.0,1.0,1.0,'{"1.0":3.0}');
INSERT INTO "minutes" VALUES(3,1795943700,'Count',3.0,6.0,1.0,3.0,'{"1.0":1.0,"2.0":1.0,"3.0":1.0}');
INSERT INTO "minutes" VALUES(4,1795943700,'Count',3.0,6.0,1.0,3.0,'{"1.0":1.0,"2.0":1.0,"3.0":1.0}');
INSERT INTO "minutes" VALUES(5,1795943700,'Count',1.0,1.0,1.0,1.0,'{"1.0":1.0}');
INSERT INTO "minutes" VALUES(6,1795943700,'Bytes',1.0,14.0,14.0,14.0,'{"14.0":1.0}');
INSERT INTO "minutes" VALUES(7,1795943700,'Count',2.0,2.0,1.0,1.0,'{"1.0":2.0}');
INSERT INTO "minutes" VALUES(8,1795943700,'Bytes',2.0,882.0,12.0,870.0,'{"870.0":1.0,"12.0":1.0}');
INSERT INTO "minutes" VALUES(9,1795943700,'Count',1.0,1.0,1.0,1.0,'{"1.0":1.0}');
INSERT INTO "minutes" VALUES(10,1795943700,'Count',1.0,1.0,1.0,1.0,'{"1.0":1.0}');
INSERT INTO "minutes" VALUES(11,1795943700,'Bytes',1.0,10.0,10.0,10.0,'{"10.0":1.0}');
INSERT INTO "minutes" VALUES(12,1795943700,'Count',2.0,2.0,1.0,1.0,'{"1.0":2.0}');
INSERT INTO "minutes" VALUES(13,1795943700,'Count',2.0,2.0,1.0,1.0,'{"1.0":2.0}');
INSERT INTO "minutes" VALUES(14,1795943700,'Count',2.0,0.0,0.0,0.0,'{"0.0":2.0}');
INSERT INTO "minutes" VALUES(15,1795943700,'Count',2.0,0.0,0.0,0.0,'{"0.0":2.0}');
INSERT INTO "minutes" VALUES(16,1795943700,'Count',2.0,0.0,0.0,0.0,'{"0.0":2.0}');
INSERT INTO "minutes" VALUES(17,1795943700,'Count',2.0,0.0,0.0,0.0,'{"0.0":2.0}');
INSERT INTO "minutes" VALUES(18,1795943700,'Milliseconds',2.0,2.08204139998997561633e+01,9.38496900198515504598e+00,1.14354449979146011173e+01,'{"9.38":1.0,"11.4":1.0}');
INSERT INTO "minutes" VALUES(19,1795943700,'Milliseconds',2.0,2.08204139998997561633e+01,9.38496900198515504598e+00,1.14354449979146011173e+01,'{"9.38":1.0,"11.4":1.0}');
INSERT INTO "minutes" VALUES(20,1795943700,'Milliseconds',2.0,8.79280567169189453125e+01,3.96087169647216796875e+01,4.8319339752197265625e+01,'{"39.6":1.0,"48.3":1.0}');
INSERT INTO "minutes" VALUES(21,1795943700,'Milliseconds',2.0,8.79280567169189453125e+01,3.96087169647216796875e+01,4.8319339752197265625e+01,'{"39.6":1.0,"48.3":1.0}');
CREATE TABLE predictions (
    id              INTEGER PRIMARY KEY,
    request_id      TEXT NOT NULL,
    event_id        TEXT NOT NULL,
    endpoint        TEXT NOT NULL,
    variant         TEXT NOT NULL,
    ts              REAL NOT NULL,
    duration        REAL NOT NULL,
    content_type    TEXT NOT NULL,
    request         TEXT NOT NULL,
    answer          TEXT NOT NULL,
    label           TEXT NOT NULL,
    confidence      REAL,
    guesses         TEXT NOT NULL
) STRICT;
CREATE TABLE series (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    namespace   TEXT NOT NULL,
    name        TEXT NOT NULL,
    dimensions  TEXT NOT NULL,
    last_ts     REAL NOT NULL,
    UNIQUE (namespace, name, dimensions)
) STRICT;
INSERT INTO "series" VALUES(1,'AWS/Lambda','AsyncEventsReceived','{}',1795943700.0);
INSERT INTO "series" VALUES(2,'AWS/Lambda','AsyncEventsReceived','{"FunctionName":"keeps"}',1795943700.0);
INSERT INTO "series" VALUES(3,'AWS/Lambda','ConcurrentExecutions','{}',1795943700.0);
INSERT INTO "series" VALUES(4,'AWS/Lambda','ConcurrentExecutions','{"FunctionName":"keeps"}',1795943700.0);
INSERT INTO "series" VALUES(5,'AWS/SNS','NumberOfMessagesPublished','{"TopicName":"told"}',1795943700.0);
INSERT INTO "series" VALUES(6,'AWS/SNS','PublishSize','{"TopicName":"told"}',1795943700.0);
INSERT INTO "series" VALUES(7,'AWS/SQS','NumberOfMessagesSent','{"QueueName":"told"}',1795943700.0);
INSERT INTO "series" VALUES(8,'AWS/SQS','SentMessageSize','{"QueueName":"told"}',1795943700.0);
INSERT INTO "series" VALUES(9,'AWS/SNS','NumberOfNotificationsDelivered','{"TopicName":"told"}',1795943700.0);
INSERT INTO "series" VALUES(10,'AWS/SNS','NumberOfMessagesPublished','{"PhoneNumber":"PhoneNumberDirect"}',1795943700.0);
INSERT INTO "series" VALUES(11,'AWS/SNS','PublishSize','{"PhoneNumber":"PhoneNumberDirect"}',1795943700.0);
INSERT INTO "series" VALUES(12,'AWS/Lambda','Invocations','{}',1795943700.0);
INSERT INTO "series" VALUES(13,'AWS/Lambda','Invocations','{"FunctionName":"keeps"}',1795943700.0);
INSERT INTO "series" VALUES(14,'AWS/Lambda','Errors','{}',1795943700.0);
INSERT INTO "series" VALUES(15,'AWS/Lambda','Errors','{"FunctionName":"keeps"}',1795943700.0);
INSERT INTO "series" VALUES(16,'AWS/Lambda','Throttles','{}',1795943700.0);
INSERT INTO "series" VALUES(17,'AWS/Lambda','Throttles','{"FunctionName":"keeps"}',1795943700.0);
INSERT INTO "series" VALUES(18,'AWS/Lambda','Duration','{}',1795943700.0);
INSERT INTO "series" VALUES(19,'AWS/Lambda','Duration','{"FunctionName":"keeps"}',1795943700.0);
INSERT INTO "series" VALUES(20,'AWS/Lambda','AsyncEventAge','{}',1795943700.0);
INSERT INTO "series" VALUES(21,'AWS/Lambda','AsyncEventAge','{"FunctionName":"keeps"}',1795943700.0);
CREATE TABLE spans (
    id          INTEGER PRIMARY KEY,
    request_id  TEXT NOT NULL,
    event_id    TEXT NOT NULL,
    name        TEXT NOT NULL,
    start       REAL NOT NULL,
    end         REAL NOT NULL,
    attributes  TEXT NOT NULL
) STRICT;
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
CREATE INDEX series_by_age ON series (last_ts);
CREATE INDEX minutes_by_age ON minutes (minute);
CREATE INDEX predictions_by_request ON predictions (request_id);
CREATE INDEX predictions_by_age ON predictions (ts);
CREATE INDEX predictions_alone ON predictions (ts) WHERE event_id = '';
CREATE INDEX spans_of_apis ON spans (json_extract(attributes, '$.Api'), id)
WHERE name >= 'execute-api ' AND name < 'execute-api!';
CREATE INDEX predictions_by_percent ON predictions (min(100, max(0, CAST(confidence * 100 AS INTEGER))), ts)
WHERE confidence IS NOT NULL;
CREATE INDEX predictions_by_label
ON predictions (label, min(100, max(0, CAST(confidence * 100 AS INTEGER))), ts);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('series',31);
INSERT INTO "sqlite_sequence" VALUES('log_events',23);
COMMIT;
PRAGMA user_version = 4;
