"""Hands every accepted event to a function: lease, invoke, and record what became of it.

The loop sleeps until an event is accepted, an attempt ends or a retry falls due. It leases only as many events as
the function has free workers, so throttling is waiting and never uses up an attempt. The result of an attempt,
the release of its publishes, what is told of the event's end and the end of its lease are one transaction.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from typing import Any, Protocol

from alight.clock import Clock
from alight.errors.store import StoreUnavailable
from alight.events import policy
from alight.events.ended import LOOP, SUCCESS, Deed, Ended, Tell
from alight.store import journal
from alight.store.connections import unreadable
from alight.store.database import Database, Tx
from alight.store.journal import AttemptRecord, Event
from alight.store.rows import Row
from alight.store.waiting import Alarm

log = logging.getLogger(__name__)

#: Seconds after which the loop looks again although nobody woke it.
IDLE = 3600.0
#: Seconds after which it looks again at a function that could not be served (a full disk, a damaged definition).
TROUBLE = 5.0
#: Events of a function that is switched off which are given up in one turn.
SWITCHED_OFF = 100


@dataclass(frozen=True, slots=True)
class Target:
    """What the dispatcher must know of a function: how many events it can take now, and its retry policy.

    `disabled` holds the reason why no event may ever run (reserved concurrency 0). `tell` is there where somebody wants
    to know of the end of its events.
    """

    free: int
    delays: tuple[float, ...] = (60.0, 120.0)
    disabled: str = ""
    tell: Tell | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """How one invocation ended. `outcome` is `ok`, or the kind of error; `error` is Lambda's error payload,
    `version` what ran. `turned_away`: this side had no room for something that it asked for, so its failure is none."""

    outcome: str
    payload: bytes
    request_id: str
    started: float
    ended: float
    version: str = "$LATEST"
    turned_away: bool = False


class Publishes(Protocol):
    """The staged messages of an attempt, between `begin` and `end`; they leave or vanish in its transaction."""

    def begin(self, event_id: str, fence: int) -> None: ...
    def end(self, event_id: str, fence: int) -> None: ...
    def release(self, tx: Tx, event_id: str, fence: int) -> object: ...
    def discard(self, tx: Tx, event_id: str, fence: int | None = None) -> object: ...


class Throttled(Exception):
    """The function had no free worker after all."""


class Dispatcher:
    """The one loop that leases events. `run()` until cancelled; `wake()` after anything was accepted."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        target: Callable[[str], Target | None],
        invoke: Callable[[Event], Awaitable[Result]],
        publishes: Publishes,
        dropped: Callable[[str, int], None] = lambda function, count: None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`dropped` is told how many events of a function were given up; `chance` draws from [0, 1)."""
        self._database = database
        self._clock = clock
        self._target = target
        self._invoke = invoke
        self._publishes = publishes
        self._dropped = dropped
        self._chance = chance
        self._alarm = Alarm(clock)
        database.steps.tell(self.wake)
        self._turns = count(1)
        #: Whether, at the last look, something was due for which there was no free worker.
        self._starved = False
        self._running: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """Look again: something was accepted, or has ended. Loop thread only."""
        self._alarm.ring()

    def freed(self) -> None:
        """A worker has ended a call: worth a look only where something that is due found none. Loop thread only."""
        if self._starved:
            self._alarm.ring()

    async def run(self) -> None:
        """Dispatch until cancelled; attempts under way then keep their lease, which a restart takes back."""
        reader = self._database.read()
        await self._database.insist(lambda tx: journal.recover(tx, self._clock.now(), longest_delay=21_600.0))
        try:
            while True:
                self._alarm.clear()
                self._starved = False
                await self._database.steps.settled()
                # Before the look: what falls due while it lasts would else be slept over for as long again.
                began, wait = self._clock.monotonic(), IDLE
                waiting = _in_turn(journal.functions_with_work(reader), next(self._turns))
                for place, function in enumerate(waiting):
                    wait = min(wait, await self._serve_or_report(function, sharers=len(waiting) - place))
                await self._alarm.wait(began + wait)
                # The attempt whose end has rung records it within this turn: the next lease is flushed with that.
                await asyncio.sleep(0)
        finally:
            self._alarm.close()

    async def close(self, grace: float = 0.0) -> None:
        """Wait up to `grace` seconds for the attempts under way, then give them up: their events run again after the
        next start. `run` must have ended."""
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
            return TROUBLE

    async def _serve(self, function: str, sharers: int) -> float:
        """Start what may start now; return the seconds until this function is worth another look.

        Of the free workers it gets its share, so that a function with a long queue does not keep others waiting.
        """
        now = self._clock.now()
        target = self._target(function)
        if target is None:
            await self._bury(function, "FunctionNotFound", now)
        elif target.disabled:
            await self._give_up_due(function, target, now)
        share = -(-target.free // sharers) if target else 0
        if target and share > 0:
            # Wall time less monotonic time, as the leased rows have it.
            ahead = self._clock.now() - self._clock.monotonic()
            leased = await self._database.write(lambda tx: journal.lease(tx, function, share, now))
            for event in leased:
                self._start(event, target, event.expires - ahead)
            # Let them take their workers, so that the next function sees what is really free.
            await asyncio.sleep(0)
        due = journal.next_due(self._database.read(), function)
        if due is not None and due <= now and share <= 0:
            # No wait since the look at the free workers: whoever becomes free from here on tells.
            self._starved = True
            return IDLE
        if due is None:
            return IDLE
        return max(0.0, due - now)

    async def _bury(self, function: str, reason: str, now: float) -> None:
        def job(tx: Tx) -> int:
            buried = journal.bury_due(tx, function, now, {"reason": reason})
            for event_id in buried:
                # Staged by an attempt that a crash has cut off.
                self._publishes.discard(tx, event_id)
            return len(buried)

        if buried := await self._database.write(job):
            self._dropped(function, buried)
            self.wake()

    async def _give_up_due(self, function: str, target: Target, now: float) -> None:
        """Each by itself, as each may have to be told of."""
        due = await self._database.write(lambda tx: journal.lease(tx, function, SWITCHED_OFF, now))
        await asyncio.gather(*(self._settle(event, policy.GiveUp(target.disabled), None, target) for event in due))
        if due:
            self.wake()

    def _start(self, event: Event, target: Target, ends: float) -> None:
        """`ends`: when it is too old, by the monotonic clock."""
        self._publishes.begin(event.id, event.fence)
        task = asyncio.create_task(self._attempt(event, target, ends), name=f"attempt {event.id}")
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("an attempt was not recorded", exc_info=task.exception())
        self.wake()

    async def _attempt(self, event: Event, target: Target, ends: float) -> None:
        try:
            await self._carry_out(event, target, ends)
        except StoreUnavailable:
            raise
        except Exception as error:
            # What became of it cannot be kept: better a dead letter that says so than a lease that nobody holds.
            log.exception("an attempt at event %s was not recorded", event.id)
            await self._database.insist(partial(self._not_recorded, event, _described(error)))
        # Not where it was cancelled: its decision may be under way in the writer's thread.
        self._publishes.end(event.id, event.fence)

    def _not_recorded(self, event: Event, error: Row, tx: Tx) -> None:
        """What it has staged cannot leave, and must not wait for ever."""
        if journal.give_up(tx, event, self._clock.now(), {"reason": "NotRecorded"} | error, attempted=True):
            self._publishes.discard(tx, event.id)
            tx.after_commit(lambda: self._dropped(event.function, 1))

    def _expires(self, ends: float) -> float:
        """As of now: the wall clock may have been set since the event was leased."""
        return self._clock.now() + ends - self._clock.monotonic()

    async def _carry_out(self, event: Event, target: Target, ends: float) -> None:
        if ends <= self._clock.monotonic():
            await self._settle(event, policy.GiveUp("EventAgeExceeded"), None, target)
            return
        if LOOP in event.source and event.leases == 1:
            # Somebody who brings it back, later, means it.
            await self._settle(event, policy.GiveUp("RecursiveLoop"), None, target)
            return
        started = self._clock.now()
        try:
            result = await self._invoke(event)
        except Throttled:
            soon = policy.after_race(leases=event.leases, now=self._clock.now())
            await self._database.insist(lambda tx: journal.hand_back(tx, event, soon.moment, event.error))
            return
        except Exception as error:
            if policy.is_ours(error):
                log.warning("event %s waits, %s cannot begin with it now: %s", event.id, event.function, error)
                await self._put_off(event, target, _described(error), ends, None)
                return
            # Whatever it is, the event must not stay leased to an attempt that has ended.
            log.error("event %s not handed to %s: %s", event.id, event.function, error, exc_info=policy.trace(error))
            result = _not_invoked(event, error, started, self._clock.now())
        if result.outcome == "ok":
            told = _told(target, event, SUCCESS, result, self._clock.now())
            await self._database.insist(lambda tx: self._succeed(tx, event, result, told))
            return
        if result.turned_away:
            await self._put_off(event, target, _error(result), ends, result)
            return
        now, expires = self._clock.now(), self._expires(ends)
        decision = policy.after_failure(
            attempts=event.attempts + 1, retries=event.retries, now=now, expires=expires, delays=target.delays
        )
        await self._settle(event, decision, result, target)

    async def _put_off(self, event: Event, target: Target, error: Row, ends: float, result: Result | None) -> None:
        """There was no room for it: the event comes again later, with its attempts as they were."""
        throttles, expires = event.leases - event.attempts, self._expires(ends)
        now, chance = self._clock.now(), self._chance()
        decision = policy.after_throttle(throttles=throttles, now=now, expires=expires, chance=chance)
        if isinstance(decision, policy.GiveUp):
            await self._settle(replace(event, error=error), decision, result, target)
            return
        await self._database.insist(partial(_hand_back, event, decision.moment, error, self._publishes))

    def _succeed(self, tx: Tx, event: Event, result: Result, told: Deed) -> None:
        if journal.succeed(tx, event, self._clock.now(), result.payload):
            journal.record_attempt(tx, _record(event, result))
            self._let_go(tx, event, told)

    def _let_go(self, tx: Tx, event: Event, told: Deed) -> None:
        """This attempt decides: what it staged leaves and its end is told, unless the event is a quiet one."""
        if event.source.get("quiet"):
            self._publishes.discard(tx, event.id, event.fence)
        else:
            self._publishes.release(tx, event.id, event.fence)
            told(tx)

    async def _settle(
        self, event: Event, decision: policy.RetryAt | policy.GiveUp, result: Result | None, target: Target
    ) -> None:
        """Record a failed attempt: its publishes leave, and its end is told, only if it was the last."""
        error = _error(result) if result else event.error or {}
        told: Deed = _nothing
        if isinstance(decision, policy.GiveUp):
            told = _told(target, event, decision.reason, result, self._clock.now())

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
                journal.record_attempt(tx, _record(event, result))
            if isinstance(decision, policy.GiveUp):
                self._let_go(tx, event, told)
                tx.after_commit(lambda: self._dropped(event.function, 1))
            else:
                self._publishes.discard(tx, event.id, event.fence)

        await self._database.insist(job)


def _in_turn(functions: list[str], turn: int) -> list[str]:
    """Who is asked first changes from round to round."""
    start = turn % len(functions) if functions else 0
    return functions[start:] + functions[:start]


def _nothing(tx: Tx) -> None:
    """Nobody wants to know."""


def _told(target: Target, event: Event, condition: str, result: Result | None, now: float) -> Deed:
    """What is to be done for those who want to know. A telling that cannot be prepared must not undo the end."""
    if target.tell is None:
        return _nothing
    attempts = event.attempts + (result is not None)
    payload, moment = (result.payload, result.ended) if result else (_last_error(event), now)
    version = result.version if result else "$LATEST"
    try:
        return target.tell(Ended(event, condition, attempts, payload, moment, version))
    except Exception:
        log.exception("nobody is told of the end of event %s", event.id)
        return _nothing


def _last_error(event: Event) -> bytes | None:
    """What the attempt before answered, where this end came without one."""
    if not event.attempts or event.error is None:
        return None
    return json.dumps({name: value for name, value in event.error.items() if name != "outcome"}).encode()


def _hand_back(event: Event, moment: float, error: Row, publishes: Publishes, tx: Tx) -> None:
    """It waits until `moment`, with its attempts as they were; what it has staged is gone."""
    if journal.hand_back(tx, event, moment, error):
        publishes.discard(tx, event.id, event.fence)


def _not_invoked(event: Event, error: Exception, started: float, ended: float) -> Result:
    """A failed attempt whose reason is on this side: the function has gone, or cannot be started."""
    return Result("error", json.dumps(_described(error)).encode(), event.id, started, ended)


def _described(error: Exception) -> dict[str, Any]:
    """In the form of Lambda's error object."""
    return {"errorType": type(error).__name__, "errorMessage": str(error)}


def _record(event: Event, result: Result) -> AttemptRecord:
    failed = result.outcome != "ok"
    return AttemptRecord(
        event_id=event.id,
        fence=event.fence,
        request_id=result.request_id,
        started=result.started,
        ended=result.ended,
        outcome=result.outcome,
        error=_error(result) if failed else None,
    )


def _error(result: Result) -> dict[str, Any]:
    """Lambda's error object, or what there is of it."""
    try:
        payload = json.loads(result.payload)
    except (ValueError, RecursionError):
        payload = None
    described = payload if isinstance(payload, dict) else {"errorMessage": result.payload.decode("utf-8", "replace")}
    return {"outcome": result.outcome} | described
