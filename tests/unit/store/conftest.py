"""A data folder, its database and its object store, opened and closed around each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from alight.clock import ManualClock
from alight.store.database import Database
from alight.store.objects import ObjectStore
from alight.store.shapes import ObjectInfo, ObjectRow

Put = Callable[..., Awaitable[ObjectRow]]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def database(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Database]:
    database = await Database.open(tmp_path / "data", clock)
    yield database
    await database.close()


@pytest.fixture
async def store(database: Database) -> AsyncIterator[ObjectStore]:
    store = ObjectStore(database, database.folder)
    await database.write(lambda tx: store.create_bucket(tx, "bucket"))
    yield store
    store.close()


async def chunked(data: bytes, size: int = 65_536) -> AsyncIterator[bytes]:
    """`data` as a client would send it."""
    for start in range(0, len(data), size):
        yield data[start : start + size]


@pytest.fixture
def put(database: Database, store: ObjectStore) -> Put:
    """PUT some bytes under a key of `bucket`."""

    async def run(key: str, data: bytes, info: ObjectInfo | None = None, bucket: str = "bucket") -> ObjectRow:
        incoming = await store.receive(chunked(data))
        return await database.write(lambda tx: store.put(tx, bucket, key, incoming, info or ObjectInfo()))

    return run


async def read(store: ObjectStore, row: ObjectRow | None, start: int = 0, end: int | None = None) -> bytes:
    """All bytes of an object."""
    assert row is not None
    return b"".join([chunk async for chunk in store.open_body(row, start, end)])


def files(database: Database) -> list[Path]:
    """The body files on the disk."""
    return sorted(path for path in (database.folder / "bodies").rglob("*") if path.is_file())
