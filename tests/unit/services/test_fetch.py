"""Objects as files: the very bytes that were there when the object was looked up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from alight.clock import ManualClock
from alight.services.fetch import Fetcher
from alight.store.database import Database
from alight.store.objects import ObjectStore
from alight.store.shapes import ObjectInfo


async def test_what_is_overwritten_meanwhile_is_fetched_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, in_thread = tmp_path / "data", asyncio.to_thread
    database = await Database.open(data, ManualClock())
    objects = ObjectStore(database, data)

    async def put(body: bytes) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            yield body

        incoming = await objects.receive(chunks())
        await database.write(lambda tx: objects.put(tx, "code", "f.zip", incoming, ObjectInfo()))

    async def overwritten_first(*given: Any) -> Any:
        monkeypatch.setattr(asyncio, "to_thread", in_thread)
        [held] = [path for path in (data / "bodies").rglob("*") if path.is_file()]
        await put(b"after")
        for _ in range(1_000):
            if not held.exists():
                break
            await asyncio.sleep(0)
        return await in_thread(*given)

    try:
        await database.write(lambda tx: objects.create_bucket(tx, "code"))
        await put(b"before" * 100_000)
        monkeypatch.setattr(asyncio, "to_thread", overwritten_first)
        path = await Fetcher(objects, tmp_path / "fetched").object("code", "f.zip")
        assert path.read_bytes() == b"before" * 100_000
    finally:
        objects.close()
        await database.close()
