-- name: verify.records
-- Damaged definitions.
SELECT kind, name FROM records WHERE crc IS NOT row_crc(kind, name, body, created, modified);

-- name: verify.buckets
-- Damaged buckets.
SELECT name FROM buckets WHERE crc IS NOT row_crc(name, created, settings);

-- name: verify.objects
-- Damaged objects.
SELECT bucket, key FROM objects
WHERE crc IS NOT row_crc(
    bucket, key, version_id, size, etag, last_modified, sequencer, crc64nvme, segments, info, parts);

-- name: verify.versions
-- Damaged versions.
SELECT bucket, key, visible FROM versions
WHERE crc IS NOT row_crc(
    bucket, key, version_id, visible, size, etag, last_modified, sequencer, crc64nvme, segments, info, parts);

-- name: verify.uploads
-- Damaged uploads.
SELECT id, key FROM uploads WHERE crc IS NOT row_crc(id, bucket, key, initiated, info);

-- name: verify.parts
-- Damaged parts.
SELECT upload_id, number FROM parts
WHERE crc IS NOT row_crc(upload_id, number, size, etag, last_modified, checksums, segments);

-- name: verify.events
-- Damaged events; the second checksum is that of an event that has ended.
SELECT id, function FROM events
WHERE crc NOT IN (
    row_crc(id, function, payload, source, accepted, expires, retries),
    row_crc(id, function, payload, source, accepted, expires, retries, finished, error, result));

-- name: verify.attempts
-- Damaged accounts of attempts.
SELECT event_id, fence FROM attempts
WHERE crc IS NOT NULL AND crc IS NOT row_crc(event_id, fence, request_id, started, ended, outcome, error);

-- name: verify.messages
-- Damaged messages of topics.
SELECT id, topic FROM messages
WHERE crc IS NOT row_crc(id, kind, topic, target, subject, body, structure, attributes, token, published);

-- name: verify.deliveries
-- Damaged deliveries.
SELECT id, message_id FROM deliveries WHERE crc IS NOT row_crc(message_id, subscription, protocol, target, raw, created);

-- name: verify.queue_messages
-- Damaged messages of queues.
SELECT id, queue FROM queue_messages WHERE crc IS NOT row_crc(id, queue, body, attributes, sender, sent);

-- name: verify.counters
-- Counters that are behind what they have numbered.
SELECT name, value FROM counters
WHERE value < 0 OR (name = 'sequencer' AND printf('%016X', value) < (
    SELECT max(sequencer) FROM (SELECT sequencer FROM objects UNION ALL SELECT sequencer FROM versions)));

-- name: verify.references
-- Bodies that are missing, or counted wrongly: how often they are referred to, and what their rows say (null: none).
WITH used AS (
    SELECT json_extract(segment.value, '$[0]') AS id, count(*) AS times
    FROM (SELECT segments FROM objects UNION ALL SELECT segments FROM versions
          UNION ALL SELECT segments FROM parts) AS holder,
        json_each(holder.segments) AS segment
    GROUP BY 1
)
SELECT coalesce(used.id, bodies.id) AS id, coalesce(used.times, 0) AS times, bodies.refs AS refs
FROM used FULL JOIN bodies ON bodies.id = used.id
WHERE used.times IS NOT bodies.refs;

-- name: verify.code
-- Functions, their versions, and layers: what they say of their code.
SELECT kind, name, body FROM records WHERE kind IN ('lambda:function', 'lambda:version', 'lambda:layer') ORDER BY kind, name;

-- name: verify.bodies
-- Bodies, a page at a time.
SELECT id, size, crc64nvme, data FROM bodies WHERE id > :after ORDER BY id LIMIT 100;
