"""The replicas of one variant: who is free, who waits, who is started again.

A replica answers one request at a time. A request that finds none free waits in a bounded line; one that cannot
wait is refused at once. A replica that dies is started again, after a pause that doubles while it keeps dying;
the request that it held is asked again of another one, unless it ran out of time: then the replica is ended,
since nothing else gives its place back.
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


class Fleet:
    """`start`, then `ask` as often as wanted, then `drain` or `close`."""

    def __init__(self, launch: Launch, count: int, sockets: Path, prefix: str, limits: Limits, clock: Clock) -> None:
        self._launch = launch
        self._sockets = [sockets / f"{prefix}.{number}" for number in range(count)]
        self._limits = limits
        self._clock = clock
        self._free: deque[ReplicaProcess] = deque()
        self._alive: set[ReplicaProcess] = set()
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
            self._alive.add(replica)
            self._keepers.append(asyncio.create_task(self._keep(path, replica)))

    async def ask(self, headers: Mapping[str, str], body: bytes) -> Reply:
        """Raises `Busy`, `OutOfTime`, `Died` or `BadAnswer`."""
        deadline = asyncio.get_running_loop().time() + self._limits.invocation
        self._open += 1
        self._quiet.clear()
        try:
            for _ in range(TRIES):
                replica = await self._place(len(body), deadline)
                # The caller may go away; the replica is free only when it has answered.
                task = asyncio.create_task(self._ask(replica, headers, body, deadline))
                self._running.add(task)
                task.add_done_callback(self._finished)
                try:
                    return await asyncio.shield(task)
                except ReplicaGone:
                    continue
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

    async def _place(self, size: int, deadline: float) -> ReplicaProcess:
        while self._free:
            replica = self._free.popleft()
            if replica in self._alive and replica.alive():
                return replica
        line_is_full = len(self._waiters) >= self._limits.waiting
        if self._closed or line_is_full or self._waiting_bytes + size > self._limits.waiting_bytes:
            raise Busy(f"{len(self._waiters)} requests are waiting")
        waiter = _Waiter(asyncio.get_running_loop().create_future(), size)
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
            self._release(place.result())

    async def _ask(self, replica: ReplicaProcess, headers: Mapping[str, str], body: bytes, deadline: float) -> Reply:
        try:
            async with asyncio.timeout_at(deadline):
                connection = await replica.connected()
                reply = await connection.ask("POST", "/invocations", headers, body)
        except TimeoutError:
            replica.kill()
            raise OutOfTime(began=True) from None
        except (ReplicaGone, BadAnswer):
            replica.kill()
            raise
        self._release(replica)
        return reply

    def _release(self, replica: ReplicaProcess) -> None:
        if replica not in self._alive:
            return
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.place.done():
                waiter.place.set_result(replica)
                return
        self._free.append(replica)

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
            self._alive.add(replica)
            self._release(replica)
            started = self._clock.monotonic()
            try:
                how = await replica.ended()
            finally:
                self._alive.discard(replica)
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
