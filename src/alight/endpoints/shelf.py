"""One variant, many models: those that were asked for lately are loaded, each with replicas of its own.

A model is loaded when it is first asked for; the one that was not asked for the longest makes room, and answers first
what it has.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path

from alight.endpoints.fleet import Busy, Fleet

#: Models of one variant that are loaded at a time.
MOST = 8

#: Gives the folder of a model's checked package.
Package = Callable[[], Awaitable[Path]]


class Shelf:
    """`build` makes a fleet that is not started; `drain` lets fleets answer what they have, and ends them."""

    def __init__(
        self, build: Callable[[Path], Awaitable[Fleet]], drain: Callable[[Collection[Fleet]], object], wanted: int
    ) -> None:
        self._build = build
        self._drain = drain
        self._loaded: OrderedDict[str, Fleet] = OrderedDict()
        self._loading: dict[str, asyncio.Task[None]] = {}
        self._closed = False
        self._taking = 0
        self._nobody_takes = asyncio.Event()
        self._nobody_takes.set()
        #: Replicas of each model.
        self.wanted = wanted

    @property
    def pids(self) -> tuple[int, ...]:
        return tuple(sorted(pid for fleet in self._loaded.values() for pid in fleet.pids))

    @property
    def restarts(self) -> int:
        return sum(fleet.restarts for fleet in self._loaded.values())

    async def take(self, model: str, package: Package) -> Fleet:
        """The model's fleet, to be asked at once: before the caller waits for anything else. Raises `Busy` where the
        endpoint is closed, `CannotServe`, and what `package` raises."""
        self._taking += 1
        self._nobody_takes.clear()
        try:
            while True:
                fleet = self._loaded.get(model)
                if fleet is not None:
                    self._loaded.move_to_end(model)
                    return fleet
                await self._loaded_once(model, package)
        finally:
            self._taking -= 1
            if not self._taking:
                self._nobody_takes.set()

    async def drain(self) -> None:
        """Let everything that was accepted be answered, what waits for its model too, then end the replicas."""
        await self._nobody_takes.wait()
        self._closed = True
        await asyncio.gather(*(fleet.drain() for fleet in self._loaded.values()))

    async def close(self) -> None:
        """End the replicas now."""
        self._closed = True
        loading = list(self._loading.values())
        for task in loading:
            task.cancel()
        await asyncio.gather(*loading, return_exceptions=True)
        await asyncio.gather(*(fleet.close() for fleet in self._loaded.values()))

    async def _loaded_once(self, model: str, package: Package) -> None:
        """Others may wait for the same model; who goes away leaves it to them."""
        if self._closed:
            raise Busy("the endpoint is closed")
        loading = self._loading.get(model)
        if loading is None:
            loading = self._loading[model] = asyncio.create_task(self._load(model, package))
            loading.add_done_callback(lambda done: self._ended(model, done))
        await asyncio.wait({loading})
        if loading.cancelled():
            raise Busy("the endpoint is closed")
        loading.result()

    def _ended(self, model: str, done: asyncio.Task[None]) -> None:
        del self._loading[model]
        if not done.cancelled():
            done.exception()  # whoever asked may be gone; then nobody else looks at it

    async def _load(self, model: str, package: Package) -> None:
        fleet = await self._build(await package())
        await fleet.start()
        self._loaded[model] = fleet
        while len(self._loaded) > MOST:
            _, oldest = self._loaded.popitem(last=False)
            self._drain([oldest])
