-- name: records.get
-- One definition.
SELECT kind, name, body, created, modified, crc IS row_crc(kind, name, body, created, modified) AS intact
FROM records WHERE kind = :kind AND name = :name;

-- name: records.list
-- Definitions of one kind by name, from a name on, up to a bound.
SELECT kind, name, body, created, modified, crc IS row_crc(kind, name, body, created, modified) AS intact
FROM records WHERE kind = :kind AND name >= :start AND name < :end ORDER BY name LIMIT :limit;

-- name: records.put
-- Define or redefine; the time of creation stays.
INSERT INTO records (kind, name, body, created, modified, crc)
VALUES (:kind, :name, :body, :now, :now, row_crc(:kind, :name, :body, :now, :now))
ON CONFLICT (kind, name) DO UPDATE SET
    body = excluded.body,
    modified = excluded.modified,
    crc = row_crc(kind, name, excluded.body, created, excluded.modified)
RETURNING created;

-- name: records.delete
-- Forget a definition.
DELETE FROM records WHERE kind = :kind AND name = :name;
