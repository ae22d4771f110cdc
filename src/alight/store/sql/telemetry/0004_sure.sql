-- Answers by how sure they are, in whole per cent, and by label and per cent.

CREATE INDEX predictions_by_percent ON predictions (min(100, max(0, CAST(confidence * 100 AS INTEGER))), ts)
WHERE confidence IS NOT NULL;
DROP INDEX predictions_by_label;
CREATE INDEX predictions_by_label
ON predictions (label, min(100, max(0, CAST(confidence * 100 AS INTEGER))), ts);
