"""Power cuts under the whole folder: each object that was answered with 200 is there with its bytes and its event.

A run of the real runtime is recorded call by call. A cut is a place in the record: from it follow what had been
answered, and what the disk may hold (`recorded.py`). The store opens what is left, and the real runtime does so for
every one with ALIGHT_CHAOS_OBJECT_CUTS (how many), else for one of them.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import signal
import sqlite3
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import pytest

from alight.clock import SystemClock
from alight.errors.store import Damaged
from alight.store.database import Database
from alight.store.objects import ObjectStore
from alight.store.verify import verify
from tests.crash.accountant import Balance
from tests.crash.packed import left_in_packs
from tests.crash.recorded import File, Folder, Volume, read_steps, strace
from tests.support import Instance, eventually, start_alight, sweep
from tests.walk.making import books, let_in, make_function, make_role

ASKED = int(os.environ.get("ALIGHT_CHAOS_OBJECT_CUTS") or 0)
CUTS = ASKED or 10
#: How many of them the real runtime opens.
STARTS = ASKED or 1

BUCKET = "power"
SIZES = (0, 900, 70_000, 300_000)
TASKS, TURNS, KEYS = 4, 4, 3
CODE = "def handler(event, context):\n    return 1\n"


@dataclass
class Asked:
    """What the client asked for: of each key the entity tags, in order, and of each of these the bytes."""

    turns: dict[str, list[str]] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)

    def note(self, key: str, etag: str, body: bytes) -> None:
        self.turns.setdefault(key, []).append(etag)
        self.bodies[etag] = body


@dataclass
class Outcome:
    cuts: int = 0
    starts: int = 0
    acknowledged: int = 0
    found: int = 0
    orphans: int = 0
    wrong: list[str] = field(default_factory=list)


def put(s3: Any, asked: Asked, key: str, body: bytes) -> None:
    etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
    asked.note(key, etag, body)
    assert s3.put_object(Bucket=BUCKET, Key=key, Body=body)["ETag"] == f'"{etag}"'


def put_parts(s3: Any, asked: Asked, key: str, pieces: list[bytes]) -> None:
    digests = [hashlib.md5(piece, usedforsecurity=False) for piece in pieces]
    whole = hashlib.md5(b"".join(digest.digest() for digest in digests), usedforsecurity=False).hexdigest()
    asked.note(key, f"{whole}-{len(pieces)}", b"".join(pieces))
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
    place = {"Bucket": BUCKET, "Key": key, "UploadId": upload}
    parts = [
        {"PartNumber": number, "ETag": s3.upload_part(**place, PartNumber=number, Body=piece)["ETag"]}
        for number, piece in enumerate(pieces, 1)
    ]
    s3.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})


def prepare(instance: Instance) -> Any:
    make_role(instance)
    arn = make_function(instance, "sees", CODE)
    let_in(instance, arn, "s3", f"arn:aws:s3:::{BUCKET}")
    s3 = instance.client("s3", max_pool_connections=TASKS)
    s3.create_bucket(Bucket=BUCKET)
    rule = {"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket=BUCKET, NotificationConfiguration={"LambdaFunctionConfigurations": [rule]}
    )
    return s3


def record(data: Path, log: Path, chance: random.Random) -> Asked:
    """One life of the runtime, from an empty disk to its orderly end, with a few clients at once."""
    asked = Asked()
    # Without the fence: behind it a worker sees folders under other names, which the record of calls cannot tell apart.
    instance = start_alight(data, timeout=90, before=strace(log), ALIGHT_WORKER_SANDBOX="none")
    try:
        s3 = prepare(instance)

        def work(task: int) -> None:
            own = random.Random(f"{task}-{chance_seed}")
            for _ in range(TURNS):
                size = own.choice(SIZES) + own.randrange(1, 100)
                put(s3, asked, f"{task}/{own.randrange(KEYS)}", own.randbytes(size))

        chance_seed = chance.random()
        with ThreadPoolExecutor(TASKS) as pool:
            list(pool.map(work, range(TASKS)))
        put_parts(s3, asked, "parts", [chance.randbytes(80_000)])
        eventually(lambda: settled(instance), 60, "all events handled")
        os.kill(json.loads((data / "instance.json").read_text())["pid"], signal.SIGTERM)
        assert instance.process.wait(30) == 0
    finally:
        sweep(instance.process)
    return asked


def settled(instance: Instance) -> bool:
    found = books(instance)
    return not (found["pending"] or found["running"])


def differences(folder: Folder, disk: Path) -> list[str]:
    """Where the record says other than the disk: the record would have missed something."""
    wrong = [str(disk / name) for name in folder.live.keys() ^ {path.name for path in disk.iterdir()}]
    # What SQLite shares between processes is not written by calls, and is made anew at each start.
    wrong = [name for name in wrong if not name.endswith("-shm")]
    for name, node in folder.live.items():
        if isinstance(node, Folder):
            wrong += differences(node, disk / name)
        elif (
            isinstance(node, File)
            and name != "ballast"
            and not name.endswith("-shm")
            and node.content.live != (disk / name).read_bytes()
        ):
            wrong.append(str(disk / name))
    return wrong


def read_events(data: Path) -> Counter[tuple[str, str]]:
    """How many events there are of each key and entity tag."""
    found = sqlite3.connect(f"file:{data / 'alight.db'}?mode=ro", uri=True)
    try:
        payloads = [json.loads(payload)["Records"][0]["s3"]["object"] for (payload,) in found.execute(
            "SELECT payload FROM events"
        )]  # fmt: skip
    finally:
        found.close()
    return Counter((unquote_plus(item["key"]), item["eTag"]) for item in payloads)


def compare(key: str, etag: str | None, body: bytes, asked: Asked, told: set[str]) -> list[str]:
    """A key holds what was answered last, or what was asked for after that, whole; or nothing, if nobody was told."""
    turns = asked.turns[key]
    last = max((index for index, turn in enumerate(turns) if turn in told), default=-1)
    if etag is None:
        return [f"{key} is lost"] if last >= 0 else []
    if etag not in turns[max(last, 0) :]:
        return [f"{key} is {etag}, answered was {turns[last]}"]
    return [] if body == asked.bodies[etag] else [f"{key} has other bytes"]


async def judge(data: Path, asked: Asked, told: set[str], outcome: Outcome) -> None:
    """Open the store, read every object, look for its event, and for what was left over."""
    database = await Database.open(data, SystemClock())
    store = ObjectStore(database, data)
    seen: list[tuple[str, str]] = []
    for key in asked.turns:
        row = store.get(BUCKET, key)
        try:
            body = b"".join([chunk async for chunk in store.open_body(row)]) if row else b""
        except Damaged as damage:
            body = str(damage).encode()
        outcome.wrong += compare(key, row.etag if row else None, body, asked, told)
        seen += [(key, row.etag)] if row else []
    outcome.orphans += await store.sweep()
    store.close()
    referenced = {row["id"] for row in database.read().all("bodies.known", start="", end="g")}
    await database.close()
    outcome.found += len(seen)
    outcome.wrong += [f"{item.what} {item.key}" for item in verify(data)]
    outcome.wrong += [f"left: {path}" for path in stored(data) if path.name not in referenced]
    outcome.wrong += left_in_packs(data)
    events = read_events(data)
    outcome.wrong += [f"{key} {etag} has no event" for key, etag in seen if not events[key, etag]]
    outcome.wrong += [
        f"{key} {turn} was answered and has no event"
        for key, turns in asked.turns.items()
        for turn in turns
        if turn in told and not events[key, turn]
    ]


def stored(data: Path) -> list[Path]:
    return [path for name in ("bodies", "tmp") for path in (data / name).rglob("*") if path.is_file()]


def start_on(data: Path, asked: Asked, told: set[str], outcome: Outcome) -> None:
    """The real runtime opens what is left: each object can be had, each event comes to its end."""
    outcome.starts += 1
    instance = start_alight(data, timeout=60)
    try:
        s3 = instance.client("s3")
        for key in asked.turns:
            try:
                answer = s3.get_object(Bucket=BUCKET, Key=key)
            except (s3.exceptions.NoSuchKey, s3.exceptions.NoSuchBucket):
                outcome.wrong += compare(key, None, b"", asked, told)
            else:
                outcome.wrong += compare(key, answer["ETag"].strip('"'), answer["Body"].read(), asked, told)
        eventually(lambda: settled(instance), 60, "all events handled")
        found = books(instance)
        if found["accepted"] != found["succeeded"]:
            outcome.wrong.append(f"the books say {found}")
        assert instance.stop() == 0
    finally:
        sweep(instance.process)


@pytest.mark.tool("strace")
@pytest.mark.slow
@pytest.mark.timeout(240 + 20 * ASKED)
def test_power_cuts_under_object_files(tmp_path: Path) -> None:
    seed = int(os.environ.get("ALIGHT_TEST_SEED") or random.randrange(1 << 32))
    chance = random.Random(seed)
    data, log = tmp_path / "recorded" / "data", tmp_path / "calls"
    asked = record(data, log, chance)
    steps = list(read_steps(log))
    whole = Volume(data)
    places = [index for index, step in enumerate(steps) if whole.apply(step) or step.acknowledged]
    assert (whole.unknown, differences(whole.top.live["data"], data)) == (set(), [])  # type: ignore[arg-type]
    assert {turn for step in steps for turn in step.acknowledged} >= asked.bodies.keys()
    outcome = Outcome()
    volume, told, at = Volume(data), set[str](), 0
    for place in sorted(chance.sample(places[len(places) // 20 :], CUTS)):
        for step in steps[at:place]:
            volume.apply(step)
            told.update(step.acknowledged)
        at = place
        outcome.cuts += 1
        outcome.acknowledged += len(told & asked.bodies.keys())
        name = f"cut-{outcome.cuts}"
        volume.cut(tmp_path / name, random.Random(f"{seed}-{place}"))
        before = len(outcome.wrong)
        if outcome.starts < STARTS * outcome.cuts / CUTS:
            start_on(tmp_path / name / "data", asked, told, outcome)
        asyncio.run(judge(tmp_path / name / "data", asked, told, outcome))
        outcome.wrong[before:] = [f"cut before step {place}: {line}" for line in outcome.wrong[before:]]
    what = f"{len(steps)} steps, {len(places)} places, {len(asked.bodies)} objects asked for"
    numbers = {
        "power cuts": outcome.cuts,
        "opened by the real runtime": outcome.starts,
        "answers given before a cut": outcome.acknowledged,
        "objects found behind one": outcome.found,
        "files that nobody names": outcome.orphans,
    }
    print(f"\n{what}{Balance(numbers, outcome.wrong).table(seed)}")
    assert outcome.wrong == [], f"seed {seed}"
    assert outcome.found > outcome.cuts


def test_the_harness_sees_what_is_not_flushed(tmp_path: Path) -> None:
    """A file whose name, or whose bytes, nobody flushed is lost at some cut; one with both is never."""
    lost = Counter[str]()
    for seed in range(30):
        volume = Volume(tmp_path / "data")
        top = volume.top
        for name in ("bytes", "name", "both"):
            made = File()
            made.content.change(0, b"whole" * 1000)
            if name != "bytes":
                made.content.sync()
            top.change(**{name: made})
            if name == "name":
                continue
            top.sync(top.changes)
        volume.cut(tmp_path / str(seed), random.Random(seed))
        for name in ("bytes", "name", "both"):
            path = tmp_path / str(seed) / name
            lost[name] += not path.exists() or path.read_bytes() != b"whole" * 1000
    assert lost["bytes"]
    assert lost["both"] == 0
