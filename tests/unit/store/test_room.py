"""The last of the room is kept; the file system is asked as often as little is left, and not for each body else."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from alight.clock import ManualClock
from alight.errors.store import InsufficientStorage
from alight.store.room import BELIEVED, PLENTY, Room

RESERVE = 100 * 4096


class Disk:
    """A file system with so many free bytes; it counts how often it was asked."""

    def __init__(self, free: int) -> None:
        self.free = free
        self.asked = 0

    def statvfs(self, folder: str) -> SimpleNamespace:
        self.asked += 1
        return SimpleNamespace(f_bavail=self.free // 4096, f_frsize=4096)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk(PLENTY * RESERVE)
    monkeypatch.setattr(os, "statvfs", disk.statvfs)
    return disk


@pytest.fixture
def room(disk: Disk, clock: ManualClock, tmp_path: Path) -> Room:
    return Room(tmp_path, RESERVE, clock.monotonic)


def test_plenty_is_believed_for_a_moment_only(room: Room, disk: Disk, clock: ManualClock) -> None:
    for _ in range(10):
        room.check()
    assert disk.asked == 1
    disk.free = RESERVE - 4096
    clock.advance(BELIEVED)
    with pytest.raises(InsufficientStorage):
        room.check()


def test_where_little_is_left_each_body_is_asked_for(room: Room, disk: Disk) -> None:
    disk.free = PLENTY * RESERVE - 4096
    room.check()
    disk.free = RESERVE
    room.check()
    disk.free = RESERVE - 4096
    for _ in range(2):
        with pytest.raises(InsufficientStorage):
            room.check()
    disk.free = RESERVE
    room.check()
    assert disk.asked == 5
