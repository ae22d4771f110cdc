-- name: telemetry.log
-- A line of a log.
INSERT INTO log_events (log_group, stream, ts, ingested, message, request_id)
VALUES (:log_group, :stream, :ts, :ingested, :message, :request_id);

-- name: telemetry.log_seen
-- Keep a stream's first and last times.
INSERT INTO log_streams (log_group, stream, created, first_ts, last_ts, last_ingested, bytes)
VALUES (:log_group, :stream, :ingested, :first, :last, :ingested, :bytes)
ON CONFLICT (log_group, stream) DO UPDATE SET
    first_ts = min(coalesce(first_ts, excluded.first_ts), excluded.first_ts),
    last_ts = max(coalesce(last_ts, excluded.last_ts), excluded.last_ts),
    last_ingested = excluded.last_ingested,
    bytes = bytes + excluded.bytes;

-- name: telemetry.stream_add
-- A stream that has no line yet.
INSERT OR IGNORE INTO log_streams (log_group, stream, created) VALUES (:log_group, :stream, :now);

-- name: telemetry.span
-- A step of a request.
INSERT INTO spans (request_id, event_id, name, start, end, attributes)
VALUES (:request_id, :event_id, :name, :start, :end, :attributes);

-- name: telemetry.invocation
-- A function was run.
INSERT INTO invocations
    (request_id, event_id, function, attempt, started, ended, init_ms, outcome, error, max_memory_mb)
VALUES (:request_id, :event_id, :function, :attempt, :started, :ended, :init_ms, :outcome, :error, :max_memory_mb);

-- name: telemetry.series_seen
-- A metric has values under these dimensions.
INSERT INTO series (namespace, name, dimensions, last_ts) VALUES (:namespace, :name, :dimensions, :ts)
ON CONFLICT (namespace, name, dimensions) DO UPDATE SET last_ts = max(last_ts, excluded.last_ts) RETURNING id;

-- name: telemetry.minute
-- What a minute's values come to so far.
SELECT count, sum, low, high, spread FROM minutes WHERE series = :series AND minute = :minute AND unit = :unit;

-- name: telemetry.minute_put
-- What they come to now.
INSERT INTO minutes (series, minute, unit, count, sum, low, high, spread)
VALUES (:series, :minute, :unit, :count, :sum, :low, :high, :spread)
ON CONFLICT (series, minute, unit) DO UPDATE SET
    count = excluded.count, sum = excluded.sum, low = excluded.low, high = excluded.high, spread = excluded.spread;

-- name: telemetry.logs
-- Lines of a group in the order of time, behind a place (time, id), within a stretch of time.
SELECT id, log_group, stream, ts, ingested, message, request_id FROM log_events
WHERE log_group = :log_group AND (ts, id) > (:after_ts, :after_row) AND id > :after_id AND ts >= :start AND ts < :end
ORDER BY ts, id LIMIT :limit;

-- name: telemetry.logs_back
-- The same, newest first, before a place.
SELECT id, log_group, stream, ts, ingested, message, request_id FROM log_events
WHERE log_group = :log_group AND (ts, id) < (:before_ts, :before_id) AND ts >= :start AND ts < :end
ORDER BY ts DESC, id DESC LIMIT :limit;

-- name: telemetry.stream_logs
-- Lines of one stream in the order of time, behind a place.
SELECT id, log_group, stream, ts, ingested, message, request_id FROM log_events
WHERE log_group = :log_group AND stream = :stream
    AND (ts, id) > (:after_ts, :after_row) AND id > :after_id AND ts >= :start AND ts < :end
ORDER BY ts, id LIMIT :limit;

-- name: telemetry.stream_logs_back
-- The same, newest first, before a place.
SELECT id, log_group, stream, ts, ingested, message, request_id FROM log_events
WHERE log_group = :log_group AND stream = :stream
    AND (ts, id) < (:before_ts, :before_id) AND ts >= :start AND ts < :end
ORDER BY ts DESC, id DESC LIMIT :limit;

-- name: telemetry.logs_of_request
-- Lines of one request, in the order in which they came.
SELECT id, log_group, stream, ts, ingested, message, request_id FROM log_events
WHERE request_id = :request_id AND request_id <> '' AND id > :after_id ORDER BY id LIMIT :limit;

-- name: telemetry.logs_since
-- Lines of a group in the order in which they came, for followers.
SELECT id, log_group, stream, ts, ingested, message, request_id FROM log_events
WHERE id > :after_id AND log_group = :log_group ORDER BY id LIMIT :limit;

-- name: telemetry.last_log_id
-- Where followers begin.
SELECT coalesce(max(id), 0) AS id FROM log_events;

-- name: telemetry.streams
-- Streams of a group by name.
SELECT log_group, stream, created, first_ts, last_ts, last_ingested, bytes FROM log_streams
WHERE log_group = :log_group AND stream >= :start AND stream < :end ORDER BY stream LIMIT :limit;

-- name: telemetry.groups
-- Groups that have streams, by name.
SELECT log_group, min(created) AS created, sum(bytes) AS bytes FROM log_streams
WHERE log_group >= :start AND log_group < :end GROUP BY log_group ORDER BY log_group LIMIT :limit;

-- name: telemetry.spans_of_request
-- The steps of a request.
SELECT request_id, event_id, name, start, end, attributes FROM spans
WHERE request_id = :request_id ORDER BY start, id LIMIT :limit;

-- name: telemetry.spans_of_event
-- The steps that were taken for an event.
SELECT request_id, event_id, name, start, end, attributes FROM spans
WHERE event_id = :event_id AND event_id <> '' ORDER BY start, id LIMIT :limit;

-- name: telemetry.invocations_of_function
-- Runs of a function, newest first.
SELECT * FROM invocations WHERE function = :function AND started >= :start AND started < :end
ORDER BY started DESC, id DESC LIMIT :limit;

-- name: telemetry.invocations_of_event
-- Runs for one event, in order.
SELECT * FROM invocations WHERE event_id = :event_id AND event_id <> '' ORDER BY started, id LIMIT :limit;

-- name: telemetry.invocations_of_request
-- The runs of one request.
SELECT * FROM invocations WHERE request_id = :request_id ORDER BY started, id LIMIT :limit;

-- name: telemetry.invocations
-- Runs of all functions, newest first.
SELECT * FROM invocations WHERE started >= :start AND started < :end ORDER BY started DESC, id DESC LIMIT :limit;

-- name: telemetry.minutes
-- A metric's minutes in the order of time.
SELECT m.minute, m.unit, m.count, m.sum, m.low, m.high, m.spread FROM series AS s JOIN minutes AS m ON m.series = s.id
WHERE s.namespace = :namespace AND s.name = :name AND s.dimensions = :dimensions
    AND m.minute >= :start AND m.minute < :end
ORDER BY m.minute, m.unit;

-- name: telemetry.series
-- Which metrics there are, in order, behind a place; null means any.
SELECT namespace, name, dimensions, last_ts FROM series
WHERE (namespace, name, dimensions) > (:after_namespace, :after_name, :after_dimensions)
    AND (:namespace IS NULL OR namespace = :namespace) AND (:name IS NULL OR name = :name) AND last_ts >= :since
ORDER BY namespace, name, dimensions LIMIT :limit;

-- name: telemetry.prune_logs
-- Forget some of the lines that are too old.
DELETE FROM log_events WHERE id IN (
    SELECT id FROM log_events WHERE ts < :before AND log_group NOT IN (SELECT value FROM json_each(:spared))
    LIMIT :limit);

-- name: telemetry.prune_group
-- Forget some of the lines of one group that are too old.
DELETE FROM log_events
WHERE id IN (SELECT id FROM log_events WHERE log_group = :log_group AND ts < :before LIMIT :limit);

-- name: telemetry.prune_stream
-- Forget some of the lines of one stream that are too old.
DELETE FROM log_events WHERE id IN (
    SELECT id FROM log_events WHERE log_group = :log_group AND stream = :stream AND ts < :before LIMIT :limit);

-- name: telemetry.prune_spans
-- Forget some of the steps that are too old.
DELETE FROM spans WHERE id IN (SELECT id FROM spans WHERE start < :before LIMIT :limit);

-- name: telemetry.prune_invocations
-- Forget some of the runs that are too old.
DELETE FROM invocations WHERE id IN (SELECT id FROM invocations WHERE started < :before LIMIT :limit);

-- name: telemetry.prune_minutes
-- Forget some of the minutes that are too old.
DELETE FROM minutes WHERE (series, minute, unit) IN (
    SELECT series, minute, unit FROM minutes WHERE minute < :before LIMIT :limit);

-- name: telemetry.prune_series
-- Forget metrics that have no value left.
DELETE FROM series WHERE id IN (SELECT id FROM series WHERE last_ts < :before LIMIT :limit);

-- name: telemetry.recount_streams
-- Streams that have lost some of their lines: what is left of them, and since when.
UPDATE log_streams SET
    bytes = (
        SELECT coalesce(sum(length(CAST(message AS BLOB)) + 26), 0) FROM log_events AS e
        WHERE e.log_group = log_streams.log_group AND e.stream = log_streams.stream),
    first_ts = (
        SELECT min(ts) FROM log_events AS e
        WHERE e.log_group = log_streams.log_group AND e.stream = log_streams.stream)
WHERE first_ts < :before AND last_ts >= :before AND (:log_group IS NULL OR log_group = :log_group)
    AND log_group NOT IN (SELECT value FROM json_each(:spared));

-- name: telemetry.prune_streams
-- Forget streams that have no line left, of one group or of all that are not spared.
DELETE FROM log_streams WHERE coalesce(last_ts, created) < :before AND (:log_group IS NULL OR log_group = :log_group)
    AND log_group NOT IN (SELECT value FROM json_each(:spared));

-- name: telemetry.delete_streams
-- Forget a group's streams, or one of them.
DELETE FROM log_streams WHERE log_group = :log_group AND (:stream IS NULL OR stream = :stream);

-- name: telemetry.api_requests
-- The newest requests to one deployed API.
SELECT request_id, name, start, end, attributes FROM spans
WHERE name >= 'execute-api ' AND name < 'execute-api!' AND json_extract(attributes, '$.Api') = :api
ORDER BY id DESC LIMIT :limit;
