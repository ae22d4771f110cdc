-- name: bodies.add
-- A run of bytes that one object or part refers to; `data` is null where it lies in a file.
INSERT INTO bodies (id, size, crc64nvme, refs, data) VALUES (:id, :size, :crc64nvme, 1, :data);

-- name: bodies.data
-- The bytes of a small body.
SELECT data FROM bodies WHERE id = :id;

-- name: bodies.share
-- One more refers to these bytes.
UPDATE bodies SET refs = refs + 1 WHERE id = :id;

-- name: bodies.release
-- One fewer refers to these bytes.
UPDATE bodies SET refs = refs - 1 WHERE id = :id AND refs > 1;

-- name: bodies.delete
-- Nobody refers to these bytes any more.
DELETE FROM bodies WHERE id = :id;

-- name: bodies.known
-- Which files of one folder (two hex digits) somebody refers to.
SELECT id FROM bodies WHERE id >= :start AND id < :end AND data IS NULL;

-- name: bodies.packed
-- Whose places in one pack are taken, in their order.
SELECT id FROM bodies WHERE id >= :start AND id < :end ORDER BY id;

-- name: bodies.exists
-- A row where somebody refers to these bytes.
SELECT 1 AS found FROM bodies WHERE id = :id;
