-- name: telemetry.prediction
-- A model answered a function.
INSERT INTO predictions
    (request_id, event_id, endpoint, variant, ts, duration, content_type, request, answer, label, confidence, guesses)
VALUES (:request_id, :event_id, :endpoint, :variant, :ts, :duration, :content_type, :request, :answer, :label,
        :confidence, :guesses);

-- name: telemetry.predictions_of_requests
-- What was answered for each of some requests.
SELECT * FROM predictions WHERE request_id IN (SELECT value FROM json_each(:ids)) ORDER BY request_id, ts, id;

-- name: telemetry.predictions_alone
-- The newest answers that no event caused: literally, so that their own small index serves.
SELECT * FROM predictions WHERE event_id = '' AND ts < :before ORDER BY ts DESC, id DESC LIMIT :limit;

-- name: telemetry.predictions_sure
-- The newest answers that are sure enough: those of each per cent from the newest back, as their index has them.
WITH RECURSIVE percent(value) AS (
    SELECT max(0, CAST(:least * 100 AS INTEGER) - 1) UNION ALL SELECT value + 1 FROM percent WHERE value < 100)
SELECT p.* FROM percent JOIN predictions p ON p.id IN (
    SELECT id FROM predictions
    WHERE min(100, max(0, CAST(confidence * 100 AS INTEGER))) = percent.value AND confidence IS NOT NULL
      AND confidence >= :least AND ts < :before
    ORDER BY ts DESC LIMIT :limit)
ORDER BY p.ts DESC, p.id DESC LIMIT :limit;

-- name: telemetry.predictions_of_label
-- The same of one label; where nothing is asked for, what has no confidence is among them.
WITH RECURSIVE percent(value) AS (
    SELECT max(0, CAST(:least * 100 AS INTEGER) - 1) UNION ALL SELECT value + 1 FROM percent WHERE value < 100)
SELECT p.* FROM (SELECT value FROM percent UNION ALL SELECT NULL WHERE :least = 0) AS percent
JOIN predictions p ON p.id IN (
    SELECT id FROM predictions
    WHERE label = :label AND min(100, max(0, CAST(confidence * 100 AS INTEGER))) IS percent.value
      AND (:least = 0 OR confidence >= :least) AND ts < :before
    ORDER BY ts DESC LIMIT :limit)
ORDER BY p.ts DESC, p.id DESC LIMIT :limit;

-- name: telemetry.prune_predictions
-- Answers older than their time.
DELETE FROM predictions WHERE id IN (SELECT id FROM predictions WHERE ts < :before LIMIT :limit);
