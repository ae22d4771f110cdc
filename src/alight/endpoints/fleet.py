"""The replicas of one variant: who is free, who waits, who is started again.

A replica answers one request at a time, or as many as it says at its start that it takes at once; the least busy one
gets the next. A request that finds no place waits in a bounded line; one that cannot wait is refused at once. A replica
that dies is started again, after a pause that doubles while it keeps dying; the requests that it held are asked again,
each alone, so that the one that ends replicas takes no other with it twice. One that ran out of time is not: its
replica is ended, since nothing else gives the place back.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from pathlib import Path

from alight.clock import Clock
from alight.endpoints.client import BadAnswer, Connection, ReplicaGone, settle
from alight.endpoints.contract import CannotServe, Reply
from alight.endpoints.deadlines import EARLY, Deadlines
from alight.endpoints.parts import Parts
from alight.endpoints.process import Launch, ReplicaProcess
from alight.endpoints.spec import Excuse, Limits
from alight.endpoints.standing import Standing

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


@dataclass(slots=True, eq=False)
class _Asked:
    """A request: in line, or at its replica."""

    headers: Mapping[str, str]
    body: bytes
    parts: Parts | None
    alone: bool
    answer: asyncio.Future[Reply]
    #: When the answer has to be there, by the loop's time.
    deadline: float
    excuse: Excuse | None
    replica: ReplicaProcess | None = None


class Fleet:
    """`start`, then `ask` as often as wanted, then `drain` or `close`."""

    def __init__(self, launch: Launch, count: int, sockets: Path, prefix: str, limits: Limits, clock: Clock) -> None:
        self._launch = launch
        self._sockets = [sockets / f"{prefix}.{number}" for number in range(count)]
        self._limits = limits
        self._clock = clock
        #: How many places of each are taken; the one that got a request last comes last, one that failed first.
        self._alive: dict[ReplicaProcess, int] = {}
        self._line: deque[_Asked] = deque()
        self._waiting_bytes = 0
        #: Of each until its replica has answered, also where whoever asked has gone.
        self._deadlines = Deadlines(self._late)
        #: Callers, and requests that are at replicas: a caller may go away before its request is answered.
        self._open = 0
        self._running = 0
        self._keepers: list[asyncio.Task[None]] = []
        self._connecting: set[asyncio.Task[None]] = set()
        #: Waited for by who drains or closes.
        self._quiet = asyncio.Event()
        self._closed = False
        self.standing = Standing(random.random, launch.log)
        self.restarts = 0

    @property
    def wanted(self) -> int:
        return len(self._sockets)

    @property
    def answering(self) -> int:
        """How many there are now."""
        return len(self._alive)

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
        self,
        headers: Mapping[str, str],
        body: bytes,
        seconds: float = 0.0,
        parts: Parts | None = None,
        excuse: Excuse | None = None,
    ) -> Reply:
        """Within `seconds`, or the usual time; `parts` get the answer as it arrives. `excuse` is there for an event's
        call. Raises `Busy`, `OutOfTime`, `Died` or `BadAnswer`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (seconds or self._limits.invocation)
        self._open += 1
        try:
            for attempt in range(TRIES):
                asked = _Asked(headers, body, parts, attempt > 0, loop.create_future(), deadline, excuse)
                try:
                    self._begin(asked)
                    return await asked.answer
                except ReplicaGone:
                    if parts is not None and parts.begun:
                        break  # what has been passed on cannot be said again
                finally:
                    self._leave(asked)
            raise Died
        finally:
            self._open -= 1
            self._check_quiet()

    async def drain(self) -> None:
        """Let everything that was accepted be answered, then end the replicas."""
        await self._be_quiet()
        await self.close()

    async def close(self) -> None:
        """End the replicas now; who waits is told `Busy`."""
        self._closed = True
        for asked in self._line:
            settle(asked.answer, Busy("the endpoint is closed"))
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        await self._be_quiet()
        self._deadlines.close()

    def _begin(self, asked: _Asked) -> None:
        """Send it, or put it in line. Raises `Busy`."""
        limit = asked.deadline
        if asked.excuse is not None:
            asked.excuse(True)
            if asked.alone or not self._alive:
                # An event's worker has better things to do than to wait for the start of a replica.
                limit = min(limit, asyncio.get_running_loop().time() + self._limits.patience)
        self._deadlines.add(asked, limit)
        self._place(asked)

    def _place(self, asked: _Asked) -> None:
        replica = None if self._line else self._take(asked.alone)
        if replica is not None:
            self._send(replica, asked)
            return
        line_is_full = len(self._line) >= self._limits.waiting
        if self._closed or line_is_full or self._waiting_bytes + len(asked.body) > self._limits.waiting_bytes:
            raise Busy(f"{len(self._line)} requests are waiting")
        self._line.append(asked)
        self._waiting_bytes += len(asked.body)

    def _leave(self, asked: _Asked) -> None:
        """Whoever asked has heard, or is gone. What a replica has stays under way until it answers."""
        if asked.replica is None:
            self._deadlines.drop(asked)
            if asked in self._line:
                self._line.remove(asked)
                self._waiting_bytes -= len(asked.body)
            self._serve_line()
        if asked.answer.done() and not asked.answer.cancelled():
            asked.answer.exception()  # whoever asked may be gone; then nobody else looks at it

    def _late(self, asked: _Asked) -> None:
        """Nothing but the replica's end gives a place back that is taken for too long."""
        loop = asyncio.get_running_loop()
        if asked.replica is not None and loop.time() < asked.deadline - EARLY:
            self._deadlines.add(asked, asked.deadline)
            return
        if asked.replica is not None:
            asked.replica.kill()
        settle(asked.answer, OutOfTime(began=asked.replica is not None))

    def _send(self, replica: ReplicaProcess, asked: _Asked) -> None:
        """At once where there is a connection; a replica may close it behind each answer."""
        asked.replica = replica
        if asked.excuse is not None:
            asked.excuse(False)
        self._running += 1
        if (connection := replica.connection) is not None:
            self._write(connection, replica, asked)
            return
        task = asyncio.create_task(self._connect(replica, asked))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, replica: ReplicaProcess, asked: _Asked) -> None:
        try:
            connection = await replica.connected()
        except ReplicaGone as gone:
            self._told(replica, asked, gone)
            return
        self._write(connection, replica, asked)

    def _write(self, connection: Connection, replica: ReplicaProcess, asked: _Asked) -> None:
        told = partial(self._told, replica, asked)
        connection.send("POST", "/invocations", asked.headers, asked.body, asked.parts, told)

    def _told(self, replica: ReplicaProcess, asked: _Asked, outcome: Reply | ReplicaGone | BadAnswer) -> None:
        """The next one in line is on its way to the replica before who asked hears of the answer; a replica that did
        not answer well keeps its places until it has ended."""
        self._running -= 1
        self._deadlines.drop(asked)
        if isinstance(outcome, Reply):
            self._release(replica, asked, failed=outcome.status >= 500)
        else:
            replica.kill()
        settle(asked.answer, outcome)
        self._check_quiet()

    def _take(self, alone: bool) -> ReplicaProcess | None:
        """A place at the least busy replica, or all of them at an idle one. Of those that are equally busy it is the
        one that was asked last: what it needs is still in the processor's caches."""
        latest_first = reversed(self._alive.items())
        for replica, taken in sorted(latest_first, key=itemgetter(1)):
            after = taken + (replica.at_once if alone else 1)
            if after <= replica.at_once and replica.alive():
                del self._alive[replica]
                self._alive[replica] = after
                return replica
        return None

    def _release(self, replica: ReplicaProcess, asked: _Asked, *, failed: bool) -> None:
        if replica in self._alive:
            self._alive[replica] -= replica.at_once if asked.alone else 1
            if failed:
                # It may be the replica that is ill, and no request: who tries again finds another one.
                self._alive = {replica: self._alive.pop(replica), **self._alive}
            self._serve_line()

    def _serve_line(self) -> None:
        """In order: nobody overtakes who waits for a replica alone."""
        while self._line:
            first = self._line[0]
            if not first.answer.done():
                replica = self._take(first.alone)
                if replica is None:
                    return
                self._send(replica, first)
            self._line.popleft()
            self._waiting_bytes -= len(first.body)

    async def _be_quiet(self) -> None:
        while self._running or self._open:
            self._quiet.clear()
            await self._quiet.wait()

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
