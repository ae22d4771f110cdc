"""A process that changes objects as fast as it can and says on stdout what was acknowledged, until it is killed.

Lines: `begin KEY STATE` before a change, `done KEY STATE` after the store's answer; a state is the round of the PUT, or
`none` after a deletion. A body tells its own key and round, so that the parent can judge it. Keys under `kept/` lie in
a bucket that keeps versions: there every round that was acknowledged stays.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

from alight.clock import SystemClock
from alight.store.database import Database, Tx
from alight.store.objects import ObjectStore
from alight.store.shapes import ObjectInfo
from alight.store.versions import ENABLED, SETTING

TASKS = 6
KEYS = 5
#: Tasks from this number on work in a bucket that keeps versions.
KEEPING = 4


def content(key: str, turn: int, size: int) -> bytes:
    """`size` bytes that only this round of this key has."""
    pattern = f"{key}:{turn}:{size};".encode()
    return (pattern * (size // len(pattern) + 1))[:size]


def say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


async def chunks(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 50_000):
        yield data[start : start + 50_000]


def bucket_of(key: str) -> str:
    return "kept" if key.startswith("kept/") else "bucket"


async def put_whole(database: Database, store: ObjectStore, key: str, data: bytes, info: ObjectInfo) -> None:
    incoming = await store.receive(chunks(data))
    await database.write(partial(store.put, bucket=bucket_of(key), key=key, incoming=incoming, info=info))


async def put_parts(database: Database, store: ObjectStore, key: str, data: bytes, info: ObjectInfo) -> None:
    upload = await database.write(partial(store.create_upload, bucket=bucket_of(key), key=key, info=info))
    half = len(data) // 2
    for number, piece in ((1, data[:half]), (2, data[half:])):
        incoming = await store.receive(chunks(piece))
        await database.write(partial(store.put_part, upload_id=upload.id, number=number, incoming=incoming))
    await database.write(partial(store.complete, upload_id=upload.id, numbers=[1, 2], etag="parts"))


async def change(database: Database, store: ObjectStore, task: int, start: int) -> None:
    chance = random.Random(start * 100 + task)
    for turn in range(start, sys.maxsize):
        key = f"{'kept/' if task >= KEEPING else ''}task{task}/key{chance.randrange(KEYS)}"
        if chance.random() < 0.15:
            say("begin", key, "none")
            await database.write(partial(store.delete, bucket=bucket_of(key), key=key))
            say("done", key, "none")
            continue
        size = chance.choice([0, 100, 5_000, 70_000, 115_000, 400_000])
        info = ObjectInfo(metadata={"turn": str(turn)})
        method: Callable[..., Any] = put_parts if chance.random() < 0.2 else put_whole
        say("begin", key, turn)
        await method(database, store, key, content(key, turn, size), info)
        say("done", key, turn)


async def main(folder: Path, start: int) -> None:
    database = await Database.open(folder, SystemClock())
    store = ObjectStore(database, folder)

    def make(tx: Tx) -> None:
        store.create_bucket(tx, "bucket")
        store.create_bucket(tx, "kept", {SETTING: ENABLED})

    await database.write(make)
    sweeping = asyncio.ensure_future(store.sweep())
    say("ready")
    await asyncio.gather(*[change(database, store, task, start) for task in range(TASKS)])
    await sweeping


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
