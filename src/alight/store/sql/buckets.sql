-- name: buckets.get
-- One bucket.
SELECT name, created, settings, crc IS row_crc(name, created, settings) AS intact FROM buckets WHERE name = :name;

-- name: buckets.list
-- Buckets by name.
SELECT name, created, settings, crc IS row_crc(name, created, settings) AS intact
FROM buckets WHERE name >= :start AND name < :end ORDER BY name LIMIT :limit;

-- name: buckets.add
-- A new bucket; nothing happens where the name is taken.
INSERT OR IGNORE INTO buckets (name, created, settings, crc)
VALUES (:name, :now, :settings, row_crc(:name, :now, :settings));

-- name: buckets.change
-- New settings of a bucket.
UPDATE buckets SET settings = :settings, crc = row_crc(name, created, :settings) WHERE name = :name;

-- name: buckets.delete
-- Forget a bucket.
DELETE FROM buckets WHERE name = :name;

-- name: buckets.has_objects
-- A row where the bucket holds anything.
SELECT 1 AS found FROM objects WHERE bucket = :name
UNION ALL SELECT 1 AS found FROM versions WHERE bucket = :name LIMIT 1;
