"""The ballast: held while there is room, given up when the disk is full, taken again afterwards."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from pathlib import Path

import pytest

from alight.clock import ManualClock
from alight.errors.store import InsufficientStorage
from alight.store import writer
from alight.store.ballast import Ballast
from alight.store.connections import open_writer
from alight.store.database import Database, Tx
from tests.crash.unsynced import ForgetfulDisk
from tests.unit.store.test_database import save
from tests.unit.store.test_objects import until


def test_the_space_is_really_taken(tmp_path: Path) -> None:
    ballast = Ballast(tmp_path, 1 << 20)
    ballast.ensure()
    ballast.ensure()
    assert (tmp_path / "ballast").stat().st_blocks * 512 >= 1 << 20
    ballast.release()
    ballast.release()
    assert not (tmp_path / "ballast").exists()


def test_it_does_not_take_the_last_room(tmp_path: Path) -> None:
    Ballast(tmp_path, 1 << 60).ensure()
    assert not (tmp_path / "ballast").exists()


async def test_a_full_disk_releases_it_until_there_is_room(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "WITNESS_SECONDS", 0.01)
    disk = ForgetfulDisk("disk-with-ballast")
    database = await Database.open(tmp_path, clock, connect=partial(open_writer, vfs=disk.vfs_name), ballast=1 << 20)
    held = tmp_path / "ballast"
    assert held.exists()
    disk.full = True
    with pytest.raises(InsufficientStorage):
        await database.write(save("x"))
    assert not held.exists()
    disk.full = False
    await database.write(save("x"))
    await until(held.exists)
    await database.close()
    assert not held.exists()


async def test_what_frees_room_is_done_on_it_and_nothing_else(tmp_path: Path, clock: ManualClock) -> None:
    disk = ForgetfulDisk("disk-that-is-freed")
    database = await Database.open(tmp_path, clock, connect=partial(open_writer, vfs=disk.vfs_name), ballast=1 << 20)
    await database.write(save("x"))
    held, tried = tmp_path / "ballast", list[bool]()

    def forget(tx: Tx) -> None:
        # What the ballast has held is room now.
        disk.full = held.exists()
        tried.append(disk.full)
        tx.run("records.delete", kind="test", name="x")

    began, together = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def hold(tx: Tx) -> None:
        loop.call_soon_threadsafe(began.set)
        together.wait(10)

    waiting = asyncio.create_task(database.write(hold))
    await began.wait()
    putting = asyncio.create_task(database.write(save("y")))
    deleting = asyncio.create_task(database.write(forget, frees=True))
    await asyncio.sleep(0)
    together.set()
    await asyncio.gather(waiting, deleting)
    with pytest.raises(InsufficientStorage):
        await putting
    assert tried == [True, False]
    assert await database.write(lambda tx: tx.one("records.get", kind="test", name="x")) is None
    assert await database.write(lambda tx: tx.one("records.get", kind="test", name="y")) is None
    await database.close()


async def test_where_there_is_none_left_what_frees_room_is_refused_too(tmp_path: Path, clock: ManualClock) -> None:
    disk = ForgetfulDisk("disk-that-stays-full")
    database = await Database.open(tmp_path, clock, connect=partial(open_writer, vfs=disk.vfs_name), ballast=1 << 20)
    disk.full = True
    with pytest.raises(InsufficientStorage):
        await database.write(save("x"), frees=True)
    disk.full = False
    await database.close()
