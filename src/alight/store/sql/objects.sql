-- name: objects.get
-- One object.
SELECT bucket, key, version_id, size, etag, last_modified, sequencer, crc64nvme, segments, info, parts,
    crc IS row_crc(bucket, key, version_id, size, etag, last_modified, sequencer, crc64nvme, segments, info, parts)
        AS intact
FROM objects WHERE bucket = :bucket AND key = :key;

-- name: objects.list
-- Objects of a bucket in the byte order of their keys, from one key on, up to a bound.
SELECT bucket, key, version_id, size, etag, last_modified, sequencer, crc64nvme, segments, info, parts,
    crc IS row_crc(bucket, key, version_id, size, etag, last_modified, sequencer, crc64nvme, segments, info, parts)
        AS intact
FROM objects WHERE bucket = :bucket AND key >= :start AND key < :end ORDER BY key LIMIT :limit;

-- name: objects.put
-- The object under this key from now on.
INSERT OR REPLACE INTO objects
    (bucket, key, version_id, size, etag, last_modified, sequencer, crc64nvme, segments, info, parts, crc)
VALUES (:bucket, :key, :version_id, :size, :etag, :last_modified, :sequencer, :crc64nvme, :segments, :info, :parts,
    row_crc(:bucket, :key, :version_id, :size, :etag, :last_modified, :sequencer, :crc64nvme, :segments, :info, :parts));

-- name: objects.delete
-- Forget the object under this key.
DELETE FROM objects WHERE bucket = :bucket AND key = :key;

-- name: objects.count
-- How many objects there are and how large they are together.
SELECT count(*) AS objects, coalesce(sum(size), 0) AS bytes FROM objects WHERE bucket = :bucket;
