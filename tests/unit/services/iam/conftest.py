from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from alight.calls import Call, Members, Principal
from alight.clock import ManualClock
from alight.credentials import Credentials
from alight.services.iam.service import Iam
from alight.store.database import Database
from alight.store.records import Records

KEYS = Credentials("AKIAROOT", "root-secret", "admin", "ab" * 32)
Ask = Callable[..., Awaitable[Members]]


@pytest.fixture
async def iam(tmp_path: Path) -> AsyncIterator[Iam]:
    database = await Database.open(tmp_path, ManualClock())
    yield Iam(database, Records(database), KEYS)
    await database.close()


@pytest.fixture
def ask(iam: Iam) -> Ask:
    """One operation, with its members as keywords."""
    operations = iam.operations()
    owner = Principal("root", "arn:aws:iam::000000000000:root", "000000000000")

    async def asked(operation: str, **given: Any) -> Members:
        return await operations["iam", operation](Call("iam", operation, "request", owner), given)

    return asked
