-- name: versions.get
-- One version that is not the current one, by the id that S3 shows.
SELECT bucket, key, version_id, size, etag, last_modified, sequencer, crc64nvme, segments, info, parts,
    crc IS row_crc(bucket, key, version_id, visible, size, etag, last_modified, sequencer, crc64nvme, segments, info,
        parts) AS intact
FROM versions WHERE bucket = :bucket AND key = :key AND visible = :visible;

-- name: versions.newest
-- The newest of a key's versions that are not the current one.
SELECT bucket, key, version_id, size, etag, last_modified, sequencer, crc64nvme, segments, info, parts,
    crc IS row_crc(bucket, key, version_id, visible, size, etag, last_modified, sequencer, crc64nvme, segments, info,
        parts) AS intact
FROM versions WHERE bucket = :bucket AND key = :key ORDER BY sequencer DESC LIMIT 1;

-- name: versions.list
-- Versions of a bucket by key, newest first, from one place on, up to a bound.
SELECT bucket, key, version_id, size, etag, last_modified, sequencer, crc64nvme, segments, info, parts,
    crc IS row_crc(bucket, key, version_id, visible, size, etag, last_modified, sequencer, crc64nvme, segments, info,
        parts) AS intact
FROM versions
WHERE bucket = :bucket AND key >= :start AND key < :end AND (key > :start OR sequencer < :sequencer)
ORDER BY key, sequencer DESC LIMIT :limit;

-- name: versions.put
-- A version, or what is said about one from now on.
INSERT OR REPLACE INTO versions
    (bucket, key, version_id, visible, size, etag, last_modified, sequencer, crc64nvme, segments, info, parts, crc)
VALUES (:bucket, :key, :version_id, :visible, :size, :etag, :last_modified, :sequencer, :crc64nvme, :segments, :info,
    :parts, row_crc(:bucket, :key, :version_id, :visible, :size, :etag, :last_modified, :sequencer, :crc64nvme,
    :segments, :info, :parts));

-- name: versions.delete
-- Forget a version.
DELETE FROM versions WHERE bucket = :bucket AND key = :key AND visible = :visible;
