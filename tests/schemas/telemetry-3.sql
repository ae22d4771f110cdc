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
INSERT INTO "invocations" VALUES(1,'87e17896-1dfb-4a9a-b25f-4bcb88b47893','87e17896-1dfb-4a9a-b25f-4bcb88b47893','keeps',1,1.79594369617652750018e+09,1.79594370026834583282e+09,3.43439879899960942566e+03,'crash','{"errorType":"Runtime.ExitError","errorMessage":"RequestId: 87e17896-1dfb-4a9a-b25f-4bcb88b47893 Error: Runtime exited with error: exit status 1"}',39);
INSERT INTO "invocations" VALUES(2,'b568c9a9-9ea1-4943-b73e-09e4dba67319','b568c9a9-9ea1-4943-b73e-09e4dba67319','keeps',1,1.79594369596603608131e+09,1.79594370029140663145e+09,3.59410452099837129935e+03,'ok','',39);
INSERT INTO "invocations" VALUES(3,'9a7242e7-3c77-4cdb-b255-b08e11036f23','9a7242e7-3c77-4cdb-b255-b08e11036f23','keeps',1,1.7959436961150784493e+09,1.79594370031675362592e+09,3.59008032400015508756e+03,'ok','',39);
INSERT INTO "invocations" VALUES(4,'87e17896-1dfb-4a9a-b25f-4bcb88b47893','87e17896-1dfb-4a9a-b25f-4bcb88b47893','keeps',2,1.79594370031934571271e+09,1.79594370034614896772e+09,NULL,'crash','{"errorType":"Runtime.ExitError","errorMessage":"RequestId: 87e17896-1dfb-4a9a-b25f-4bcb88b47893 Error: Runtime exited with error: exit status 1"}',39);
INSERT INTO "invocations" VALUES(5,'87e17896-1dfb-4a9a-b25f-4bcb88b47893','87e17896-1dfb-4a9a-b25f-4bcb88b47893','keeps',3,1.79594370039810562137e+09,1.79594370040325617787e+09,NULL,'crash','{"errorType":"Runtime.ExitError","errorMessage":"RequestId: 87e17896-1dfb-4a9a-b25f-4bcb88b47893 Error: Runtime exited with error: exit status 1"}',39);
CREATE TABLE log_events (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    log_group   TEXT NOT NULL,
    stream      TEXT NOT NULL,
    ts          REAL NOT NULL,
    ingested    REAL NOT NULL,
    message     TEXT NOT NULL,
    request_id  TEXT NOT NULL
) STRICT;
INSERT INTO "log_events" VALUES(1,'/aws/lambda/keeps','2026/11/29/[$LATEST]0f2e3e399c1ea451d439872b10f764f7',1.79594369669519066806e+09,1.79594369669519543647e+09,'INIT_START Runtime Version: python:3.11.7','');
INSERT INTO "log_events" VALUES(2,'/aws/lambda/keeps','2026/11/29/[$LATEST]735812b94362d32cd234e8fc8122aaed',1.79594369671662354472e+09,1.79594369671663212778e+09,'INIT_START Runtime Version: python:3.11.7','');
INSERT INTO "log_events" VALUES(3,'/aws/lambda/keeps','2026/11/29/[$LATEST]b6865b1995e55c6d6ae0d68cebc8cc30',1.79594369674301648134e+09,1.79594369674302458761e+09,'INIT_START Runtime Version: python:3.11.7','');
INSERT INTO "log_events" VALUES(4,'/aws/lambda/keeps','2026/11/29/[$LATEST]b6865b1995e55c6d6ae0d68cebc8cc30',1.79594370017790079118e+09,1.79594370017790889741e+09,'START RequestId: 87e17896-1dfb-4a9a-b25f-4bcb88b47893 Version: $LATEST','87e17896-1dfb-4a9a-b25f-4bcb88b47893');
INSERT INTO "log_events" VALUES(5,'/aws/lambda/keeps','2026/11/29/[$LATEST]b6865b1995e55c6d6ae0d68cebc8cc30',1.79594370026791357993e+09,1.79594370026791882513e+09,'RequestId: 87e17896-1dfb-4a9a-b25f-4bcb88b47893 Error: Runtime exited with error: exit status 1
Runtime.ExitError','87e17896-1dfb-4a9a-b25f-4bcb88b47893');
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
INSERT INTO "log_streams" VALUES('/aws/lambda/keeps','2026/11/29/[$LATEST]076de514d9912b855c8e7ee6baa47b8b',1.795943700616215229e+09,1.79594370061621093747e+09,1.79594370061621093747e+09,1.795943700616215229e+09,67);
INSERT INTO "log_streams" VALUES('/aws/lambda/keeps','2026/11/29/[$LATEST]0f2e3e399c1ea451d439872b10f764f7',1.79594369669519543647e+09,1.79594369669519066806e+09,1.7959437004028091431e+09,1.7959437004028093815e+09,953);
INSERT INTO "log_streams" VALUES('/aws/lambda/keeps','2026/11/29/[$LATEST]618e273b32691e8ce70491d9522c8845',1.79594370055152130127e+09,1.79594370055151700974e+09,1.79594370055151700974e+09,1.79594370055152130127e+09,67);
INSERT INTO "log_streams" VALUES('/aws/lambda/keeps','2026/11/29/[$LATEST]735812b94362d32cd234e8fc8122aaed',1.79594369671663212778e+09,1.79594369671662354472e+09,1.79594370034553909298e+09,1.79594370034553909298e+09,955);
INSERT INTO "log_streams" VALUES('/aws/lambda/keeps','2026/11/29/[$LATEST]b6865b1995e55c6d6ae0d68cebc8cc30',1.79594369674302458761e+09,1.79594369674301648134e+09,1.79594370026794314387e+09,1.79594370026794338231e+09,617);
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
INSERT INTO "minutes" VALUES(3,1795943640,'Count',3.0,6.0,1.0,3.0,'{"1.0":1.0,"2.0":1.0,"3.0":1.0}');
INSERT INTO "minutes" VALUES(3,1795943700,'Count',2.0,2.0,1.0,1.0,'{"1.0":2.0}');
INSERT INTO "minutes" VALUES(4,1795943640,'Count',3.0,6.0,1.0,3.0,'{"1.0":1.0,"2.0":1.0,"3.0":1.0}');
INSERT INTO "minutes" VALUES(4,1795943700,'Count',2.0,2.0,1.0,1.0,'{"1.0":2.0}');
INSERT INTO "minutes" VALUES(5,1795943640,'Count',1.0,1.0,1.0,1.0,'{"1.0":1.0}');
INSERT INTO "minutes" VALUES(6,1795943640,'Bytes',1.0,14.0,14.0,14.0,'{"14.0":1.0}');
INSERT INTO "minutes" VALUES(7,1795943640,'Count',2.0,2.0,1.0,1.0,'{"1.0":2.0}');
INSERT INTO "minutes" VALUES(8,1795943640,'Bytes',2.0,882.0,12.0,870.0,'{"870.0":1.0,"12.0":1.0}');
INSERT INTO "minutes" VALUES(9,1795943640,'Count',1.0,1.0,1.0,1.0,'{"1.0":1.0}');
INSERT INTO "minutes" VALUES(10,1795943640,'Count',1.0,1.0,1.0,1.0,'{"1.0":1.0}');
INSERT INTO "minutes" VALUES(11,1795943640,'Bytes',1.0,10.0,10.0,10.0,'{"10.0":1.0}');
INSERT INTO "minutes" VALUES(12,1795943700,'Count',5.0,5.0,1.0,1.0,'{"1.0":5.0}');
INSERT INTO "minutes" VALUES(13,1795943700,'Count',5.0,5.0,1.0,1.0,'{"1.0":5.0}');
INSERT INTO "minutes" VALUES(14,1795943700,'Count',5.0,3.0,0.0,1.0,'{"1.0":3.0,"0.0":2.0}');
INSERT INTO "minutes" VALUES(15,1795943700,'Count',5.0,3.0,0.0,1.0,'{"1.0":3.0,"0.0":2.0}');
INSERT INTO "minutes" VALUES(16,1795943700,'Count',5.0,0.0,0.0,0.0,'{"0.0":5.0}');
INSERT INTO "minutes" VALUES(17,1795943700,'Count',5.0,0.0,0.0,0.0,'{"0.0":5.0}');
INSERT INTO "minutes" VALUES(18,1795943700,'Milliseconds',5.0,1.30161360000784043222e+02,1.00561400176957249641e+00,89.9037649978709,'{"89.9":1.0,"1.01":1.0,"9.06":1.0,"25.9":1.0,"4.3":1.0}');
INSERT INTO "minutes" VALUES(19,1795943700,'Milliseconds',5.0,1.30161360000784043222e+02,1.00561400176957249641e+00,89.9037649978709,'{"89.9":1.0,"1.01":1.0,"9.06":1.0,"25.9":1.0,"4.3":1.0}');
INSERT INTO "minutes" VALUES(20,1795943700,'Milliseconds',5.0,8.64049601554870605468e+03,4.95932102203369140625e+01,4271.17133140564,'{"49.6":1.0,"54.5":1.0,"72.8":1.0,"4190.0":1.0,"4270.0":1.0}');
INSERT INTO "minutes" VALUES(21,1795943700,'Milliseconds',5.0,8.64049601554870605468e+03,4.95932102203369140625e+01,4271.17133140564,'{"49.6":1.0,"54.5":1.0,"72.8":1.0,"4190.0":1.0,"4270.0":1.0}');
INSERT INTO "minutes" VALUES(24,1795943700,'Count',1.0,1.0,1.0,1.0,'{"1.0":1.0}');
INSERT INTO "minutes" VALUES(25,1795943700,'Count',1.0,1.0,1.0,1.0,'{"1.0":1.0}');
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
INSERT INTO "series" VALUES(1,'AWS/Lambda','AsyncEventsReceived','{}',1795943640.0);
INSERT INTO "series" VALUES(2,'AWS/Lambda','AsyncEventsReceived','{"FunctionName":"keeps"}',1795943640.0);
INSERT INTO "series" VALUES(3,'AWS/Lambda','ConcurrentExecutions','{}',1795943700.0);
INSERT INTO "series" VALUES(4,'AWS/Lambda','ConcurrentExecutions','{"FunctionName":"keeps"}',1795943700.0);
INSERT INTO "series" VALUES(5,'AWS/SNS','NumberOfMessagesPublished','{"TopicName":"told"}',1795943640.0);
INSERT INTO "series" VALUES(6,'AWS/SNS','PublishSize','{"TopicName":"told"}',1795943640.0);
INSERT INTO "series" VALUES(7,'AWS/SQS','NumberOfMessagesSent','{"QueueName":"told"}',1795943640.0);
INSERT INTO "series" VALUES(8,'AWS/SQS','SentMessageSize','{"QueueName":"told"}',1795943640.0);
INSERT INTO "series" VALUES(9,'AWS/SNS','NumberOfNotificationsDelivered','{"TopicName":"told"}',1795943640.0);
INSERT INTO "series" VALUES(10,'AWS/SNS','NumberOfMessagesPublished','{"PhoneNumber":"PhoneNumberDirect"}',1795943640.0);
INSERT INTO "series" VALUES(11,'AWS/SNS','PublishSize','{"PhoneNumber":"PhoneNumberDirect"}',1795943640.0);
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
INSERT INTO "series" VALUES(24,'AWS/Lambda','AsyncEventsDropped','{}',1795943700.0);
INSERT INTO "series" VALUES(25,'AWS/Lambda','AsyncEventsDropped','{"FunctionName":"keeps"}',1795943700.0);
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
CREATE INDEX predictions_by_label ON predictions (label, ts);
CREATE INDEX predictions_by_age ON predictions (ts);
CREATE INDEX predictions_alone ON predictions (ts) WHERE event_id = '';
CREATE INDEX spans_of_apis ON spans (json_extract(attributes, '$.Api'), id)
WHERE name >= 'execute-api ' AND name < 'execute-api!';
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('series',25);
INSERT INTO "sqlite_sequence" VALUES('log_events',23);
COMMIT;
PRAGMA user_version = 3;
