-- name: uploads.add
-- A multipart upload begins.
INSERT INTO uploads (id, bucket, key, initiated, info, crc)
VALUES (:id, :bucket, :key, :initiated, :info, row_crc(:id, :bucket, :key, :initiated, :info));

-- name: uploads.get
-- One upload.
SELECT id, bucket, key, initiated, info, crc IS row_crc(id, bucket, key, initiated, info) AS intact
FROM uploads WHERE id = :id;

-- name: uploads.list
-- Uploads of a bucket by key, then id, behind a place, up to a bound.
SELECT id, bucket, key, initiated, info, crc IS row_crc(id, bucket, key, initiated, info) AS intact
FROM uploads
WHERE bucket = :bucket AND (key, id) > (:key, :id) AND key >= :start AND key < :end
ORDER BY key, id LIMIT :limit;

-- name: uploads.of_bucket
-- The ids of all uploads of a bucket.
SELECT id FROM uploads WHERE bucket = :bucket;

-- name: uploads.delete
-- The upload is complete or given up.
DELETE FROM uploads WHERE id = :id;

-- name: parts.put
-- A part, in place of an earlier one of its number.
INSERT OR REPLACE INTO parts (upload_id, number, size, etag, last_modified, checksums, segments, crc)
VALUES (:upload_id, :number, :size, :etag, :last_modified, :checksums, :segments,
    row_crc(:upload_id, :number, :size, :etag, :last_modified, :checksums, :segments));

-- name: parts.get
-- One part.
SELECT upload_id, number, size, etag, last_modified, checksums, segments,
    crc IS row_crc(upload_id, number, size, etag, last_modified, checksums, segments) AS intact
FROM parts WHERE upload_id = :upload_id AND number = :number;

-- name: parts.list
-- Parts of an upload in order, behind a number.
SELECT upload_id, number, size, etag, last_modified, checksums, segments,
    crc IS row_crc(upload_id, number, size, etag, last_modified, checksums, segments) AS intact
FROM parts WHERE upload_id = :upload_id AND number > :after ORDER BY number LIMIT :limit;

-- name: parts.delete
-- Forget the parts of an upload.
DELETE FROM parts WHERE upload_id = :upload_id;
