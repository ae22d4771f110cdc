"""A function's call for which there is no place is told to its runner, whole answers and streams alike."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from types import SimpleNamespace
from typing import Any, cast
from weakref import WeakSet

import pytest

from alight.calls import Attempt
from alight.errors.sagemaker import ServiceUnavailable, ValidationError
from alight.services.sagemaker.invoking import Invoking
from alight.store import made


class Full:
    """Endpoints without a place."""

    async def invoke(self, *given: Any, **more: Any) -> None:
        raise ServiceUnavailable("no place")

    stream = invoke


@pytest.mark.parametrize("operation", ["invoke_endpoint", "invoke_with_response_stream"])
@pytest.mark.parametrize("event", ["an-event", None])
async def test_who_is_turned_away_is_told(operation: str, event: str | None) -> None:
    """Nobody is told of a call that somebody waits for: there is no attempt to be excused."""
    record = SimpleNamespace(name="full", body={})
    ledger, deployments = (
        SimpleNamespace(find=lambda *given: record, revision=lambda *given: record),
        SimpleNamespace(restoring=lambda name: False, package=print),
    )
    told: list[tuple[Attempt, bool]] = []
    nobody: Any = None

    def excuse(attempt: Attempt, excused: bool) -> None:
        told.append((attempt, excused))

    invoking = Invoking(cast(Any, ledger), cast(Any, Full()), cast(Any, deployments), nobody, nobody, excuse)
    attempt = Attempt("r", "arn:aws:lambda:us-east-1:000000000000:function:asks", event)
    call: Any = SimpleNamespace(request_id="r", attempt=attempt)

    with pytest.raises(ServiceUnavailable):
        await getattr(invoking, operation)(call, {"EndpointName": "full"})

    assert told == ([(attempt, True)] if event else [])


async def test_an_event_whose_endpoint_comes_back_after_a_restart_is_excused_meanwhile() -> None:
    """Its function may run out of time long before the model is loaded."""
    back, told = asyncio.Event(), list[bool]()

    async def wait(name: str, limit: float) -> None:
        await back.wait()

    record = SimpleNamespace(name="slow", body={})
    ledger = SimpleNamespace(find=lambda *given: record, revision=lambda *given: record)
    deployments = SimpleNamespace(restoring=lambda name: True, wait=wait)
    nobody: Any = None
    invoking = Invoking(cast(Any, ledger), nobody, cast(Any, deployments), nobody, nobody, nobody)
    waiting = asyncio.create_task(invoking.serving("slow", told.append))
    while not told:
        await asyncio.sleep(0)
    assert told == [True]
    back.set()
    assert await waiting is cast(Any, record)
    assert told == [True, False]
    back.clear()
    gone = asyncio.create_task(invoking.serving("slow", told.append))
    while len(told) == 2:
        await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    assert told == [True, False, True], "its function has ended"


async def test_an_endpoint_is_read_anew_when_it_changes_and_only_then() -> None:
    kept: dict[str, Any] = {}
    read = list[str]()

    def find(kind: str, name: str) -> Any:
        read.append(name)
        return SimpleNamespace(name=name, body=kept[name]) if name in kept else None

    ledger = SimpleNamespace(find=find, revision=lambda kind, name: kept.get(name))
    deployments, nobody = SimpleNamespace(restoring=lambda name: False), cast(Any, None)
    invoking = Invoking(cast(Any, ledger), nobody, cast(Any, deployments), nobody, nobody, nobody)

    kept["a"] = first = {"Role": "one"}
    for _ in range(3):
        assert (await invoking.serving("a")).body is first
    assert read == ["a"]
    kept["a"] = second = {"Role": "one"}
    assert (await invoking.serving("a")).body is second
    del kept["a"]
    for _ in range(2):
        with pytest.raises(ValidationError, match="Endpoint a of account"):
            await invoking.serving("a")


class Known:
    """A record, and its revision."""


async def test_endpoints_that_are_gone_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made, "REMEMBERED", 8)
    there: defaultdict[str, Known] = defaultdict(Known)
    ledger = SimpleNamespace(find=lambda kind, name: there[name], revision=lambda kind, name: there[name])
    deployments, nobody = SimpleNamespace(restoring=lambda name: False), cast(Any, None)
    invoking = Invoking(cast(Any, ledger), nobody, cast(Any, deployments), nobody, nobody, nobody)
    held: WeakSet[Known] = WeakSet()
    for number in range(100):
        name = f"birds-{number}"
        assert await invoking.serving(name) is await invoking.serving(name)
        held.add(there.pop(name))
    assert len(held) <= 8
