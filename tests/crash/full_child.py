"""A process that fills a tiny disk and frees it again, over and over, and says as JSON what happened in each round."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from alight.clock import SystemClock
from alight.errors import Fault
from alight.store import writer
from alight.store.database import Database
from alight.store.objects import ObjectStore
from alight.store.shapes import ObjectInfo
from alight.store.verify import verify

ROUNDS = int(os.environ.get("ALIGHT_CHAOS_FULL") or 10)
OBJECTS = 30
BEFORE = 10


async def once(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def put(database: Database, store: ObjectStore, key: str, data: bytes) -> None:
    incoming = await store.receive(once(data))
    try:
        await database.write(partial(store.put, bucket="bucket", key=key, incoming=incoming, info=ObjectInfo()))
    except Fault:
        incoming.discard()
        raise


async def fill_and_free(database: Database, store: ObjectStore, number: int) -> dict[str, int]:
    """One round: PUT, let somebody else fill the disk, PUT until it is refused, delete all that was acknowledged."""
    happened: Counter[str] = Counter()
    kept: dict[str, bytes] = {}
    stranger = database.folder.parent / "stranger"
    for index in range(OBJECTS):
        if index == BEFORE:
            fill(stranger)
        key = f"{number}/{index}"
        data = os.urandom((30_000, 150_000)[index % 2])
        try:
            await put(database, store, key, data)
        except Fault as fault:
            happened[fault.code] += 1
            # Nothing comes in any more where the ballast is in use, as with the reserve of a real disk.
            if not (database.folder / "ballast").exists():
                break
        else:
            kept[key] = data
    happened["stored"] = len(kept)
    for key, data in kept.items():
        row = store.get("bucket", key)
        happened["read"] += row is not None and b"".join([chunk async for chunk in store.open_body(row)]) == data
    for key in kept:
        row = await database.write(partial(store.delete, bucket="bucket", key=key))
        happened["deleted"] += row is not None
    stranger.unlink()
    return dict(happened)


def fill(path: Path) -> None:
    """Take all the space that is left."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


async def main(folder: Path) -> None:
    # The log of a real disk may grow to a few megabytes, which is more than there is here; a round takes no second.
    writer.CHECKPOINT_IDLE = writer.CHECKPOINT_BUSY = 40
    writer.WITNESS_SECONDS = 0.0
    database = await Database.open(folder, SystemClock(), ballast=400_000)
    store = ObjectStore(database, folder, reserve=0)
    await database.write(partial(store.create_bucket, name="bucket"))
    rounds = [await fill_and_free(database, store, number) for number in range(ROUNDS)]
    await store.sweep()
    store.close()
    await database.close()
    left = sum(path.is_file() for path in (folder / "bodies").rglob("*")) + len(list((folder / "tmp").iterdir()))
    print(json.dumps({"rounds": rounds, "findings": [str(item) for item in verify(folder)], "left": left}))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]) / "data"))
