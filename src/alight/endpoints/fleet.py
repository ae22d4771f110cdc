"""The replicas of one variant: who is free, who waits, who is started again.

A replica answers one request at a time, or as many as it says at its start that it takes at once; the least busy one
gets the next. A request that finds no place waits in a bounded line; one that cannot wait is refused at once. A replica
that dies is started again, after a pause that doubles while it keeps dying; the requests that it held are asked again,
each alone, so that the one that ends replicas takes no other with it twice. One that ran out of time is not: its
replica is ended, since nothing else gives the place back.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from alight.clock import Clock
from alight.endpoints.client import BadAnswer, ReplicaGone
from alight.endpoints.contract import CannotServe, Reply
from alight.endpoints.parts import Parts
from alight.endpoints.process import Launch, ReplicaProcess
from alight.endpoints.spec import Limits

FIRST_PAUSE = 0.1
#: A replica that lived this long has not been failing in a row.
STEADY = 60.0
#: How often one request is asked before it is taken to be what ends the replicas.
TRIES = 3


class Busy(Exception):
    """The line is full, or the fleet is closed."""


class OutOfTime(Exception):
    """No answer within the limit. `began`: whether a replica was working on it."""

    def __init__(self, began: bool) -> None:
        self.began = began
        super().__init__()


class Died(Exception):
    """The replicas that were asked ended before they answered."""


@dataclass(slots=True)
class _Waiter:
    place: asyncio.Future[ReplicaProcess]
    size: int
    alone: bool


class Fleet:
    """`start`, then `ask` as often as wanted, then `drain` or `close`."""

    def __init__(self, launch: Launch, count: int, sockets: Path, prefix: str, limits: Limits, clock: Clock) -> None:
        self._launch = launch
        self._sockets = [sockets / f"{prefix}.{number}" for number in range(count)]
        self._limits = limits
        self._clock = clock
        #: How many places of each are taken; the one that got a request last comes last.
        self._alive: dict[ReplicaProcess, int] = {}
        self._waiters: deque[_Waiter] = deque()
        self._waiting_bytes = 0
        self._open = 0
        self._keepers: list[asyncio.Task[None]] = []
        self._running: set[asyncio.Task[Reply]] = set()
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._closed = False
        self.restarts = 0

    @property
    def wanted(self) -> int:
        return len(self._sockets)

    @property
    def pids(self) -> tuple[int, ...]:
        return tuple(sorted(replica.pid for replica in self._alive))

    async def start(self) -> None:
        """All replicas answer, or `CannotServe` and none is left."""
        starts = [asyncio.create_task(ReplicaProcess.start(path, self._launch)) for path in self._sockets]
        try:
            await asyncio.wait(starts)
        except asyncio.CancelledError:
            for start in starts:
                start.cancel()
            await _stop_all(starts)
            raise
        failed = [error for start in starts if (error := start.exception())]
        if failed:
            await _stop_all(starts)
            raise failed[0]
        made = [start.result() for start in starts]
        for path, replica in zip(self._sockets, made, strict=True):
            self._alive[replica] = 0
            self._keepers.append(asyncio.create_task(self._keep(path, replica)))

    async def ask(
        self, headers: Mapping[str, str], body: bytes, seconds: float = 0.0, parts: Parts | None = None
    ) -> Reply:
        """Within `seconds`, or the usual time; `parts` get the answer as it arrives. Raises `Busy`, `OutOfTime`, `Died`
        or `BadAnswer`."""
        deadline = asyncio.get_running_loop().time() + (seconds or self._limits.invocation)
        self._open += 1
        self._quiet.clear()
        try:
            for attempt in range(TRIES):
                alone = attempt > 0
                replica = await self._place(len(body), deadline, alone)
                # The caller may go away; the replica is free only when it has answered.
                task = asyncio.create_task(self._ask(replica, headers, body, deadline, alone, parts))
                self._running.add(task)
                task.add_done_callback(self._finished)
                try:
                    return await asyncio.shield(task)
                except ReplicaGone:
                    if parts is not None and parts.begun:
                        break  # what has been passed on cannot be said again
            raise Died
        finally:
            self._open -= 1
            self._check_quiet()

    async def drain(self) -> None:
        """Let everything that was accepted be answered, then end the replicas."""
        await self._quiet.wait()
        await self.close()

    async def close(self) -> None:
        """End the replicas now; who waits is told `Busy`."""
        self._closed = True
        for waiter in self._waiters:
            if not waiter.place.done():
                waiter.place.set_exception(Busy("the endpoint is closed"))
        self._waiters.clear()
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _place(self, size: int, deadline: float, alone: bool) -> ReplicaProcess:
        replica = None if self._waiters else self._take(alone)
        if replica is not None:
            return replica
        line_is_full = len(self._waiters) >= self._limits.waiting
        if self._closed or line_is_full or self._waiting_bytes + size > self._limits.waiting_bytes:
            raise Busy(f"{len(self._waiters)} requests are waiting")
        waiter = _Waiter(asyncio.get_running_loop().create_future(), size, alone)
        self._waiters.append(waiter)
        self._waiting_bytes += size
        try:
            async with asyncio.timeout_at(deadline):
                return await waiter.place
        except BaseException as error:
            self._give_up(waiter)
            if isinstance(error, TimeoutError):
                raise OutOfTime(began=False) from None
            raise
        finally:
            self._waiting_bytes -= size

    def _give_up(self, waiter: _Waiter) -> None:
        """Leave the line; a place that was given in the same moment goes to the next one."""
        if waiter in self._waiters:
            self._waiters.remove(waiter)
        place = waiter.place
        if place.done() and not place.cancelled() and place.exception() is None:
            self._release(place.result(), waiter.alone)
        self._serve_line()

    async def _ask(
        self,
        replica: ReplicaProcess,
        headers: Mapping[str, str],
        body: bytes,
        deadline: float,
        alone: bool,
        parts: Parts | None,
    ) -> Reply:
        try:
            async with asyncio.timeout_at(deadline):
                connection = await replica.connected()
                reply = await connection.ask("POST", "/invocations", headers, body, parts)
        except TimeoutError:
            replica.kill()
            raise OutOfTime(began=True) from None
        except (ReplicaGone, BadAnswer):
            replica.kill()
            raise
        self._release(replica, alone)
        return reply

    def _take(self, alone: bool) -> ReplicaProcess | None:
        """A place at the least busy replica, or all of them at an idle one."""
        for replica in sorted(self._alive, key=self._alive.__getitem__):
            taken = self._alive[replica]
            if taken + _places(replica, alone) <= replica.at_once and replica.alive():
                del self._alive[replica]
                self._alive[replica] = taken + _places(replica, alone)
                return replica
        return None

    def _release(self, replica: ReplicaProcess, alone: bool) -> None:
        if replica in self._alive:
            self._alive[replica] -= _places(replica, alone)
            self._serve_line()

    def _serve_line(self) -> None:
        """In order: nobody overtakes who waits for a replica alone."""
        while self._waiters:
            first = self._waiters[0]
            if not first.place.done():
                replica = self._take(first.alone)
                if replica is None:
                    return
                first.place.set_result(replica)
            self._waiters.popleft()

    def _finished(self, task: asyncio.Task[Reply]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # whoever asked may be gone; then nobody else looks at it
        self._check_quiet()

    def _check_quiet(self) -> None:
        if not self._running and not self._open:
            self._quiet.set()

    async def _keep(self, path: Path, replica: ReplicaProcess) -> None:
        """One place of the fleet: watch its replica, start the next one when it ends."""
        pause = 0.0
        while True:
            self._alive.setdefault(replica, 0)
            self._serve_line()
            started = self._clock.monotonic()
            try:
                how = await replica.ended()
            finally:
                self._alive.pop(replica, None)
                await replica.stop()
            pause = 0.0 if self._clock.monotonic() - started > STEADY else pause
            self._launch.log(f"Replica {replica.pid} ended ({how}); it is started again in {pause:g} s.")
            self.restarts += 1
            replica, pause = await self._start_again(path, pause)

    async def _start_again(self, path: Path, pause: float) -> tuple[ReplicaProcess, float]:
        while True:
            await self._clock.sleep(pause)
            pause = min(self._limits.backoff, max(FIRST_PAUSE, pause * 2))
            try:
                return await ReplicaProcess.start(path, self._launch), pause
            except (CannotServe, OSError) as reason:
                self._launch.log(f"A replica cannot be started: {reason}; the next try is in {pause:g} s.")


async def _stop_all(starts: list[asyncio.Task[ReplicaProcess]]) -> None:
    outcomes = await asyncio.gather(*starts, return_exceptions=True)
    await asyncio.gather(*(made.stop() for made in outcomes if isinstance(made, ReplicaProcess)))


def _places(replica: ReplicaProcess, alone: bool) -> int:
    return replica.at_once if alone else 1
