-- What models answered to functions; what was asked of APIs.

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
CREATE INDEX predictions_by_request ON predictions (request_id);
CREATE INDEX predictions_by_label ON predictions (label, ts);
CREATE INDEX predictions_by_age ON predictions (ts);
CREATE INDEX predictions_alone ON predictions (ts) WHERE event_id = '';

-- Requests to deployed APIs, by API.
CREATE INDEX spans_of_apis ON spans (json_extract(attributes, '$.Api'), id)
WHERE name >= 'execute-api ' AND name < 'execute-api!';
