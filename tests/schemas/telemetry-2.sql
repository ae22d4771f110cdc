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
INSERT INTO "invocations" VALUES(1,'391e870a-b829-410b-81a2-5063832fe592','391e870a-b829-410b-81a2-5063832fe592','keeps',1,1.7959436764262721539e+09,1.79594367954548645022e+09,2973.89803400074,'ok','',39);
INSERT INTO "invocations" VALUES(2,'a8f79a2b-71b9-480b-bff3-bac1e439ec48','a8f79a2b-71b9-480b-bff3-bac1e439ec48','keeps',1,1.7959436765235302448e+09,1.79594367964422750474e+09,3.06213037600173265673e+03,'ok','',39);
INSERT INTO "invocations" VALUES(3,'0bd499f0-e937-4e18-adef-2ac9a0582dfd','0bd499f0-e937-4e18-adef-2ac9a0582dfd','keeps',1,1.79594367660636329651e+09,1.79594368014038133617e+09,3.48097985699860146269e+03,'crash','{"errorType":"Runtime.ExitError","errorMessage":"RequestId: 0bd499f0-e937-4e18-adef-2ac9a0582dfd Error: Runtime exited with error: exit status 1"}',39);
INSERT INTO "invocations" VALUES(4,'0bd499f0-e937-4e18-adef-2ac9a0582dfd','0bd499f0-e937-4e18-adef-2ac9a0582dfd','keeps',2,1.79594368021067690849e+09,1.79594368025516366955e+09,NULL,'crash','{"errorType":"Runtime.ExitError","errorMessage":"RequestId: 0bd499f0-e937-4e18-adef-2ac9a0582dfd Error: Runtime exited with error: exit status 1"}',39);
INSERT INTO "invocations" VALUES(5,'0bd499f0-e937-4e18-adef-2ac9a0582dfd','0bd499f0-e937-4e18-adef-2ac9a0582dfd','keeps',3,1.79594368031697416304e+09,1.7959436803625392914e+09,NULL,'crash','{"errorType":"Runtime.ExitError","errorMessage":"RequestId: 0bd499f0-e937-4e18-adef-2ac9a0582dfd Error: Runtime exited with error: exit status 1"}',39);
CREATE TABLE log_events (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    log_group   TEXT NOT NULL,
    stream      TEXT NOT NULL,
    ts          REAL NOT NULL,
    ingested    REAL NOT NULL,
    message     TEXT NOT NULL,
    request_id  TEXT NOT NULL
) STRICT;
INSERT INTO "log_events" VALUES(1,'/aws/lambda/keeps','2026/11/29/[$LATEST]c368ce4324da9b35e4f2fbc1b8951a87',1.79594367656469511987e+09,1.79594367656469726564e+09,'INIT_START Runtime Version: python:3.11.7','');
INSERT INTO "log_events" VALUES(2,'/aws/lambda/keeps','2026/11/29/[$LATEST]dca2ab7cc50330e9035138f9ca4d8c23',1.79594367657014918329e+09,1.79594367657015252116e+09,'INIT_START Runtime Version: python:3.11.7','');
INSERT INTO "log_events" VALUES(3,'/aws/lambda/keeps','2026/11/29/[$LATEST]169606d2a22bf6ad17a171861298167a',1.7959436766070907116e+09,1.7959436766070919037e+09,'INIT_START Runtime Version: python:3.11.7','');
INSERT INTO "log_events" VALUES(4,'/aws/lambda/keeps','2026/11/29/[$LATEST]c368ce4324da9b35e4f2fbc1b8951a87',1.79594367953891921041e+09,1.79594367953892350194e+09,'START RequestId: 391e870a-b829-410b-81a2-5063832fe592 Version: $LATEST','391e870a-b829-410b-81a2-5063832fe592');
INSERT INTO "log_events" VALUES(5,'/aws/lambda/keeps','2026/11/29/[$LATEST]c368ce4324da9b35e4f2fbc1b8951a87',1.79594367954518270491e+09,1.79594367954518604277e+09,'END RequestId: 391e870a-b829-410b-81a2-5063832fe592','391e870a-b829-410b-81a2-5063832fe592');
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
INSERT INTO "log_streams" VALUES('/aws/lambda/keeps','2026/11/29/[$LATEST]169606d2a22bf6ad17a171861298167a',1.7959436766070919037e+09,1.7959436766070907116e+09,1.79594368013992118832e+09,1.79594368013992166516e+09,487);
INSERT INTO "log_streams" VALUES('/aws/lambda/keeps','2026/11/29/[$LATEST]24c4ce7592e9877fb09092421971ae31',1.79594368063664174082e+09,1.79594368063663768764e+09,1.79594368063663768764e+09,1.79594368063664174082e+09,41);
INSERT INTO "log_streams" VALUES('/aws/lambda/keeps','2026/11/29/[$LATEST]523b444c9b416c9678ee03ff500e017c',1.79594368049127554899e+09,1.79594368049127149581e+09,1.79594368049127149581e+09,1.79594368049127554899e+09,41);
INSERT INTO "log_streams" VALUES('/aws/lambda/keeps','2026/11/29/[$LATEST]c368ce4324da9b35e4f2fbc1b8951a87',1.79594367656469726564e+09,1.79594367656469511987e+09,1.79594368036165785793e+09,1.79594368036165809637e+09,747);
INSERT INTO "log_streams" VALUES('/aws/lambda/keeps','2026/11/29/[$LATEST]dca2ab7cc50330e9035138f9ca4d8c23',1.79594367657015252116e+09,1.79594367657014918329e+09,1.79594368025464081765e+09,1.79594368025464105604e+09,748);
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
INSERT INTO "minutes" VALUES(1,1795943640,'Count',3.0,3.0,1.0,1.0,'{"1.0":3.0}');
INSERT INTO "minutes" VALUES(2,1795943640,'Count',3.0,3.0,1.0,1.0,'{"1.0":3.0}');
INSERT INTO "minutes" VALUES(3,1795943640,'Count',3.0,6.0,1.0,3.0,'{"3.0":1.0,"1.0":1.0,"2.0":1.0}');
INSERT INTO "minutes" VALUES(4,1795943640,'Count',3.0,6.0,1.0,3.0,'{"3.0":1.0,"1.0":1.0,"2.0":1.0}');
INSERT INTO "minutes" VALUES(9,1795943640,'Count',1.0,1.0,1.0,1.0,'{"1.0":1.0}');
INSERT INTO "minutes" VALUES(10,1795943640,'Bytes',1.0,14.0,14.0,14.0,'{"14.0":1.0}');
INSERT INTO "minutes" VALUES(11,1795943640,'Count',1.0,1.0,1.0,1.0,'{"1.0":1.0}');
INSERT INTO "minutes" VALUES(12,1795943640,'Count',1.0,1.0,1.0,1.0,'{"1.0":1.0}');
INSERT INTO "minutes" VALUES(13,1795943640,'Bytes',1.0,10.0,10.0,10.0,'{"10.0":1.0}');
INSERT INTO "minutes" VALUES(14,1795943640,'Count',2.0,2.0,1.0,1.0,'{"1.0":2.0}');
INSERT INTO "minutes" VALUES(15,1795943640,'Count',2.0,2.0,1.0,1.0,'{"1.0":2.0}');
INSERT INTO "minutes" VALUES(16,1795943640,'Count',2.0,0.0,0.0,0.0,'{"0.0":2.0}');
INSERT INTO "minutes" VALUES(17,1795943640,'Count',2.0,0.0,0.0,0.0,'{"0.0":2.0}');
INSERT INTO "minutes" VALUES(18,1795943640,'Count',2.0,0.0,0.0,0.0,'{"0.0":2.0}');
INSERT INTO "minutes" VALUES(19,1795943640,'Count',2.0,0.0,0.0,0.0,'{"0.0":2.0}');
INSERT INTO "minutes" VALUES(20,1795943640,'Milliseconds',2.0,1.72424499978660605847e+01,6.07411199962371,1.11683379982423502951e+01,'{"6.07":1.0,"11.2":1.0}');
INSERT INTO "minutes" VALUES(21,1795943640,'Milliseconds',2.0,1.72424499978660605847e+01,6.07411199962371,1.11683379982423502951e+01,'{"6.07":1.0,"11.2":1.0}');
INSERT INTO "minutes" VALUES(22,1795943640,'Milliseconds',2.0,1.14508152008056640625e+02,3.3648967742919921875e+01,8.085918426513671875e+01,'{"33.6":1.0,"80.9":1.0}');
INSERT INTO "minutes" VALUES(23,1795943640,'Milliseconds',2.0,1.14508152008056640625e+02,3.3648967742919921875e+01,8.085918426513671875e+01,'{"33.6":1.0,"80.9":1.0}');
CREATE TABLE series (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    namespace   TEXT NOT NULL,
    name        TEXT NOT NULL,
    dimensions  TEXT NOT NULL,
    last_ts     REAL NOT NULL,
    UNIQUE (namespace, name, dimensions)
) STRICT;
INSERT INTO "series" VALUES(1,'AWS/Lambda','AsyncEventsReceived','{}',1795943640.0);
INSERT INTO "series" VALUES(2,'AWS/Lambda','AsyncEventsReceived','{"FunctionName":"keeps"}',1795943640.0);
INSERT INTO "series" VALUES(3,'AWS/Lambda','ConcurrentExecutions','{}',1795943640.0);
INSERT INTO "series" VALUES(4,'AWS/Lambda','ConcurrentExecutions','{"FunctionName":"keeps"}',1795943640.0);
INSERT INTO "series" VALUES(9,'AWS/SNS','NumberOfMessagesPublished','{"TopicName":"told"}',1795943640.0);
INSERT INTO "series" VALUES(10,'AWS/SNS','PublishSize','{"TopicName":"told"}',1795943640.0);
INSERT INTO "series" VALUES(11,'AWS/SNS','NumberOfNotificationsDelivered','{"TopicName":"told"}',1795943640.0);
INSERT INTO "series" VALUES(12,'AWS/SNS','NumberOfMessagesPublished','{"PhoneNumber":"PhoneNumberDirect"}',1795943640.0);
INSERT INTO "series" VALUES(13,'AWS/SNS','PublishSize','{"PhoneNumber":"PhoneNumberDirect"}',1795943640.0);
INSERT INTO "series" VALUES(14,'AWS/Lambda','Invocations','{}',1795943640.0);
INSERT INTO "series" VALUES(15,'AWS/Lambda','Invocations','{"FunctionName":"keeps"}',1795943640.0);
INSERT INTO "series" VALUES(16,'AWS/Lambda','Errors','{}',1795943640.0);
INSERT INTO "series" VALUES(17,'AWS/Lambda','Errors','{"FunctionName":"keeps"}',1795943640.0);
INSERT INTO "series" VALUES(18,'AWS/Lambda','Throttles','{}',1795943640.0);
INSERT INTO "series" VALUES(19,'AWS/Lambda','Throttles','{"FunctionName":"keeps"}',1795943640.0);
INSERT INTO "series" VALUES(20,'AWS/Lambda','Duration','{}',1795943640.0);
INSERT INTO "series" VALUES(21,'AWS/Lambda','Duration','{"FunctionName":"keeps"}',1795943640.0);
INSERT INTO "series" VALUES(22,'AWS/Lambda','AsyncEventAge','{}',1795943640.0);
INSERT INTO "series" VALUES(23,'AWS/Lambda','AsyncEventAge','{"FunctionName":"keeps"}',1795943640.0);
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
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('log_events',23);
INSERT INTO "sqlite_sequence" VALUES('series',23);
COMMIT;
PRAGMA user_version = 2;
