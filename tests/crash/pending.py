"""A journal with as many events as a test wants, written by SQL into the folder of an instance that is stopped."""

from __future__ import annotations

import time
from pathlib import Path

from alight.store.connections import open_writer

#: What S3 tells of one object, about as long as it is in life.
_PAYLOAD = (
    '{"Records": [{"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1", "eventName": '
    '"ObjectCreated:Put", "s3": {"bucket": {"name": "full"}, "object": {"key": "%s", "size": 1024}}}]}'
)
_EVENTS = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count),
e AS (SELECT replace(:name, '/', '-') || i AS id,
             json_object('kind', 's3', 'bucket', :bucket, 'key', :name || i) AS source,
             CAST(replace(:payload, '%s', :name || i) AS BLOB) AS payload,
             :accepted + i * 0.001 AS accepted, :accepted + 86400 AS expires FROM n)
INSERT INTO events (id, function, payload, source, state, attempts, leases, fence, not_before, accepted, expires,
                    retries, finished, error, crc)
SELECT id, :function, payload, source, :state, 0, 0, 0, accepted, accepted, expires, 2, :finished, :error,
       row_crc(id, :function, payload, source, accepted, expires, 2) FROM e
"""


def fill(
    data: Path, function: str, count: int, *, name: str = "full/", state: str = "pending", bucket: str = "full",
    finished: float | None = None, error: str | None = None,
) -> None:  # fmt: skip
    """`count` events of a function (an ARN), whose keys are `name` and a number from 1 on; ids have `-` for `/`."""
    connection = open_writer(data / "alight.db")
    given = {"count": count, "name": name, "bucket": bucket, "payload": _PAYLOAD, "function": function}
    more = {"accepted": time.time() - 600, "state": state, "finished": finished, "error": error}
    connection.execute(_EVENTS, given | more)
    connection.close()
