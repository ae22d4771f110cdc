"""The SQS door on a data folder of its own, with a clock that the test moves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from alight.calls import Call, Members, Principal
from alight.clock import ManualClock
from alight.services.sqs import Sqs
from alight.store.database import Database
from alight.store.records import Records

ROOT = Principal("root", "arn:aws:iam::000000000000:root", "AIDAROOT")


@dataclass
class Door:
    """Operations by name, with AWS's members."""

    database: Database
    clock: ManualClock
    sqs: Sqs

    async def call(self, operation: str, **given: Any) -> Members:
        handler = self.sqs.operations()[("sqs", operation)]
        return await handler(Call("sqs", operation, "request", ROOT, base_url="http://127.0.0.1:4566"), given)

    async def queue(self, name: str = "sightings", **attributes: str) -> str:
        return str((await self.call("CreateQueue", QueueName=name, Attributes=attributes))["QueueUrl"])

    async def send(self, url: str, *bodies: str) -> None:
        for body in bodies:
            await self.call("SendMessage", QueueUrl=url, MessageBody=body)

    async def receive(self, url: str, **given: Any) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = (await self.call("ReceiveMessage", QueueUrl=url, **given)).get("Messages", [])
        return messages

    async def bodies(self, url: str, **given: Any) -> list[str]:
        return [message["Body"] for message in await self.receive(url, **given)]


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    clock = ManualClock()
    database = await Database.open(tmp_path, clock)
    yield Door(database, clock, Sqs(database, Records(database), clock))
    await database.close()
