-- What became of an attempt is under a checksum, too; of those from before nothing is known.

ALTER TABLE attempts ADD COLUMN crc INTEGER;
