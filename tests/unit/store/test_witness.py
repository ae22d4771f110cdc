"""The second witness: a database that has lost acknowledged commits is refused, and only such a one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from alight.clock import ManualClock
from alight.errors import AlightError
from alight.store import writer
from alight.store.database import Database
from alight.store.witness import Witness
from tests.unit.store.test_database import save
from tests.unit.store.test_objects import until


async def copy_while_running(tmp_path: Path, clock: ManualClock, commits: int) -> Path:
    """The folder as a crash leaves it after `commits` commits, which all stand in the write-ahead log."""
    database = await Database.open(tmp_path / "data", clock)
    for number in range(commits):
        await database.write(save(str(number)))
    await until(lambda: database._writer._witnessed == database._writer._commit)
    shutil.copytree(tmp_path / "data", tmp_path / "copy")
    await database.close()
    return tmp_path / "copy"


@pytest.fixture(autouse=True)
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "WITNESS_SECONDS", 0.01)


async def test_a_crash_is_no_loss(tmp_path: Path, clock: ManualClock) -> None:
    copy = await copy_while_running(tmp_path, clock, 5)
    for _ in range(3):
        database = await Database.open(copy, clock)
        await database.write(save("more"))
        await database.close()


@pytest.mark.parametrize("place", [0.1, 0.5, 0.9])
async def test_a_flipped_bit_in_the_log_is_loud(place: float, tmp_path: Path, clock: ManualClock) -> None:
    copy = await copy_while_running(tmp_path, clock, 20)
    log = copy / "alight.db-wal"
    damaged = bytearray(log.read_bytes())
    damaged[int(len(damaged) * place)] ^= 4
    log.write_bytes(damaged)
    for _ in range(2):
        with pytest.raises(AlightError, match=r"has lost its last \d+ or more commits.*remove .*witness"):
            await Database.open(copy, clock)
    assert log.read_bytes() == damaged
    (copy / "witness").unlink()
    await (await Database.open(copy, clock)).close()


async def test_a_copy_without_its_log_is_loud(tmp_path: Path, clock: ManualClock) -> None:
    copy = await copy_while_running(tmp_path, clock, 5)
    (copy / "alight.db-wal").unlink()
    with pytest.raises(AlightError, match="has lost its last"):
        await Database.open(copy, clock)


async def test_another_database_is_refused(tmp_path: Path, clock: ManualClock) -> None:
    for name in ("one", "two"):
        await (await Database.open(tmp_path / name, clock)).close()
    database = await Database.open(tmp_path / "two", clock)
    await database.write(save("x"))
    await database.close()
    shutil.copy(tmp_path / "one" / "alight.db", tmp_path / "two")
    with pytest.raises(AlightError, match="another database"):
        await Database.open(tmp_path / "two", clock)


def test_a_torn_record_leaves_the_other(tmp_path: Path) -> None:
    witness = Witness(tmp_path)
    for number in (5, 6, 7):
        witness.write(1, number)
    os.pwrite(witness._descriptor, b"99", 0)
    witness.check(1, 6)
    with pytest.raises(AlightError):
        witness.check(1, 5)
    witness.close()
