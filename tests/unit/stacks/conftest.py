from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from alight.clock import ManualClock
from alight.store.database import Database
from alight.store.records import Records
from tests.unit.stacks.scene import Scene, Services


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """An empty project called `shop`, and an empty account."""
    folder = tmp_path / "shop"
    folder.mkdir()
    clock = ManualClock()
    database = await Database.open(tmp_path / "data", clock)
    yield Scene(folder, Records(database), Services(), clock)
    await database.close()
