-- name: telemetry.prediction
-- A model answered a function.
INSERT INTO predictions
    (request_id, event_id, endpoint, variant, ts, duration, content_type, request, answer, label, confidence, guesses)
VALUES (:request_id, :event_id, :endpoint, :variant, :ts, :duration, :content_type, :request, :answer, :label,
        :confidence, :guesses);

-- name: telemetry.predictions_of_requests
-- What was answered for each of some requests.
SELECT * FROM predictions WHERE request_id IN (SELECT value FROM json_each(:ids)) ORDER BY request_id, ts, id;

-- name: telemetry.predictions
-- The newest answers before a moment.
SELECT * FROM predictions
WHERE ts < :before AND coalesce(confidence, 1) >= :least AND (:endpoint = '' OR endpoint = :endpoint)
ORDER BY ts DESC, id DESC LIMIT :limit;

-- name: telemetry.predictions_alone
-- The newest answers that no event caused: literally, so that their own small index serves.
SELECT * FROM predictions
WHERE event_id = '' AND ts < :before AND coalesce(confidence, 1) >= :least AND (:endpoint = '' OR endpoint = :endpoint)
ORDER BY ts DESC, id DESC LIMIT :limit;

-- name: telemetry.predictions_of_label
-- The newest answers of one label before a moment.
SELECT * FROM predictions
WHERE label = :label AND ts < :before AND coalesce(confidence, 1) >= :least
  AND (:endpoint = '' OR endpoint = :endpoint) AND (NOT :alone OR event_id = '')
ORDER BY ts DESC, id DESC LIMIT :limit;

-- name: telemetry.prune_predictions
-- Answers older than their time.
DELETE FROM predictions WHERE id IN (SELECT id FROM predictions WHERE ts < :before LIMIT :limit);
