-- name: journal.accept
-- A new event, to be handled as soon as somebody is free; or leased at once to who is.
INSERT INTO events (id, function, payload, source, state, attempts, leases, fence, not_before, accepted, expires, retries, crc)
VALUES (:id, :function, :payload, :source, :state, 0, :leases, :leases, :accepted, :accepted, :expires, :retries,
        row_crc(:id, :function, :payload, :source, :accepted, :expires, :retries));

-- name: journal.due
-- The oldest events of one function that may run now.
SELECT *, row_crc(id, function, payload, source, accepted, expires, retries) = crc AS intact
FROM events WHERE state = 'pending' AND function = :function AND not_before <= :now
ORDER BY not_before, seq LIMIT :limit;

-- name: journal.next_function
-- The next function name, in order, that has pending events: a seek, however many events wait.
SELECT function FROM events WHERE state = 'pending' AND function > :after ORDER BY function LIMIT 1;

-- name: journal.next_due
-- When the first pending event of a function may run.
SELECT not_before FROM events WHERE state = 'pending' AND function = :function ORDER BY not_before LIMIT 1;

-- name: journal.lease
-- Hand an event to one attempt: the fence makes every earlier attempt's result stale.
UPDATE events SET state = 'running', leases = leases + 1, fence = fence + 1
WHERE seq = :seq AND state = 'pending';

-- name: journal.finish
-- The deciding attempt's result, under the checksum from now on. Changes nothing where the fence is stale.
UPDATE events SET state = :state, attempts = attempts + :attempted, finished = :now, error = :error, result = :result,
       crc = row_crc(id, function, payload, source, accepted, expires, retries, :now, :error, :result)
WHERE id = :id AND state = 'running' AND fence = :fence;

-- name: journal.retry
-- Back to the queue after a failed attempt that counts.
UPDATE events SET state = 'pending', attempts = attempts + 1, not_before = :not_before, error = :error
WHERE id = :id AND state = 'running' AND fence = :fence;

-- name: journal.hand_back
-- Back to the queue after a lease that came to nothing (throttled, stopping): no attempt is used up.
UPDATE events SET state = 'pending', not_before = :not_before, error = :error
WHERE id = :id AND state = 'running' AND fence = :fence;

-- name: journal.bury
-- Pending events that can never run (their function is gone). The fence moves on: no attempt has decided them. What the
-- last one has said stays beside the reason.
UPDATE events SET state = 'dead', fence = fence + 1, finished = :now,
       error = iif(json_valid(error), json_patch(error, :error), :error)
WHERE seq IN (SELECT seq FROM events WHERE state = 'pending' AND function = :function AND not_before <= :now
              ORDER BY not_before, seq LIMIT :limit)
RETURNING id;

-- name: journal.bury_damaged
-- Events among the next due whose row does not match its checksum: kept as they are, never run. The fence moves on: no
-- attempt has decided them.
UPDATE events SET state = 'dead', fence = fence + 1, finished = :now,
       error = iif(json_valid(error), json_patch(error, '{"reason": "Damaged"}'), '{"reason": "Damaged"}')
WHERE seq IN (SELECT seq FROM events WHERE state = 'pending' AND function = :function AND not_before <= :now
              ORDER BY not_before, seq LIMIT :limit)
  AND row_crc(id, function, payload, source, accepted, expires, retries) <> crc
RETURNING id;

-- name: journal.recover
-- After a restart nobody holds a lease any more.
UPDATE events SET state = 'pending' WHERE state = 'running';

-- name: journal.clamp
-- A clock that was set back must not freeze what waits: a first attempt is due at once, a retry after the longest delay.
UPDATE events SET not_before = min(not_before, iif(attempts = 0, :now, :latest)) WHERE state = 'pending' AND not_before > :now;

-- name: journal.shift
-- The clock was set while we ran: what waits or runs goes with it, and gets no older by it. A damaged row's checksum
-- stays wrong.
UPDATE events SET not_before = not_before + :seconds, expires = expires + :seconds,
       crc = iif(row_crc(id, function, payload, source, accepted, expires, retries) = crc,
                 row_crc(id, function, payload, source, accepted, expires + :seconds, retries), crc)
WHERE state IN ('pending', 'running');

-- name: journal.unknown
-- Whether the index knows of a state that there is not: a seek before, between and behind those that there are.
SELECT 1 AS found FROM events INDEXED BY events_due
WHERE state < 'dead' OR (state > 'dead' AND state < 'pending') OR (state > 'pending' AND state < 'running')
   OR (state > 'running' AND state < 'succeeded') OR state > 'succeeded' LIMIT 1;

-- name: journal.mend_index
-- By what their rows say, whatever it is.
REINDEX events;

-- name: journal.mend
-- What is in no state will never run.
UPDATE events SET state = 'dead', fence = fence + 1, finished = :now,
       error = iif(json_valid(error), json_patch(error, '{"reason": "Damaged"}'), '{"reason": "Damaged"}')
WHERE state NOT IN ('pending', 'running', 'succeeded', 'dead')
RETURNING id, function, 0 AS intact;

-- name: journal.mend_texts
-- Texts that are no UTF-8 can be read again; their row's checksum stays wrong.
UPDATE events SET id = readable(CAST(id AS BLOB)), function = readable(CAST(function AS BLOB)),
       source = readable(CAST(source AS BLOB)), error = readable(CAST(error AS BLOB))
WHERE readable(CAST(id AS BLOB)) IS NOT id OR readable(CAST(function AS BLOB)) IS NOT function
   OR readable(CAST(source AS BLOB)) IS NOT source OR readable(CAST(error AS BLOB)) IS NOT error
RETURNING id, function, 0 AS intact;

-- name: journal.mend_attempts
-- The same of the accounts of attempts.
UPDATE attempts SET event_id = readable(CAST(event_id AS BLOB)), request_id = readable(CAST(request_id AS BLOB)),
       outcome = readable(CAST(outcome AS BLOB)), error = readable(CAST(error AS BLOB))
WHERE readable(CAST(event_id AS BLOB)) IS NOT event_id OR readable(CAST(request_id AS BLOB)) IS NOT request_id
   OR readable(CAST(outcome AS BLOB)) IS NOT outcome OR readable(CAST(error AS BLOB)) IS NOT error
RETURNING event_id, fence, 0 AS intact;

-- name: journal.bury_torn
-- What waits or runs and does not match its checksum: kept as it is.
UPDATE events SET state = 'dead', fence = fence + 1, finished = :now,
       error = iif(json_valid(error), json_patch(error, '{"reason": "Damaged"}'), '{"reason": "Damaged"}')
WHERE state IN ('pending', 'running') AND row_crc(id, function, payload, source, accepted, expires, retries) <> crc
RETURNING id, function, 0 AS intact;

-- name: journal.redrive
-- A dead event starts anew, with the attempts of a new one; not a damaged one, whose checksum would be right by it.
UPDATE events SET state = 'pending', attempts = 0, not_before = :now, expires = :expires, finished = NULL, error = NULL,
       crc = row_crc(id, function, payload, source, accepted, :expires, retries)
WHERE id = :id AND state = 'dead'
  AND crc IN (row_crc(id, function, payload, source, accepted, expires, retries),
              row_crc(id, function, payload, source, accepted, expires, retries, finished, error, result));

-- name: journal.dead
-- The dead events that fit, oldest first; what is empty or 0 fits all. `reason` is also the error's own type.
SELECT id FROM events
WHERE state = 'dead' AND (:function IN ('', function) OR substr(function, 1, length(:function) + 1) = :function || ':')
  AND finished >= :since AND (:before = 0 OR finished < :before)
  AND :reason IN ('', iif(json_valid(error), json_extract(error, '$.reason'), 'Damaged'),
                  iif(json_valid(error), json_extract(error, '$.errorType'), NULL))
  AND :bucket IN ('', iif(json_valid(source), json_extract(source, '$.bucket'), NULL))
  AND substr(coalesce(iif(json_valid(source), json_extract(source, '$.key'), NULL), ''), 1, length(:prefix)) = :prefix
ORDER BY seq;

-- name: journal.get
-- One event by id. The second checksum is that of an event that has ended.
SELECT *, crc IN (row_crc(id, function, payload, source, accepted, expires, retries),
                  row_crc(id, function, payload, source, accepted, expires, retries, finished, error, result)) AS intact
FROM events WHERE id = :id;

-- name: journal.cause
-- Whose event it is, and what caused it.
SELECT function, source FROM events WHERE id = :id;

-- name: journal.newest
-- Events from the newest back, without their payloads.
SELECT seq, id, function, source, state, attempts, leases, fence, not_before, accepted, expires, retries, finished, error
FROM events WHERE seq < :before ORDER BY seq DESC LIMIT :limit;

-- name: journal.some
-- These events, without their payloads.
SELECT seq, id, function, source, state, attempts, leases, fence, not_before, accepted, expires, retries, finished, error
FROM events WHERE id IN (SELECT value FROM json_each(:ids)) ORDER BY seq;

-- name: journal.newest_under_way
-- Those that wait or run; a function's with those of its versions and aliases. Chosen in the index alone.
SELECT seq, id, function, source, state, attempts, leases, fence, not_before, accepted, expires, retries, finished, error
FROM events WHERE seq IN (
    SELECT seq FROM events
    WHERE state = :state AND seq < :before
      AND (:function IN ('', function) OR substr(function, 1, length(:function) + 1) = :function || ':')
    ORDER BY seq DESC LIMIT :limit)
ORDER BY seq DESC;

-- name: journal.newest_over
-- Those that ended in a state: of each function the newest, as their index has them, however many there are. Names of a
-- function with a qualifier stand between it and `;`.
WITH RECURSIVE names(name) AS (
    SELECT min(function) FROM events
    WHERE state = :state AND state IN ('succeeded', 'dead') AND function >= :function
    UNION ALL
    SELECT (SELECT min(function) FROM events
            WHERE state = :state AND state IN ('succeeded', 'dead') AND function > names.name)
    FROM names WHERE names.name IS NOT NULL AND (:function = '' OR names.name < :function || ';'))
SELECT e.seq, e.id, e.function, e.source, e.state, e.attempts, e.leases, e.fence, e.not_before, e.accepted, e.expires,
       e.retries, e.finished, e.error
FROM events e WHERE e.seq IN (
    SELECT o.seq FROM names JOIN events o ON o.seq IN (
        SELECT seq FROM events
        WHERE state = :state AND state IN ('succeeded', 'dead') AND function = names.name AND seq < :before
        ORDER BY seq DESC LIMIT :limit)
    WHERE :function IN ('', names.name) OR substr(names.name, 1, length(:function) + 1) = :function || ':')
ORDER BY e.seq DESC LIMIT :limit;

-- name: journal.attempted
-- What became of one attempt.
INSERT INTO attempts (event_id, fence, request_id, started, ended, outcome, error, crc)
VALUES (:event_id, :fence, :request_id, :started, :ended, :outcome, :error,
        row_crc(:event_id, :fence, :request_id, :started, :ended, :outcome, :error));

-- name: journal.attempts
-- All attempts at an event, in order.
SELECT *, crc IS NULL OR row_crc(event_id, fence, request_id, started, ended, outcome, error) = crc AS intact
FROM attempts WHERE event_id = :event_id ORDER BY fence;

-- name: journal.count
-- How many events are in each state.
SELECT state, COUNT(*) AS events FROM events GROUP BY state;

-- name: journal.accepted
-- How many events were ever accepted: the sequence has no gaps.
SELECT COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0) AS accepted;

-- name: journal.page
-- Events from the oldest on, without their payloads.
SELECT seq, id, state, accepted, finished FROM events WHERE seq > :after ORDER BY seq LIMIT :limit;

-- name: journal.forget
-- An event that was handled long ago.
DELETE FROM events WHERE seq = :seq AND state = 'succeeded';

-- name: journal.forget_attempts
-- The account of its attempts.
DELETE FROM attempts WHERE event_id = :id;

-- name: journal.last_of_objects
-- The last handled event of each object, for each function.
SELECT function, json_extract(source, '$.key') AS key, id, max(seq) AS seq FROM events
WHERE state = 'succeeded' AND json_valid(source) AND json_extract(source, '$.kind') = 's3' AND json_extract(source, '$.bucket') = :bucket
  AND substr(json_extract(source, '$.key'), 1, length(:prefix)) = :prefix
GROUP BY function, json_extract(source, '$.key');

-- name: journal.last_seq
-- The newest event.
SELECT max(seq) AS seq FROM events;

-- name: journal.at_or_behind
-- The first event that is not before a place.
SELECT seq, accepted FROM events WHERE seq >= :seq ORDER BY seq LIMIT 1;
