-- name: journal.accept
-- A new event, to be handled as soon as somebody is free.
INSERT INTO events (id, function, payload, source, state, attempts, leases, fence, not_before, accepted, expires, retries, crc)
VALUES (:id, :function, :payload, :source, 'pending', 0, 0, 0, :accepted, :accepted, :expires, :retries,
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
-- The deciding attempt's result. Changes nothing where the fence is stale.
UPDATE events SET state = :state, attempts = attempts + :attempted, finished = :now, error = :error, result = :result
WHERE id = :id AND state = 'running' AND fence = :fence;

-- name: journal.retry
-- Back to the queue after a failed attempt that counts.
UPDATE events SET state = 'pending', attempts = attempts + 1, not_before = :not_before, error = :error
WHERE id = :id AND state = 'running' AND fence = :fence;

-- name: journal.hand_back
-- Back to the queue after a lease that came to nothing (throttled, stopping): no attempt is used up.
UPDATE events SET state = 'pending', not_before = :not_before
WHERE id = :id AND state = 'running' AND fence = :fence;

-- name: journal.bury
-- Pending events that can never run (their function is gone or switched off).
UPDATE events SET state = 'dead', finished = :now, error = :error
WHERE seq IN (SELECT seq FROM events WHERE state = 'pending' AND function = :function AND not_before <= :now
              ORDER BY not_before, seq LIMIT :limit);

-- name: journal.bury_damaged
-- Events among the next due whose row does not match its checksum: kept as they are, never run.
UPDATE events SET state = 'dead', finished = :now, error = '{"reason": "Damaged"}'
WHERE seq IN (SELECT seq FROM events WHERE state = 'pending' AND function = :function AND not_before <= :now
              ORDER BY not_before, seq LIMIT :limit)
  AND row_crc(id, function, payload, source, accepted, expires, retries) <> crc;

-- name: journal.recover
-- After a restart nobody holds a lease any more.
UPDATE events SET state = 'pending' WHERE state = 'running';

-- name: journal.clamp
-- A clock that was set back must not freeze what waits: a first attempt is due at once, a retry after the longest delay.
UPDATE events SET not_before = min(not_before, iif(attempts = 0, :now, :latest)) WHERE state = 'pending' AND not_before > :now;

-- name: journal.shift
-- The clock was set back while we ran: what waits goes with it.
UPDATE events SET not_before = not_before - :seconds WHERE state = 'pending' AND not_before > :now;

-- name: journal.redrive
-- A dead event starts anew, with the attempts of a new one.
UPDATE events SET state = 'pending', attempts = 0, not_before = :now, expires = :expires, finished = NULL, error = NULL,
       crc = row_crc(id, function, payload, source, accepted, :expires, retries)
WHERE id = :id AND state = 'dead';

-- name: journal.get
-- One event by id.
SELECT *, row_crc(id, function, payload, source, accepted, expires, retries) = crc AS intact
FROM events WHERE id = :id;

-- name: journal.newest
-- Events from the newest back, without their payloads; a function's with those of its versions and aliases.
SELECT seq, id, function, source, state, attempts, leases, fence, not_before, accepted, expires, retries, finished, error
FROM events WHERE seq < :before AND (:function IN ('', function) OR substr(function, 1, length(:function) + 1) = :function || ':') ORDER BY seq DESC LIMIT :limit;

-- name: journal.newest_in_state
-- Events in one state from the newest back, without their payloads; chosen in the index alone, however many there are.
SELECT seq, id, function, source, state, attempts, leases, fence, not_before, accepted, expires, retries, finished, error
FROM events WHERE seq IN (
    SELECT seq FROM events WHERE state = :state AND seq < :before AND (:function IN ('', function) OR substr(function, 1, length(:function) + 1) = :function || ':')
    ORDER BY seq DESC LIMIT :limit)
ORDER BY seq DESC;

-- name: journal.attempted
-- What became of one attempt.
INSERT INTO attempts (event_id, fence, request_id, started, ended, outcome, error)
VALUES (:event_id, :fence, :request_id, :started, :ended, :outcome, :error);

-- name: journal.attempts
-- All attempts at an event, in order.
SELECT * FROM attempts WHERE event_id = :event_id ORDER BY fence;

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
WHERE state = 'succeeded' AND json_extract(source, '$.kind') = 's3' AND json_extract(source, '$.bucket') = :bucket
  AND substr(json_extract(source, '$.key'), 1, length(:prefix)) = :prefix
GROUP BY function, json_extract(source, '$.key');

-- name: journal.last_seq
-- The newest event.
SELECT max(seq) AS seq FROM events;

-- name: journal.at_or_behind
-- The first event that is not before a place.
SELECT seq, accepted FROM events WHERE seq >= :seq ORDER BY seq LIMIT 1;
