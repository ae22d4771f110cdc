"""Hands every accepted event to a function: lease, invoke, and record what became of it.

An event for which a worker waits is leased in the transaction that accepts it, and where events wait for a worker, the
next one in the transaction that records how the attempt before it ended. The others wait for the loop, which
sleeps until there is something to lease: an event is accepted, a worker becomes free or a retry falls due. It leases
only as many events as the function has free workers, so throttling is waiting and never uses up an attempt.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine
from itertools import count
from typing import Any

from alight.clock import Clock
from alight.errors import Fault
from alight.errors.store import StoreUnavailable
from alight.events import policy
from alight.events.attempts import Result, Target, Throttled, described, error_of, not_invoked
from alight.events.ended import LOOP
from alight.events.endings import Endings, Publishes
from alight.events.line import AT_ONCE, Line
from alight.store import journal
from alight.store.connections import unreadable
from alight.store.database import Database, Tx
from alight.store.journal import Event, NewEvent
from alight.store.waiting import Alarm

__all__ = ["Dispatcher", "Publishes", "Result", "Target", "Throttled"]

log = logging.getLogger(__name__)

#: Seconds after which the loop looks again although nobody woke it.
IDLE = 3600.0
#: Seconds after which it looks again at a function that could not be served (a full disk, a damaged definition).
TROUBLE = 5.0


class Dispatcher:
    """The one loop that leases events. `run()` until cancelled; new events come by `accept`."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        target: Callable[[str], Target | None],
        invoke: Callable[[Event], Awaitable[Result]],
        publishes: Publishes,
        free: Callable[[str], int] = lambda function: 0,
        dropped: Callable[[str, int], None] = lambda function, count: None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`dropped` is told how many events of a function were given up; `chance` draws from [0, 1). `free` says in the
        writer's thread how many calls of a function would run at once, 0 where that is not known."""
        self._database = database
        self._clock = clock
        self._target = target
        self._invoke = invoke
        self._publishes = publishes
        self._alarm = Alarm(clock)
        line = self._line = Line(free)
        self._endings = Endings(database, clock, publishes, line.keeps, self._follow, self._later, dropped, chance)
        database.steps.tell(self.wake)
        self._turns = count(1)
        #: How often a worker has become free.
        self._freed = 0
        self._running: set[asyncio.Task[bool]] = set()
        #: Events with an attempt under way (by id), and their functions.
        self._working: dict[str, str] = {}

    def accept(self, tx: Tx, event: NewEvent) -> None:
        """In the writer's thread: queue an event; one for which a worker waits begins as soon as `tx` is durable."""
        now = self._clock.now()
        if LOOP in event.source or not self._line.take(event.function, now):
            journal.accept(tx, event)
            tx.after_commit(lambda: self._accepted(event.function))
            return
        tx.after_rollback(self._line.give_back)
        ends = event.expires - now + self._clock.monotonic()
        leased = journal.accept_leased(tx, event)
        tx.after_commit(lambda: self._begin(leased, ends, self._line.give_back))

    def wake(self) -> None:
        """Look at all that waits: rows may have changed. Loop thread only."""
        self._line.forget()
        self._alarm.ring()

    def freed(self, event_id: str = "") -> None:
        """A worker has ended a call (an event's, where one is named): kept for the next event of its function, where no
        other waits; else worth a look only where something that is due found none. Loop thread only."""
        self._freed += 1
        if not self._line.keep(event_id, self._working.get(event_id, "")) and self._line.starves():
            self._alarm.ring()

    def _accepted(self, function: str) -> None:
        """One that waits behind others for a worker is found when one becomes free."""
        self._line.add(function, AT_ONCE)
        if not self._line.starves(function):
            self._alarm.ring()

    def _later(self, function: str, moment: float) -> None:
        self._line.add(function, moment)
        self._alarm.ring()

    async def run(self) -> None:
        """Dispatch until cancelled; attempts under way then keep their lease, which a restart takes back."""
        await self._database.insist(lambda tx: journal.recover(tx, self._clock.now(), longest_delay=21_600.0))
        self._line.forget()
        try:
            while True:
                self._alarm.clear()
                await self._database.steps.settled()
                # Before the look: what falls due while it lasts would else be slept over for as long again.
                now, began = self._clock.now(), self._clock.monotonic()
                wait = await self._look(now)
                if wait > 0.0:
                    self._line.seen()
                await self._alarm.wait(began + wait)
                # The attempt whose end has rung records it within this turn: the next lease is flushed with that.
                await asyncio.sleep(0)
        finally:
            self._line.shut()
            self._alarm.close()

    async def _look(self, now: float) -> float:
        """Serve all functions that have something due; the seconds until another look is worth it."""
        waiting = self._line.look(self._database.read())
        wait = min((moment - now for moment in waiting.values() if moment > now), default=IDLE)
        due = _in_turn([function for function, moment in waiting.items() if moment <= now], next(self._turns))
        for place, function in enumerate(due):
            wait = min(wait, await self._serve_or_report(function, sharers=len(due) - place))
        return wait

    async def close(self, grace: float = 0.0) -> None:
        """Wait up to `grace` seconds for the attempts under way, then give them up: their events run again after the
        next start. `run` must have ended."""
        # What has its worker by now begins: it stands before this in the writer's line.
        with contextlib.suppress(Fault):
            await self._database.write(lambda tx: None)
        if self._running:
            await asyncio.wait(self._running, timeout=grace)
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _serve_or_report(self, function: str, sharers: int) -> float:
        """What is wrong with one function, or for a moment with the disk, must not end the loop for all."""
        try:
            return await self._serve(function, sharers)
        except StoreUnavailable:
            raise
        except Exception as error:
            if unreadable(error):
                log.error("events of %s wait: the database cannot be read: %s", function, error)
            else:
                log.exception("events of %s wait: it cannot be served now", function)
            # The next look asks the journal: a disk that cannot be read then ends the loop.
            self._line.forget()
            return TROUBLE

    async def _serve(self, function: str, sharers: int) -> float:
        """Start what may start now; return the seconds until this function is worth another look.

        Of the free workers it gets its share, so that a function with a long queue does not keep others waiting.
        """
        now, freed = self._clock.now(), self._freed
        target = self._target(function)
        if target is None:
            if await self._endings.bury(function, "FunctionNotFound", now):
                self.wake()
        elif target.disabled:
            if await self._endings.give_up_due(function, target, now):
                self.wake()
        elif (free := target.free - self._line.kept) <= 0:
            # No wait since the look at the free workers: whoever becomes free from here on tells.
            self._line.starve(function)
            return IDLE
        else:
            share = -(-free // sharers)
            if await self._lease(function, target, share, now) == share:
                # There may be more. Where all workers are busy now, whoever becomes free tells, or has told.
                if share < free or self._freed != freed:
                    return 0.0
                self._line.starve(function)
                return IDLE
        due = journal.next_due(self._database.read(), function)
        self._line.set(function, due)
        return IDLE if due is None else max(0.0, due - now)

    async def _lease(self, function: str, target: Target, share: int, now: float) -> int:
        # Wall time less monotonic time, as the leased rows have it.
        ahead = self._clock.now() - self._clock.monotonic()
        leased = await self._database.write(lambda tx: journal.lease(tx, function, share, now))
        for event in leased:
            self._start(event, self._attempt(event, target, event.expires - ahead))
        # Let them take their workers, so that the next function sees what is really free.
        await asyncio.sleep(0)
        return len(leased)

    def _follow(self, event: Event, ends: float, before: Event) -> None:
        """An event has the worker that was kept as the one `before` ended. Who had to leave it looks again."""

        def begun() -> None:
            self._line.let_go(before.id)
            if self._line.starves() and not self._line.starves_alone(event.function):
                self._alarm.ring()

        self._begin(event, ends, begun)

    def _begin(self, event: Event, ends: float, begun: Callable[[], None]) -> None:
        """An event has a worker, and its lease is durable. `begun` is called once it has taken it."""
        try:
            target = self._target(event.function)
        except Exception:
            target = None
        if target is None or target.disabled:
            # It has gone in this moment, or cannot be read: the loop sees to it.
            self._start(event, self._endings.returned(event))
        else:
            self._start(event, self._attempt(event, target, ends))
        # Behind the first step of the attempt, in which it takes its worker.
        asyncio.get_running_loop().call_soon(begun)

    def _start(self, event: Event, work: Coroutine[Any, Any, bool]) -> None:
        """`work` returns whether `freed` was called as its worker became free."""
        self._publishes.begin(event.id, event.fence)
        task = asyncio.create_task(work, name=f"attempt {event.id}")
        self._running.add(task)
        self._working[event.id] = event.function
        task.add_done_callback(lambda task: self._ended(event.id, task))

    def _ended(self, event_id: str, task: asyncio.Task[bool]) -> None:
        self._running.discard(task)
        self._working.pop(event_id, None)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("an attempt was not recorded", exc_info=error)
        if self._line.let_go(event_id):
            # No event has followed.
            self._alarm.ring()
        elif task.cancelled() or error is not None or not task.result():
            self.freed()

    async def _attempt(self, event: Event, target: Target, ends: float) -> bool:
        """`ends`: when it is too old, by the monotonic clock."""
        rang = False
        try:
            rang = await self._carry_out(event, target, ends)
        except StoreUnavailable:
            raise
        except Exception as error:
            log.exception("an attempt at event %s was not recorded", event.id)
            await self._endings.not_recorded(event, error)
        # Not where it was cancelled: its decision may be under way in the writer's thread.
        self._publishes.end(event.id, event.fence)
        return rang

    async def _carry_out(self, event: Event, target: Target, ends: float) -> bool:
        if ends <= self._clock.monotonic():
            await self._endings.settle(event, policy.GiveUp("EventAgeExceeded"), None, target)
            return False
        if LOOP in event.source and event.leases == 1:
            # Somebody who brings it back, later, means it.
            await self._endings.settle(event, policy.GiveUp("RecursiveLoop"), None, target)
            return False
        started = self._clock.now()
        try:
            result, rang = await self._invoke(event), target.rings
        except Throttled:
            soon = policy.after_race(leases=event.leases, now=self._clock.now())
            await self._endings.hand_back(event, soon.moment, event.error)
            return False
        except Exception as error:
            if policy.is_ours(error):
                log.warning("event %s waits, %s cannot begin with it now: %s", event.id, event.function, error)
                await self._endings.put_off(event, target, described(error), ends, None)
                return False
            # Whatever it is, the event must not stay leased to an attempt that has ended.
            log.error("event %s not handed to %s: %s", event.id, event.function, error, exc_info=policy.trace(error))
            result, rang = not_invoked(event, error, started, self._clock.now()), False
        if result.outcome == "ok":
            await self._endings.succeeded(event, result, target)
        elif result.turned_away:
            await self._endings.put_off(event, target, error_of(result), ends, result)
        else:
            await self._endings.failed(event, result, target, ends)
        return rang


def _in_turn(functions: list[str], turn: int) -> list[str]:
    """Who is asked first changes from round to round."""
    start = turn % len(functions) if functions else 0
    return functions[start:] + functions[:start]
