"""What becomes of an attempt, in one transaction: its result, the release of its publishes, what is told of the
event's end, and the end of its lease; or when the event is tried again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Protocol

from alight.clock import Clock
from alight.events import policy
from alight.events.attempts import Result, Target, described, error_of, nothing, record, told
from alight.events.ended import SUCCESS, Deed
from alight.store import journal
from alight.store.database import Database, Tx
from alight.store.journal import Event
from alight.store.rows import Row

#: Events of a function that is switched off which are given up in one turn.
SWITCHED_OFF = 100


class Publishes(Protocol):
    """The staged messages of an attempt, between `begin` and `end`; they leave or vanish in its transaction."""

    def begin(self, event_id: str, fence: int) -> None: ...
    def end(self, event_id: str, fence: int) -> None: ...
    def release(self, tx: Tx, event_id: str, fence: int) -> object: ...
    def discard(self, tx: Tx, event_id: str, fence: int | None = None) -> object: ...


class Endings:
    """Records how attempts end, and leases the event that follows. `begin(event, moment, before)` is told of that one,
    when it is too old by the monotonic clock, and which one has left it the worker; `later` when an event is due again,
    `dropped` how many were given up; `chance` draws from [0, 1)."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        publishes: Publishes,
        keeps: Callable[[str], bool],
        begin: Callable[[Event, float, Event], None],
        later: Callable[[str, float], None],
        dropped: Callable[[str, int], None],
        chance: Callable[[], float],
    ) -> None:
        self._database = database
        self._clock = clock
        self._publishes = publishes
        self._keeps = keeps
        self._begin = begin
        self._later = later
        self._dropped = dropped
        self._chance = chance

    async def succeeded(self, event: Event, result: Result, target: Target) -> None:
        done = told(target, event, SUCCESS, result, self._clock.now())
        await self._database.insist(lambda tx: self._succeed(tx, event, result, done))

    async def failed(self, event: Event, result: Result, target: Target, ends: float) -> None:
        """`ends`: when it is too old, by the monotonic clock."""
        now, expires = self._clock.now(), self._expires(ends)
        decision = policy.after_failure(
            attempts=event.attempts + 1, retries=event.retries, now=now, expires=expires, delays=target.delays
        )
        await self.settle(event, decision, result, target)

    async def put_off(self, event: Event, target: Target, error: Row, ends: float, result: Result | None) -> None:
        """There was no room for it: the event comes again later, with its attempts as they were."""
        throttles, expires = event.leases - event.attempts, self._expires(ends)
        now, chance = self._clock.now(), self._chance()
        decision = policy.after_throttle(throttles=throttles, now=now, expires=expires, chance=chance)
        if isinstance(decision, policy.GiveUp):
            await self.settle(replace(event, error=error), decision, result, target)
            return
        await self.hand_back(event, decision.moment, error)

    async def hand_back(self, event: Event, moment: float, error: Row | None) -> None:
        """It waits until `moment`, with its attempts as they were; what it has staged is gone."""

        def job(tx: Tx) -> None:
            if journal.hand_back(tx, event, moment, error):
                self._publishes.discard(tx, event.id, event.fence)

        await self._database.insist(job)
        self._later(event.function, moment)

    async def returned(self, event: Event) -> bool:
        """It has not begun, nor has a call ended: the loop sees to it."""
        await self.hand_back(event, self._clock.now(), None)
        self._publishes.end(event.id, event.fence)
        return False

    async def not_recorded(self, event: Event, error: Exception) -> None:
        """What became of it cannot be kept: better a dead letter that says so than a lease that nobody holds."""
        await self._database.insist(partial(self._not_recorded, event, described(error)))

    async def settle(
        self, event: Event, decision: policy.RetryAt | policy.GiveUp, result: Result | None, target: Target
    ) -> None:
        """Record a failed attempt: its publishes leave, and its end is told, only if it was the last."""
        error = error_of(result) if result else event.error or {}
        done: Deed = nothing
        if isinstance(decision, policy.GiveUp):
            done = told(target, event, decision.reason, result, self._clock.now())

        def job(tx: Tx) -> None:
            match decision:
                case policy.RetryAt(moment):
                    held = journal.retry(tx, event, moment, error)
                case policy.GiveUp(reason):
                    dead = error | {"reason": reason}
                    held = journal.give_up(tx, event, self._clock.now(), dead, attempted=result is not None)
            if not held:
                return
            if result is not None:
                journal.record_attempt(tx, record(event, result))
            if isinstance(decision, policy.GiveUp):
                self._let_go(tx, event, done)
                tx.after_commit(lambda: self._dropped(event.function, 1))
            else:
                self._publishes.discard(tx, event.id, event.fence)
            self._follow(tx, event)

        await self._database.insist(job)
        if isinstance(decision, policy.RetryAt):
            self._later(event.function, decision.moment)

    async def bury(self, function: str, reason: str, now: float) -> int:
        """Give up what is due of a function that is not there; how many there were."""

        def job(tx: Tx) -> int:
            buried = journal.bury_due(tx, function, now, {"reason": reason})
            for event_id in buried:
                # Staged by an attempt that a crash has cut off.
                self._publishes.discard(tx, event_id)
            return len(buried)

        if buried := await self._database.write(job):
            self._dropped(function, buried)
        return buried

    async def give_up_due(self, function: str, target: Target, now: float) -> int:
        """The same of one that is switched off: each by itself, as each may have to be told of."""
        due = await self._database.write(lambda tx: journal.lease(tx, function, SWITCHED_OFF, now))
        given_up = policy.GiveUp(target.disabled)
        await asyncio.gather(*(self.settle(event, given_up, None, target) for event in due))
        return len(due)

    def _succeed(self, tx: Tx, event: Event, result: Result, done: Deed) -> None:
        if journal.succeed(tx, event, self._clock.now(), result.payload):
            journal.record_attempt(tx, record(event, result))
            self._let_go(tx, event, done)
            self._follow(tx, event)

    def _follow(self, tx: Tx, event: Event) -> None:
        """The next event of the function has the worker, where it is kept, and begins once `tx` is durable."""
        if not self._keeps(event.id):
            return
        now = self._clock.now()
        if following := journal.lease_next(tx, event.function, now):
            ends = following.expires - now + self._clock.monotonic()
            tx.after_commit(lambda: self._begin(following, ends, event))

    def _let_go(self, tx: Tx, event: Event, done: Deed) -> None:
        """This attempt decides: what it staged leaves and its end is told, unless the event is a quiet one."""
        if event.source.get("quiet"):
            self._publishes.discard(tx, event.id, event.fence)
        else:
            self._publishes.release(tx, event.id, event.fence)
            done(tx)

    def _not_recorded(self, event: Event, error: Row, tx: Tx) -> None:
        """What it has staged cannot leave, and must not wait for ever."""
        if journal.give_up(tx, event, self._clock.now(), {"reason": "NotRecorded"} | error, attempted=True):
            self._publishes.discard(tx, event.id)
            tx.after_commit(lambda: self._dropped(event.function, 1))

    def _expires(self, ends: float) -> float:
        """As of now: the wall clock may have been set since the event was leased."""
        return self._clock.now() + ends - self._clock.monotonic()
