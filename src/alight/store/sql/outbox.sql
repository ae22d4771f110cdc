-- name: outbox.add_message
-- A message that was published: staged under an attempt, or accepted at once.
INSERT INTO messages (id, kind, topic, target, subject, body, structure, attributes, token, event_id, fence, ordinal, key, state,
                      published, accepted, chain, crc)
VALUES (:id, :kind, :topic, :target, :subject, :body, :structure, :attributes, :token, :event_id, :fence, :ordinal, :key,
        :state, :published, :accepted, :chain,
        row_crc(:id, :kind, :topic, :target, :subject, :body, :structure, :attributes, :token, :published));

-- name: outbox.message
-- One message, with what its row's checksum says today.
SELECT *, crc = row_crc(id, kind, topic, target, subject, body, structure, attributes, token, published) AS intact
FROM messages WHERE id = :id;

-- name: outbox.published
-- How many messages an attempt has published so far.
SELECT COUNT(*) AS published FROM messages WHERE event_id = :event_id AND fence = :fence;

-- name: outbox.event
-- Where the event stands on whose behalf somebody publishes.
SELECT state, fence FROM events WHERE id = :event_id;

-- name: outbox.keyed
-- The message that was published under an idempotency key.
SELECT id, fence FROM messages WHERE key = :key;

-- name: outbox.adopt
-- A retry published the same message again: it counts as this attempt's.
UPDATE messages SET fence = :fence, ordinal = :ordinal WHERE id = :id;

-- name: outbox.staged
-- What an attempt has staged, in the order of its publishes.
SELECT *, crc = row_crc(id, kind, topic, target, subject, body, structure, attributes, token, published) AS intact
FROM messages WHERE event_id = :event_id AND fence = :fence AND state = 'staged' ORDER BY ordinal;

-- name: outbox.accept
-- A staged message leaves with its deciding attempt.
UPDATE messages SET state = 'accepted', accepted = :now WHERE id = :id AND state = 'staged';

-- name: outbox.discard
-- What one attempt staged will not be sent.
UPDATE messages SET state = 'discarded' WHERE event_id = :event_id AND fence = :fence AND state = 'staged';

-- name: outbox.discard_event
-- Nothing that is still staged for this event will be sent.
UPDATE messages SET state = 'discarded' WHERE event_id = :event_id AND state = 'staged';

-- name: outbox.messages_of_event
-- All messages of one event, for its story.
SELECT *, crc = row_crc(id, kind, topic, target, subject, body, structure, attributes, token, published) AS intact
FROM messages WHERE event_id = :event_id ORDER BY published, ordinal;

-- name: outbox.messages_of_topic
-- A page of a topic's messages, newest first, and how many deliveries of each stand where (`{"sent": 2}`).
SELECT id, subject, body, structure, event_id, published, (
    SELECT json_group_object(state, number)
    FROM (SELECT state, COUNT(*) AS number FROM deliveries WHERE message_id = messages.id GROUP BY state)) AS deliveries
FROM messages WHERE topic = :topic AND state = 'accepted' AND kind = 'Notification'
AND (published, id) < (:published, :id) ORDER BY published DESC, id DESC LIMIT :limit;

-- name: outbox.told_of_events
-- What left on behalf of some events, with its deliveries in brief; a message that nobody subscribes to has a row, too.
SELECT m.event_id, m.id, m.body, m.structure, d.protocol, d.target, d.state
FROM messages m LEFT JOIN deliveries d ON d.message_id = m.id
WHERE m.event_id IN (SELECT value FROM json_each(:ids)) AND m.state = 'accepted'
ORDER BY m.published, m.ordinal, m.id, d.id;

-- name: outbox.add_delivery
-- One message to one target; ready, held, or with a sender from the start.
INSERT INTO deliveries (message_id, subscription, protocol, target, raw, state, attempts, not_before, fence, uncertain,
                        reason, last_error, created, started, crc)
VALUES (:message_id, :subscription, :protocol, :target, :raw, :state, :leases, :now, :leases, 0, :reason, '', :now, :started,
        row_crc(:message_id, :subscription, :protocol, :target, :raw, :now));

-- name: outbox.due
-- Deliveries that may start now, but for those under way and those to targets that have enough under way.
SELECT *, crc = row_crc(message_id, subscription, protocol, target, raw, created) AS intact FROM deliveries
WHERE state = 'ready' AND not_before <= :now AND target NOT IN (SELECT value FROM json_each(:blocked))
AND id NOT IN (SELECT value FROM json_each(:busy))
ORDER BY not_before, id LIMIT :limit;

-- name: outbox.next_due
-- When the next delivery that waits may start.
SELECT not_before FROM deliveries WHERE state = 'ready' AND not_before > :now ORDER BY not_before LIMIT 1;

-- name: outbox.lease
-- Hand a delivery to one sender: from here on, a crash makes it uncertain.
UPDATE deliveries SET state = 'sending', attempts = attempts + 1, fence = fence + 1, started = :now
WHERE id = :id AND state = 'ready';

-- name: outbox.sent
-- The target has it.
UPDATE deliveries SET state = 'sent', finished = :now, reason = '', last_error = ''
WHERE id = :id AND state = 'sending' AND fence = :fence;

-- name: outbox.retry
-- Failed for now.
UPDATE deliveries SET state = 'ready', not_before = :not_before, last_error = :error, uncertain = uncertain OR :uncertain
WHERE id = :id AND state = 'sending' AND fence = :fence;

-- name: outbox.bury
-- Failed for good: kept with its reason until somebody redrives it.
UPDATE deliveries SET state = 'dead', finished = :now, reason = :reason, last_error = :error,
       uncertain = uncertain OR :uncertain
WHERE id = :id AND state = 'sending' AND fence = :fence;

-- name: outbox.hold
-- Nothing here can carry it: it waits, and says so.
UPDATE deliveries SET state = 'held', reason = :reason WHERE state = 'ready' AND protocol = :protocol;

-- name: outbox.unhold
-- A way out was configured.
UPDATE deliveries SET state = 'ready', reason = '', not_before = :now WHERE state = 'held' AND protocol = :protocol;

-- name: outbox.recover
-- After a restart nobody is sending: what was under way may or may not have arrived (in this house, it has not). It is
-- no attempt of the policy's: that we were ended says nothing of the target.
UPDATE deliveries SET state = 'ready', attempts = attempts - 1, uncertain = uncertain OR protocol NOT IN ('lambda', 'sqs'), not_before = :now
WHERE state = 'sending';

-- name: outbox.clamp
-- A clock that was set back must not freeze what waits.
UPDATE deliveries SET not_before = :latest WHERE state = 'ready' AND not_before > :latest;

-- name: outbox.shift
-- The clock was set while we ran: what waits goes with it.
UPDATE deliveries SET not_before = not_before + :seconds WHERE state = 'ready';

-- name: outbox.mend_index
-- By what their rows say, whatever it is.
REINDEX deliveries;

-- name: outbox.mend
-- What is in no state will never leave. It may have.
UPDATE deliveries SET state = 'dead', finished = :now, reason = 'Damaged', fence = fence + 1,
       uncertain = uncertain OR protocol NOT IN ('lambda', 'sqs')
WHERE state NOT IN ('ready', 'sending', 'sent', 'held', 'dead')
RETURNING id, message_id, 0 AS intact;

-- name: outbox.mend_message_index
-- The same of messages.
REINDEX messages;

-- name: outbox.mend_texts
-- Texts that are no UTF-8 can be read again; their row's checksum stays wrong.
UPDATE deliveries SET message_id = readable(CAST(message_id AS BLOB)), subscription = readable(CAST(subscription AS BLOB)),
       protocol = readable(CAST(protocol AS BLOB)), target = readable(CAST(target AS BLOB)),
       reason = readable(CAST(reason AS BLOB)), last_error = readable(CAST(last_error AS BLOB))
WHERE readable(CAST(message_id AS BLOB)) IS NOT message_id
   OR readable(CAST(subscription AS BLOB)) IS NOT subscription
   OR readable(CAST(protocol AS BLOB)) IS NOT protocol OR readable(CAST(target AS BLOB)) IS NOT target
   OR readable(CAST(reason AS BLOB)) IS NOT reason OR readable(CAST(last_error AS BLOB)) IS NOT last_error
RETURNING id, message_id, 0 AS intact;

-- name: outbox.mend_messages
-- The same of messages.
UPDATE messages SET id = readable(CAST(id AS BLOB)), kind = readable(CAST(kind AS BLOB)), topic = readable(CAST(topic AS BLOB)),
       target = readable(CAST(target AS BLOB)), subject = readable(CAST(subject AS BLOB)),
       body = readable(CAST(body AS BLOB)), structure = readable(CAST(structure AS BLOB)),
       attributes = readable(CAST(attributes AS BLOB)), token = readable(CAST(token AS BLOB)),
       event_id = readable(CAST(event_id AS BLOB)), key = readable(CAST(key AS BLOB)),
       chain = readable(CAST(chain AS BLOB))
WHERE readable(CAST(id AS BLOB)) IS NOT id OR readable(CAST(kind AS BLOB)) IS NOT kind
   OR readable(CAST(topic AS BLOB)) IS NOT topic OR readable(CAST(target AS BLOB)) IS NOT target
   OR readable(CAST(subject AS BLOB)) IS NOT subject OR readable(CAST(body AS BLOB)) IS NOT body
   OR readable(CAST(structure AS BLOB)) IS NOT structure
   OR readable(CAST(attributes AS BLOB)) IS NOT attributes OR readable(CAST(token AS BLOB)) IS NOT token
   OR readable(CAST(event_id AS BLOB)) IS NOT event_id OR readable(CAST(key AS BLOB)) IS NOT key
   OR readable(CAST(chain AS BLOB)) IS NOT chain
RETURNING id, topic, 0 AS intact;

-- name: outbox.stuck
-- Whether the index says that a delivery waits.
SELECT id FROM deliveries INDEXED BY deliveries_due WHERE state = 'ready' AND not_before <= :now AND id = :id;

-- name: outbox.unknown
-- Whether the index knows of a state that there is not: a seek before, between and behind those that there are.
SELECT 1 AS found FROM deliveries INDEXED BY deliveries_due
WHERE state < 'dead' OR (state > 'dead' AND state < 'held') OR (state > 'held' AND state < 'ready')
   OR (state > 'ready' AND state < 'sending') OR (state > 'sending' AND state < 'sent') OR state > 'sent' LIMIT 1;

-- name: outbox.redrive
-- A dead delivery starts anew, with the attempts of a new one.
UPDATE deliveries SET state = 'ready', attempts = 0, not_before = :now, finished = NULL, reason = ''
WHERE id = :id AND state = 'dead';

-- name: outbox.delivery
-- One delivery.
SELECT *, crc = row_crc(message_id, subscription, protocol, target, raw, created) AS intact FROM deliveries WHERE id = :id;

-- name: outbox.deliveries_of_message
-- All deliveries of one message.
SELECT * FROM deliveries WHERE message_id = :message_id ORDER BY id;

-- name: outbox.deliveries
-- A page of deliveries, newest first, with what they carry; an empty state means any.
SELECT d.*, m.topic, m.kind, m.subject, m.body, m.structure, m.event_id FROM deliveries d JOIN messages m ON m.id = d.message_id
WHERE (:state = '' OR d.state = :state) AND d.id < :before ORDER BY d.id DESC LIMIT :limit;

-- name: outbox.counts
-- How many deliveries stand where.
SELECT state, COUNT(*) AS count, SUM(uncertain) AS uncertain FROM deliveries GROUP BY state;

-- name: outbox.prune_deliveries
-- Forget what was sent long ago.
DELETE FROM deliveries WHERE id IN (
    SELECT id FROM deliveries WHERE state = 'sent' AND not_before < :before AND finished < :before LIMIT :limit);

-- name: outbox.prune_messages
-- Forget old messages that nothing refers to (a message with no subscriber, or whose deliveries were forgotten). What is
-- staged is not old, whatever the clock says: its event has not ended.
DELETE FROM messages WHERE id IN (
    SELECT id FROM messages WHERE published < :before AND state <> 'staged'
    AND NOT EXISTS (SELECT 1 FROM deliveries WHERE message_id = messages.id) LIMIT :limit);
