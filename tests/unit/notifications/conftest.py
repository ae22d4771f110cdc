"""A notifications room on a data folder of its own, with everything real but the clock where a test asks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from alight.calls import Attempt, Call, Members, Principal
from alight.clock import Clock, SystemClock
from alight.errors.common import ValidationError
from alight.services.sns import Sns
from alight.store.database import Database, Tx
from alight.store.outbox import Delivery
from alight.store.records import Records
from tests.unit.notifications.room import Gateways, Notifications, open_notifications

ROOT = Principal("root", "arn:aws:iam::000000000000:root", "ROOT")
LOOPBACK = Gateways(webhook_allow=("127.0.0.1",))


@dataclass
class House:
    """The room with its SNS door. `queued` and `invoked` are what left for queues and functions."""

    database: Database
    records: Records
    clock: Clock
    room: Notifications
    sns: Sns
    base: list[str]
    queued: list[tuple[str, str, Mapping[str, Any]]] = field(default_factory=list)
    invoked: list[tuple[str, bytes, str]] = field(default_factory=list)

    async def call(self, operation: str, attempt: Attempt | None = None, **given: Any) -> Members:
        handler = self.sns.operations()[("sns", operation)]
        return await handler(Call("sns", operation, "request", ROOT, attempt=attempt), given)

    async def topic(self, name: str = "birds", **attributes: str) -> str:
        made = await self.call("CreateTopic", Name=name, Attributes=attributes)
        return str(made["TopicArn"])

    async def subscribe(self, topic: str, protocol: str, endpoint: str, **attributes: str) -> str:
        made = await self.call(
            "Subscribe",
            TopicArn=topic,
            Protocol=protocol,
            Endpoint=endpoint,
            Attributes=attributes,
            ReturnSubscriptionArn=True,
        )
        return str(made["SubscriptionArn"])

    def deliveries(self, state: str = "") -> list[Delivery]:
        rows = self.room.store.deliveries(state)
        found = [self.room.store.delivery(row["id"]) for row in reversed(rows)]
        return [delivery for delivery in found if delivery is not None]

    async def until(self, condition: Callable[[], object], seconds: float = 20.0) -> None:
        """Wait for the condition, looking whenever the loop has nothing better to do."""
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.005)

    async def until_state(self, state: str, count: int = 1) -> list[Delivery]:
        """Wait until so many deliveries are in a state, and what their commits called has been called."""
        await self.until(lambda: len(self.deliveries(state)) >= count)
        await self.database.write(lambda tx: None)
        return self.deliveries(state)

    async def close(self) -> None:
        await self.room.close()
        await self.database.close()


OpenHouse = Callable[..., Awaitable[House]]


@pytest.fixture
async def open_house(tmp_path: Path) -> AsyncIterator[OpenHouse]:
    houses: list[House] = []

    async def make(
        gateways: Gateways = LOOPBACK, clock: Clock | None = None, *, start: bool = True, folder: Path = tmp_path
    ) -> House:
        house = await _open(folder, gateways, clock or SystemClock())
        houses.append(house)
        if start:
            await house.room.start()
        return house

    yield make
    for house in houses:
        await house.close()


async def _open(folder: Path, gateways: Gateways, clock: Clock) -> House:
    database = await Database.open(folder, clock)
    records = Records(database)
    queued: list[tuple[str, str, Mapping[str, Any]]] = []
    invoked: list[tuple[str, bytes, str]] = []
    base = ["http://127.0.0.1:4566"]

    def send_queue(tx: Tx, arn: str, body: str, attributes: Mapping[str, Any], topic: str, cause: str) -> None:
        if arn.endswith(":gone"):
            raise ValidationError("no such queue")
        tx.after_commit(lambda: queued.append((arn, body, attributes)))

    def invoke_function(tx: Tx, arn: str, payload: bytes, source: str, cause: str) -> None:
        if arn.endswith(":gone"):
            raise ValidationError("no such function")
        tx.after_commit(lambda: invoked.append((arn, payload, source)))

    room = await open_notifications(
        database,
        records,
        clock,
        folder,
        gateways=gateways,
        endpoint_url=lambda: base[0],
        send_queue=send_queue,
        invoke_function=invoke_function,
    )
    sns = Sns(database, records, room.topics, room.subscriptions, signer=room.signer, check_url=room.gate.check_url)
    return House(database, records, clock, room, sns, base, queued, invoked)
