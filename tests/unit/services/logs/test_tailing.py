"""A live tail on a clock that a test moves: what each second tells, and how a session ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from alight.calls import Call, Members, Principal
from alight.clock import ManualClock
from alight.errors.logs import InvalidParameterException, LimitExceededException, SessionTimeoutException
from alight.services.logs import tailing
from alight.services.logs.places import KIND, Places
from alight.services.logs.tailing import Tailing
from alight.store.database import Database
from alight.store.records import Records
from alight.store.telemetry import Telemetry

ROOT = Principal("root", "arn:aws:iam::000000000000:root", "ROOT")


@dataclass
class House:
    """Live tails of the group `g` over a real store."""

    clock: ManualClock
    telemetry: Telemetry
    tails: Tailing

    async def start(self, **more: Any) -> AsyncIterator[Members]:
        given = {"logGroupIdentifiers": ["g"], **more}
        answer = await self.tails.start_live_tail(Call("logs", "StartLiveTail", "r", ROOT), given)
        stream: AsyncIterator[Members] = answer["responseStream"]
        assert "sessionStart" in await anext(stream)
        return stream

    async def second(self, stream: AsyncIterator[Members], seconds: float = 1.0) -> Members:
        """What is told at the end of this second."""
        told = asyncio.ensure_future(anext(stream))
        async with asyncio.timeout(20):
            while not told.done():
                await asyncio.sleep(0.001)
                self.clock.advance(seconds)
        update: Members = (await told)["sessionUpdate"]
        return update


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    clock = ManualClock()
    database, telemetry = await Database.open(tmp_path, clock, ballast=0), await Telemetry.open(tmp_path, clock)
    records = Records(database)
    await records.save(KIND, "g", {})
    yield House(clock, telemetry, Tailing(telemetry, Places(records, telemetry), clock))
    await telemetry.close()
    await database.close()


async def test_each_second_tells_what_came_and_too_much_is_sampled(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tailing, "MOST_LINES", 2)
    house.telemetry.log("g", "s", 1.0, "before")
    stream = await house.start(logStreamNamePrefixes=["s"])
    assert (await house.second(stream))["sessionResults"] == []
    for number in range(3):
        house.telemetry.log("g", "s1", 1.0, f"line {number}")
    house.telemetry.log("g", "other", 1.0, "elsewhere")
    update = await house.second(stream)
    assert update["sessionMetadata"] == {"sampled": True}
    assert [line["message"] for line in update["sessionResults"]] == ["line 0", "line 1"]
    assert (await house.second(stream))["sessionResults"] == [], "each line is told once"
    house.tails.close()
    assert [event async for event in stream] == [], "the instance stops"
    assert house.tails.sessions == 0


async def test_a_session_ends_after_its_time_and_only_so_many_are_under_way(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tailing, "MOST_SESSIONS", 1)
    stream = await house.start()
    with pytest.raises(LimitExceededException):
        await house.start()
    await house.second(stream, tailing.LONGEST)
    with pytest.raises(SessionTimeoutException):
        await anext(stream)
    await house.start()


async def test_streams_are_of_one_group(house: House) -> None:
    with pytest.raises(InvalidParameterException):
        await house.start(logStreamNames=["a"], logStreamNamePrefixes=["b"])
    with pytest.raises(InvalidParameterException):
        await house.start(logEventFilterPattern="{ $.a")
