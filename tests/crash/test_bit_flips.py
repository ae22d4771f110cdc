"""One bit of the disk turns over: it is noticed (at the start, when it is read, or by `verify`), or it harms nothing.

A folder as an orderly end leaves it, and one as a kill does, with half of its rows in the log only, get one flipped bit
at a time. What is then served (objects, definitions, events, results, messages, deliveries, queues) is compared with
what is served without: other bytes are a defect whoever may notice, something missing is one if nobody does.
ALIGHT_CHAOS_FLIPS says how many.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import re
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import apsw
import pytest

from alight.clock import ManualClock
from alight.errors import AlightError, Fault
from alight.store import journal, writer
from alight.store.database import Database, Tx
from alight.store.objects import ObjectStore
from alight.store.outbox import OutboxStore, StoredMessage
from alight.store.queues import QueueStore
from alight.store.records import Records
from alight.store.shapes import ObjectInfo
from alight.store.verify import verify
from alight.store.versions import ENABLED, SETTING
from tests.crash.accountant import Balance

FLIPS = int(os.environ.get("ALIGHT_CHAOS_FLIPS") or 60)
SIZES = (0, 40, 700, 3_000, 70_000, 270_000)
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:sees"
NOW = 1_700_000_000.0

#: Values of rows as they stand in the file, which are few among its bytes: results, reasons, messages, definitions.
VALUES = (
    rb'"bird \d+"',
    b"RetriesExhausted",
    rb"a bird at \d/\d",
    b"http://told/",
    b"a body",
    b"app.handler",
    rb'"key": "\d/\d"',
)

Facts = dict[str, str]


async def once(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def fill(database: Database, part: int) -> None:
    """A bit of everything; `part` tells the database's from the log's."""
    chance = random.Random(part)
    store = ObjectStore(database, database.folder)
    records, outbox, queues = Records(database), OutboxStore(database), QueueStore(database)

    def begin(tx: Tx) -> None:
        store.create_bucket(tx, "plain")
        store.create_bucket(tx, "kept", {SETTING: ENABLED})
        records.put(
            tx, "lambda:function", f"sees-{part}", {"Handler": "app.handler", "Environment": {"PART": str(part)}}
        )

    await database.write(begin)

    def work(
        tx: Tx, number: int, put: Callable[[Tx], Any], event: journal.NewEvent, message: StoredMessage
    ) -> None:  # fmt: skip
        put(tx)
        journal.accept(tx, event)
        if number % 3:
            [leased] = journal.lease(tx, FUNCTION, 1, NOW)
            if number % 3 == 1:
                journal.succeed(tx, leased, NOW + 1, json.dumps({"label": f"bird {number}"}).encode())
            else:
                journal.give_up(tx, leased, NOW + 1, {"reason": "RetriesExhausted"}, attempted=True)
        outbox.add_message(tx, message)
        outbox.add_delivery(
            tx, message.id, subscription="arn:sub", protocol="http", target="http://told/", raw=False, now=NOW
        )
        queues.send(tx, "queue", f"queued-{message.id}", "a body", {}, sender="me", sent=NOW)

    for number in range(12):
        bucket, key = chance.choice(("plain", "kept")), f"{part}/{number % 9}"
        incoming = await store.receive(once(chance.randbytes(chance.choice(SIZES))))
        event = journal.NewEvent(
            f"event-{part}-{number}", FUNCTION, json.dumps({"key": key}).encode(), {"kind": "s3"}, NOW, NOW + 900
        )
        message = StoredMessage(
            f"message-{part}-{number}", "Notification", "arn:topic", "", None, f"a bird at {key}", "", {}, "", event.id,
            1, number, None, "accepted", NOW, NOW,
        )  # fmt: skip

        put = partial(store.put, bucket=bucket, key=key, incoming=incoming, info=ObjectInfo(metadata={"at": key}))
        await database.write(partial(work, number=number, put=put, event=event, message=message))
    store.close()


async def build(folder: Path, killed: Path) -> None:
    """Make `folder`, as an orderly end leaves it, and `killed`, as a kill shortly before does: half of it in the log,
    and a witness that knows it all."""
    database = await Database.open(folder, ManualClock(NOW), ballast=0)
    await fill(database, 1)
    await database.close()
    database = await Database.open(folder, ManualClock(NOW), ballast=0)
    await fill(database, 2)
    # The witness is told behind each commit.
    while str(committed(database)).encode() not in (folder / "witness").read_bytes():
        await asyncio.sleep(0.001)
    shutil.copytree(folder, killed, ignore=shutil.ignore_patterns("*-shm", "ballast*"))
    await database.close()


def committed(database: Database) -> int:
    row = database.read().one("counters.get", name=writer.COMMITS)
    return int(row["value"]) if row else 0


async def serve(folder: Path) -> tuple[Facts, list[str]]:
    """All that this folder serves, by name, and what was noticed at the start or on the way."""
    noticed: list[str] = []
    facts: Facts = {}
    try:
        database = await Database.open(folder, ManualClock(NOW + 10), ballast=0)
    except (AlightError, apsw.Error) as error:
        return facts, [f"start: {error}"]
    database.on_damage = lambda damage: noticed.append(str(damage))
    database.on_fatal = lambda error: noticed.append(str(error))
    store = ObjectStore(database, folder)
    try:
        for name, ask in questions(database, store).items():
            try:
                facts[name] = await ask()
            except Exception as error:  # answered with 500, and logged
                noticed.append(f"{name}: {error!r}")
    finally:
        store.close()
        with suppress(apsw.Error, Fault):
            await database.close()
    return facts, noticed


def questions(database: Database, store: ObjectStore) -> dict[str, Callable[[], Any]]:
    records, outbox, queues = Records(database), OutboxStore(database), QueueStore(database)

    async def body(bucket: str, key: str) -> str:
        row = store.get(bucket, key)
        if row is None:
            return "missing"
        data = b"".join([chunk async for chunk in store.open_body(row)])
        return f"{row.etag} {row.size} {row.sequencer} {dict(row.metadata)} {data.hex()}"

    async def versions(bucket: str) -> str:
        page = store.list_versions(bucket, "", "", ("", ""), 1000)
        return str([(one.row.key, one.row.visible, one.row.etag, one.row.segments) for one in page.versions])

    async def listed(bucket: str) -> str:
        return str([(row.key, row.etag, row.size) for row in store.list(bucket)])

    async def event(id: str) -> str:
        found = journal.get(database.read(), id)
        return str(found and (found.function, found.payload, found.source, found.state, found.error, found.result))

    async def definition(name: str) -> str:
        found = records.get("lambda:function", name)
        return str(found and found.body)

    async def delivery() -> str:
        return str([(one.message_id, one.target, one.protocol) for one in outbox.due(NOW + 10, [], [], 1000)])

    async def leased() -> str:
        due = await database.write(lambda tx: journal.lease(tx, FUNCTION, 1000, NOW + 10))
        return str([(one.id, one.payload) for one in due])

    async def received() -> str:
        def take(tx: Tx) -> list[Any]:
            return queues.receive(tx, "queue", now=NOW + 10, visibility=30, oldest=0, limit=1000, redrive=None)

        return str([(one.id, one.body) for one in await database.write(take)])

    async def told(part: int, number: int) -> str:
        rows = database.read().all("outbox.messages_of_event", event_id=f"event-{part}-{number}")
        return str([row["body"] for row in rows])

    asked: dict[str, Callable[[], Any]] = {}
    for part in (1, 2):
        asked[f"definition {part}"] = partial(definition, f"sees-{part}")
        for number in range(12):
            asked[f"event {part} {number}"] = partial(event, f"event-{part}-{number}")
            asked[f"told {part} {number}"] = partial(told, part, number)
        for bucket in ("plain", "kept"):
            asked |= {f"{bucket} {part}/{number}": partial(body, bucket, f"{part}/{number}") for number in range(9)}
    asked |= {
        f"{what.__name__} {name}": partial(what, name) for what in (listed, versions) for name in ("plain", "kept")
    }
    return asked | {"deliveries": delivery, "leased": leased, "received": received}


def damage(folder: Path) -> list[str]:
    try:
        return [f"{item.what} {item.key}" for item in verify(folder)]
    except (apsw.Error, Fault, AlightError, ValueError) as error:
        return [repr(error)]


@dataclass(frozen=True)
class Sound:
    """A folder with nothing wrong, what it serves, and the bytes of what is opened for writing."""

    folder: Path
    facts: Facts
    files: dict[str, bytes]
    bodies: list[str]

    def restore(self) -> None:
        for name in ("alight.db-wal", "alight.db-shm"):
            (self.folder / name).unlink(missing_ok=True)
        for name, data in self.files.items():
            (self.folder / name).write_bytes(data)


def examine(folder: Path) -> Sound:
    names = ("alight.db", "alight.db-wal", "witness")
    files = {name: (folder / name).read_bytes() for name in names if (folder / name).exists()}
    facts, noticed = asyncio.run(serve(folder))
    assert (noticed, damage(folder)) == ([], [])
    bodies = [
        str(path.relative_to(folder))
        for place in ("bodies", "packs")
        for path in (folder / place).rglob("*")
        if path.is_file()
    ]
    sound = Sound(folder, facts, files, bodies)
    sound.restore()
    return sound


def flip(path: Path, chance: random.Random, among: bytes = b"") -> tuple[str, bytes]:
    """Where, and what was there before; with `among`, one of the bits of what matches that pattern."""
    data = path.read_bytes()
    found = [match.span() for match in re.finditer(among, data)] if among else [(0, len(data))]
    place, bit = chance.randrange(*chance.choice(found)), chance.randrange(8)
    path.write_bytes(data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :])
    return f"{path.name} byte {place} bit {bit}", data


def judge(sound: Facts, facts: Facts, noticed: list[str], found: Callable[[], list[str]]) -> tuple[str, str]:
    """Where it was noticed, or that it harms nothing, or what is wrong."""
    other = [name for name in facts if facts[name] != sound[name]]
    for name in other:
        # One thing is served whole and as it was, or not at all.
        single = name.split()[0] in ("plain", "kept", "event", "definition")
        if single and facts[name] not in ("missing", "None"):
            return "wrong", f"{name} is {facts[name][:200]} instead of {sound[name][:200]}"
    if noticed:
        return ("start" if noticed[0].startswith("start") else "read"), noticed[0]
    if seen := found():
        return "verify", seen[0]
    if other:
        return "wrong", f"{other[0]} is {facts[other[0]][:200]} instead of {sound[other[0]][:200]}, and nobody notices"
    return "harmless", ""


@pytest.mark.timeout(120 + FLIPS)
def test_a_flipped_bit_is_noticed_or_harmless(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    monkeypatch.setattr(writer, "WITNESS_SECONDS", 0.0)
    seed = int(os.environ.get("ALIGHT_TEST_SEED") or random.randrange(1 << 32))
    chance = random.Random(seed)
    asyncio.run(build(tmp_path / "ended", tmp_path / "killed"))
    ended, killed = examine(tmp_path / "ended"), examine(tmp_path / "killed")
    assert ended.facts == killed.facts
    outcomes: Counter[str] = Counter()
    wrong: list[str] = []
    for _ in range(FLIPS):
        # Of a page that the log holds anew, the database's copy is never read: it is damaged where there is no log.
        kind = chance.choice(("alight.db", "value", "alight.db-wal", "body"))
        sound = killed if kind == "alight.db-wal" else ended
        name = {"body": chance.choice(sound.bodies), "value": "alight.db"}.get(kind, kind)
        path = sound.folder / name
        where, data = flip(path, chance, chance.choice(VALUES) if kind == "value" else b"")
        facts, noticed = asyncio.run(serve(sound.folder))
        outcome, why = judge(sound.facts, facts, noticed, partial(damage, sound.folder))
        outcomes[f"{kind}: {outcome}"] += 1
        if outcome == "wrong":
            wrong.append(f"{where}: {why}")
        path.write_bytes(data)
        sound.restore()
    print(f"\n{FLIPS} flipped bits{Balance(dict(sorted(outcomes.items())), wrong).table(seed)}")
    assert wrong == [], f"seed {seed}"
