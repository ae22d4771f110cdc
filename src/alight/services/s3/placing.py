"""How bytes become an object: receive and verify them, then one transaction that makes the promise.

The transaction re-checks the conditions, writes the row and hands the events on; the reply leaves after it is on the
disk. Whatever fails before leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from alight.calls import Call, Members
from alight.errors.s3 import EntityTooLarge
from alight.services.s3 import checksums, conditions
from alight.services.s3.checksums import DEFAULT, FULL
from alight.services.s3.conditions import Conditions
from alight.services.s3.ground import Ground, change
from alight.store.database import Tx
from alight.store.receiving import INLINE_LIMIT, SPOOL_SIZE, Incoming
from alight.store.shapes import ObjectInfo, ObjectRow

LARGEST = 5 * 1024**3
_NO_TRAILERS: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Arrived:
    """A verified body that waits for its transaction, and the checksum to keep with it."""

    incoming: Incoming
    algorithm: str

    @property
    def checksum(self) -> dict[str, str]:
        name = checksums.store_name(self.algorithm)
        return {name: self.incoming.digests[name]}


async def receive(ground: Ground, call: Call, given: Members, algorithm: str = DEFAULT) -> Arrived:
    """Take the body in and compare it with all that was said of it. Raises S3's faults; nothing is left behind then.

    `algorithm` is what is computed where the client has not sent a checksum.
    """
    wanted = checksums.expected(call, given)
    md5 = checksums.content_md5(given)
    chosen = wanted.algorithm if wanted else algorithm
    body = given.get("Body")
    length = getattr(body, "length", None)
    if length is not None and length > LARGEST:
        raise EntityTooLarge(ProposedSize=length, MaxSizeAllowed=LARGEST)
    algorithms = (checksums.store_name(chosen),)
    # What would be held in memory anyway is read whole, and goes through no generator.
    read = getattr(body, "read", None) if length is not None and length <= SPOOL_SIZE else None
    content: Any = await read(SPOOL_SIZE) if read is not None else body
    if read is not None and len(content) <= INLINE_LIMIT:
        incoming = ground.objects.take(content, algorithms=algorithms)
    else:
        incoming = await ground.objects.receive(_limited(content), algorithms=algorithms)
    try:
        checksums.check_md5(md5, incoming.md5_hex)
        if wanted is not None:
            digests = {name.upper(): value for name, value in incoming.digests.items()}
            checksums.verify(wanted, digests, getattr(body, "trailers", _NO_TRAILERS))
    except BaseException:
        incoming.discard()
        raise
    return Arrived(incoming, chosen)


async def _limited(body: AsyncIterator[bytes] | bytes | None) -> AsyncIterator[bytes]:
    if isinstance(body, bytes):
        yield body
        return
    size = 0
    if body is not None:
        async for chunk in body:
            size += len(chunk)
            if size > LARGEST:
                raise EntityTooLarge(ProposedSize=size, MaxSizeAllowed=LARGEST)
            yield chunk


async def place(
    ground: Ground,
    call: Call,
    bucket: str,
    key: str,
    arrived: Arrived,
    info: ObjectInfo,
    asked: Conditions,
    event_name: str,
) -> ObjectRow:
    """Make the arrived body the object `key`, with its events; durable when it returns."""
    whole = info.checked(arrived.checksum, FULL)

    def job(tx: Tx) -> ObjectRow:
        home = ground.require(tx, bucket)
        check_again(ground, tx, bucket, key, asked)
        row = ground.objects.put(tx, bucket, key, arrived.incoming, whole)
        ground.tell(tx, home, change(call, event_name, row, row.last_modified))
        return row

    try:
        return await ground.database.write(job)
    except BaseException:
        arrived.incoming.discard()
        raise


def check_again(ground: Ground, tx: Tx, bucket: str, key: str, asked: Conditions) -> None:
    """The conditions of a write against what is under the key at this point of the one order of all writes."""
    check_now(ground, bucket, key, asked, tx)


def check_now(ground: Ground, bucket: str, key: str, asked: Conditions, tx: Tx | None = None) -> None:
    """The same against what is committed, where there is no transaction yet."""
    if asked.if_match is None and asked.if_none_match is None:
        return
    there = ground.objects.get(bucket, key, tx)
    conditions.check_write(asked, key, there.etag if there else None)
