-- name: backup.files
-- Bodies that lie in files.
SELECT id FROM bodies WHERE data IS NULL ORDER BY id;
