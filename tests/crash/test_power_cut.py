"""Power cuts: what was acknowledged is there afterwards, whole, and jobs are there whole or not at all.

The database runs on a disk that forgets whatever was not flushed. The same runs with weaker settings show that the
harness would see a loss.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import apsw
import pytest

from alight.clock import ManualClock
from alight.errors import AlightError
from alight.errors.store import StoreUnavailable
from alight.store import writer
from alight.store.connections import DURABLE, open_writer
from alight.store.database import Database, Tx
from alight.store.shapes import ObjectRow
from alight.store.verify import verify
from alight.store.versions import columns
from tests.crash.accountant import Balance
from tests.crash.unsynced import ForgetfulDisk

CUTS = int(os.environ.get("ALIGHT_CHAOS_CUTS") or 120)
WRITERS = 6
JOBS = 8


@dataclass
class Outcome:
    acknowledged: int = 0
    lost: int = 0
    torn: int = 0
    refused: int = 0
    corrupt: int = 0
    cuts: int = 0


@pytest.fixture(autouse=True)
def frequent_checkpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "CHECKPOINT_IDLE", 6)
    monkeypatch.setattr(writer, "CHECKPOINT_BUSY", 12)
    monkeypatch.setattr(writer, "WITNESS_SECONDS", 0.0)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A database with its schema, so that each run begins where the work does."""
    folder = tmp_path_factory.mktemp("template")

    async def make() -> None:
        await (await Database.open(folder, ManualClock())).close()

    asyncio.run(make())
    return (folder / "alight.db").read_bytes()


async def work(disk: ForgetfulDisk, folder: Path, synchronous: str) -> set[int]:
    """Write until the power goes; the numbers of the jobs that were acknowledged."""
    acknowledged: set[int] = set()
    connect = partial(open_writer, synchronous=synchronous, vfs=disk.vfs_name)
    try:
        database = await Database.open(folder, ManualClock(), connect=connect)
    except (AlightError, StoreUnavailable):
        return acknowledged

    async def write(first: int) -> None:
        for number in range(first, first + JOBS):
            text = str(number) * (1 + number % 700)
            await database.write(partial(both, number=number, text=text))
            acknowledged.add(number)

    await asyncio.gather(*[write(index * JOBS) for index in range(WRITERS)], return_exceptions=True)
    with suppress(apsw.IOError):
        await database.close()
    return acknowledged


def both(tx: Tx, number: int, text: str) -> None:
    """Rows that belong together: two records, and the versions of an object."""
    for kind in ("left", "right"):
        tx.run("records.put", kind=kind, name=str(number), body=text, now=1.0)
    version = ObjectRow(
        bucket="b", key=str(number), version_id="v", size=0, etag="", last_modified=1.0, sequencer=f"{number:016X}",
        crc64nvme="", segments=(), metadata={"text": text}, versioned=True,
    )  # fmt: skip
    tx.run("objects.put", **columns(version))
    tx.run("versions.put", visible=version.visible, **columns(version))


def run(
    template: bytes, tmp_path: Path, seed: int, cut_at: int | None, synchronous: str
) -> tuple[ForgetfulDisk, set[int]]:
    before = tmp_path / f"before-{synchronous}-{seed}"
    before.mkdir()
    disk = ForgetfulDisk(f"disk-{synchronous}-{seed}-{id(before)}", seed)
    disk.preload(before / "alight.db", template)
    disk.cut_at = cut_at
    return disk, asyncio.run(work(disk, before, synchronous))


def cut_often(template: bytes, tmp_path: Path, synchronous: str, cuts: int, first: int = 1) -> Outcome:
    """Cut at a place that each of the seeds from `first` on draws."""
    whole, _ = run(template, tmp_path, 0, None, synchronous)
    outcome = Outcome()
    for seed in range(first, first + cuts):
        disk, acknowledged = run(
            template, tmp_path, seed, random.Random(seed).randrange(1, whole.operations), synchronous
        )
        after = tmp_path / f"after-{synchronous}-{seed}"
        after.mkdir()
        disk.cut(after)
        # Careless runs do without: the witness would refuse most before their corruption is seen.
        if synchronous != "OFF":
            shutil.copy(tmp_path / f"before-{synchronous}-{seed}" / "witness", after)
        judge(after, acknowledged, outcome)
        shutil.rmtree(after)
    return outcome


def judge(folder: Path, acknowledged: set[int], outcome: Outcome) -> None:
    outcome.cuts += 1
    outcome.acknowledged += len(acknowledged)
    try:
        asyncio.run(reopen(folder))
        left, right = (names(folder, kind) for kind in ("left", "right"))
        both_kinds = [keys(folder, table) for table in ("objects", "versions")]
        outcome.corrupt += bool(verify(folder))
    except (apsw.Error, AlightError, StoreUnavailable) as error:
        refused = "has lost its last" in str(error)
        outcome.refused += refused
        outcome.corrupt += not refused
        outcome.lost += len(acknowledged)
        return
    outcome.torn += len(left ^ right) + sum(versions != {str(number) for number in left} for versions in both_kinds)
    outcome.lost += len(acknowledged - left)


async def reopen(folder: Path) -> None:
    database = await Database.open(folder, ManualClock())
    await database.write(lambda tx: both(tx, 100_000, "after"))
    await database.close()


def names(folder: Path, kind: str) -> set[int]:
    connection = apsw.Connection(str(folder / "alight.db"), flags=apsw.SQLITE_OPEN_READONLY)
    rows = connection.execute("SELECT name FROM records WHERE kind = ?", (kind,)).fetchall()
    connection.close()
    return {int(str(row[0])) for row in rows}


def keys(folder: Path, table: str) -> set[str]:
    connection = apsw.Connection(str(folder / "alight.db"), flags=apsw.SQLITE_OPEN_READONLY)
    rows = connection.execute(f"SELECT key FROM {table}").fetchall()
    connection.close()
    return {str(row[0]) for row in rows}


@pytest.mark.timeout(120 + CUTS)
def test_nothing_acknowledged_is_lost(template: bytes, tmp_path: Path) -> None:
    seed = int(os.environ.get("ALIGHT_TEST_SEED") or random.randrange(1, 1 << 32))
    outcome = cut_often(template, tmp_path, DURABLE, CUTS, seed)
    print(f"\npower cuts under the journal{Balance(asdict(outcome)).table(seed)}")
    assert outcome.acknowledged > CUTS
    assert (outcome.cuts, outcome.lost, outcome.torn, outcome.corrupt, outcome.refused) == (CUTS, 0, 0, 0, 0)


def test_the_harness_sees_what_a_weaker_setting_loses(template: bytes, tmp_path: Path) -> None:
    relaxed = cut_often(template, tmp_path, "NORMAL", 25)
    assert relaxed.lost > 0
    assert relaxed.refused > 0
    assert relaxed.corrupt == 0


def test_the_harness_sees_corruption(template: bytes, tmp_path: Path) -> None:
    careless = cut_often(template, tmp_path, "OFF", 40)
    assert careless.corrupt > 0
