"""Who takes an event: functions, and whoever else has joined for the ARNs of a service."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

from alight.events.dispatch import Result, Target
from alight.store.journal import Event


class Taker(Protocol):
    """What the dispatcher asks: see `Dispatcher`."""

    def target(self, arn: str, /) -> Target | None: ...
    def event(self, event: Event, /) -> Awaitable[Result]: ...


class Takers:
    """One taker for each service."""

    def __init__(self, functions: Taker) -> None:
        self._takers = {"lambda": functions}

    def add(self, service: str, taker: Taker) -> None:
        """Before the dispatcher runs."""
        self._takers[service] = taker

    def target(self, arn: str) -> Target | None:
        taker = self._takers.get(service_of(arn))
        return taker.target(arn) if taker else None

    async def event(self, event: Event) -> Result:
        return await self._takers[service_of(event.function)].event(event)


def service_of(arn: str) -> str:
    """`lambda` of `arn:aws:lambda:...`."""
    return arn.split(":", 3)[2]
