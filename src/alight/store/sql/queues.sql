-- name: queues.send
-- A message enters a queue.
INSERT INTO queue_messages (id, queue, body, attributes, sender, sent, visible_at, receives, receipt, source, chain, crc)
VALUES (:id, :queue, :body, :attributes, :sender, :sent, :visible_at, 0, '', '', :chain,
        row_crc(:id, :queue, :body, :attributes, :sender, :sent));

-- name: queues.visible
-- The messages that may be received now, oldest first.
SELECT *, crc = row_crc(id, queue, body, attributes, sender, sent) AS intact FROM queue_messages
WHERE queue = :queue AND visible_at <= :now AND sent > :oldest ORDER BY visible_at, seq LIMIT :limit;

-- name: queues.any_visible
-- Is there anything to receive?
SELECT seq FROM queue_messages WHERE queue = :queue AND visible_at <= :now AND sent > :oldest LIMIT 1;

-- name: queues.next_visible
-- When the next hidden message shows up.
SELECT visible_at FROM queue_messages WHERE queue = :queue AND visible_at > :now ORDER BY visible_at LIMIT 1;

-- name: queues.take
-- Hand a message to one receiver and hide it.
UPDATE queue_messages SET visible_at = :visible_at, receives = receives + 1, receipt = :receipt,
       first_received = COALESCE(first_received, :now)
WHERE seq = :seq;

-- name: queues.move
-- A message that was received too often goes to the dead-letter queue; it keeps its id and the time it was sent.
UPDATE queue_messages SET queue = :target, visible_at = :now, receives = 0, receipt = '', first_received = NULL, source = :queue,
       crc = row_crc(id, :target, body, attributes, sender, sent)
WHERE seq = :seq;

-- name: queues.last
-- The youngest message of a queue.
SELECT COALESCE(MAX(seq), 0) AS seq FROM queue_messages WHERE queue = :queue;

-- name: queues.movable
-- Messages that nobody has in hand, oldest first, none younger than `last`.
SELECT *, crc = row_crc(id, queue, body, attributes, sender, sent) AS intact FROM queue_messages
WHERE queue = :queue AND visible_at <= :now AND sent > :oldest AND seq <= :last ORDER BY seq LIMIT :limit;

-- name: queues.remove
-- A message leaves its queue for another one.
DELETE FROM queue_messages WHERE seq = :seq;

-- name: queues.held
-- The message behind a receipt handle.
SELECT seq, queue, visible_at, receipt FROM queue_messages WHERE seq = :seq AND queue = :queue;

-- name: queues.delete
-- The receiver is done with it.
DELETE FROM queue_messages WHERE seq = :seq AND queue = :queue AND receipt = :receipt;

-- name: queues.hide
-- The receiver wants it longer, or gives it back.
UPDATE queue_messages SET visible_at = :visible_at WHERE seq = :seq AND queue = :queue AND receipt = :receipt;

-- name: queues.purge
-- Empty a queue.
DELETE FROM queue_messages WHERE queue = :queue;

-- name: queues.expire
-- Messages older than their queue keeps them.
DELETE FROM queue_messages WHERE queue = :queue AND sent <= :oldest;

-- name: queues.counts
-- How many messages wait, are delayed (never received, not yet visible) or are in flight.
SELECT COALESCE(SUM(visible_at <= :now), 0) AS visible,
       COALESCE(SUM(visible_at > :now AND receives = 0), 0) AS delayed,
       COALESCE(SUM(visible_at > :now AND receives > 0), 0) AS in_flight
FROM queue_messages WHERE queue = :queue AND sent > :oldest;

-- name: queues.count_visible
-- How many messages may be received now, counted up to a limit.
SELECT COUNT(*) AS visible FROM (SELECT seq FROM queue_messages
WHERE queue = :queue AND visible_at <= :now AND sent > :oldest LIMIT :limit);

-- name: queues.give_back
-- Its receiver has not begun with it: it is there at once, as if it had not been received.
UPDATE queue_messages SET visible_at = :now, receives = receives - 1,
       first_received = CASE WHEN receives > 1 THEN first_received END
WHERE seq = :seq AND queue = :queue AND receipt = :receipt;

-- name: queues.mend_index
-- By what their rows say, whatever it is.
REINDEX queue_messages;

-- name: queues.mend_texts
-- Texts that are no UTF-8 can be read again; their row's checksum stays wrong.
UPDATE queue_messages SET id = readable(CAST(id AS BLOB)), queue = readable(CAST(queue AS BLOB)), body = readable(CAST(body AS BLOB)),
       attributes = readable(CAST(attributes AS BLOB)), sender = readable(CAST(sender AS BLOB)),
       receipt = readable(CAST(receipt AS BLOB)), source = readable(CAST(source AS BLOB)),
       chain = readable(CAST(chain AS BLOB))
WHERE readable(CAST(id AS BLOB)) IS NOT id OR readable(CAST(queue AS BLOB)) IS NOT queue
   OR readable(CAST(body AS BLOB)) IS NOT body OR readable(CAST(attributes AS BLOB)) IS NOT attributes
   OR readable(CAST(sender AS BLOB)) IS NOT sender OR readable(CAST(receipt AS BLOB)) IS NOT receipt
   OR readable(CAST(source AS BLOB)) IS NOT source OR readable(CAST(chain AS BLOB)) IS NOT chain
RETURNING id, queue, 0 AS intact;

-- name: queues.shift
-- The clock was set while we ran: messages are as old, and as long out of sight, as they were.
UPDATE queue_messages SET visible_at = visible_at + :seconds, sent = sent + :seconds,
       first_received = first_received + :seconds,
       crc = iif(row_crc(id, queue, body, attributes, sender, sent) = crc,
                 row_crc(id, queue, body, attributes, sender, sent + :seconds), crc);
