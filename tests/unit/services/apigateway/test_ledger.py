from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from alight.clock import ManualClock
from alight.errors.apigateway import NotFoundException
from alight.services.apigateway.ledger import REST, Edit, Ledger
from alight.store.database import Database
from alight.store.records import Records


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def ledger(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Ledger]:
    database = await Database.open(tmp_path / "data", clock)
    yield Ledger(database, Records(database), clock, REST)
    await database.close()


def deploy(edit: Edit) -> None:
    edit.body["Deployments"]["d"] = {}
    edit.snapshot("d", {"Resources": {}})


async def test_a_snapshot_is_written_with_its_change_and_goes_with_its_api(ledger: Ledger) -> None:
    await ledger.create("a", {"Deployments": {}})
    await ledger.change("a", deploy)
    assert ledger.deployed("a", "d") == {"Resources": {}}
    await ledger.delete("a")
    assert (ledger.find("a"), ledger.deployed("a", "d")) == (None, None)
    for missing in (ledger.delete("a"), ledger.change("a", deploy)):
        with pytest.raises(NotFoundException, match="Invalid API identifier specified 000000000000:a"):
            await missing


async def test_a_change_that_fails_writes_nothing(ledger: Ledger) -> None:
    await ledger.create("a", {"Deployments": {}})
    before = ledger.revision("a")

    def failing(edit: Edit) -> None:
        deploy(edit)
        raise NotFoundException

    with pytest.raises(NotFoundException):
        await ledger.change("a", failing)
    assert ledger.body("a") == {"Deployments": {}}
    assert ledger.deployed("a", "d") is None
    assert ledger.revision("a") is before


async def test_a_revision_is_the_same_until_something_changes(ledger: Ledger) -> None:
    assert ledger.revision("a") is None
    await ledger.create("a", {"Deployments": {}})
    first = ledger.revision("a")
    assert first is not None
    assert ledger.revision("a") is first
    await ledger.change("a", deploy)
    assert ledger.revision("a") is not first


async def test_changes_at_the_same_time_are_all_kept(ledger: Ledger) -> None:
    await ledger.create("a", {"Deployments": {}, "Count": 0})

    def count(edit: Edit) -> None:
        edit.body["Count"] += 1

    await asyncio.gather(*(ledger.change("a", count) for _ in range(50)))
    assert ledger.body("a")["Count"] == 50


async def test_apis_are_listed_as_they_were_made(ledger: Ledger, clock: ManualClock) -> None:
    for name in ("c", "a", "b"):
        await ledger.create(name, {"Name": name})
        clock.advance(1)
    assert [body["Name"] for body in ledger.all()] == ["c", "a", "b"]
