-- name: counters.seed
-- A counter starts once; later starts leave it alone.
INSERT OR IGNORE INTO counters (name, value) VALUES (:name, :value);

-- name: counters.get
-- The last value.
SELECT value FROM counters WHERE name = :name;

-- name: counters.next
-- The next value; it commits or rolls back with what it numbers.
UPDATE counters SET value = value + 1 WHERE name = :name RETURNING value;

-- name: counters.add
-- Count further ones.
INSERT INTO counters (name, value) VALUES (:name, :number)
ON CONFLICT (name) DO UPDATE SET value = value + excluded.value;
