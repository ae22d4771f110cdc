"""The delivery loop: READY -> SENDING (under a fence) -> SENT, READY again, DEAD or HELD.

Every step is a row that is on the disk before the next begins. A delivery that a crash interrupted while it was being
sent is flagged `uncertain` and sent again with the same MessageId. What goes to something in this house (a queue, a
function) happens in the transaction that records it, so exactly once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from alight.clock import Clock
from alight.errors import Fault
from alight.errors.store import StoreUnavailable
from alight.notifications.deadletters import DeadLetters
from alight.notifications.definitions import Definitions
from alight.notifications.lanes import Ending, Lanes
from alight.notifications.measuring import Measure, unmeasured
from alight.notifications.message import Protocol
from alight.notifications.outgoing import Channel, LocalChannel
from alight.notifications.sending import Sender
from alight.notifications.topics import READY, Placed
from alight.store.connections import unreadable
from alight.store.database import Database, Tx
from alight.store.outbox import Delivery, DeliveryState, OutboxStore, StoredMessage
from alight.store.records import Records
from alight.store.waiting import Alarm

log = logging.getLogger(__name__)

#: Deliveries looked at in one round.
BATCH = 64

#: Seconds before another try where something is wrong in this house.
TROUBLE = 5.0

#: No retry waits longer than this (seconds): what lies further ahead was written by a clock that ran wrong.
LONGEST_WAIT = 7_200.0

#: How long what was sent is kept, how often that is looked after, and rows at a time (seconds).
KEEP_SECONDS = 30 * 24 * 3600.0
PRUNE_SECONDS = 3600.0
PRUNE_BATCH = 500


class Outbox:
    """Sends what is ready. `channels` leave this machine, `local` stay in the house, `held` says why others wait."""

    def __init__(
        self,
        database: Database,
        store: OutboxStore,
        records: Records,
        clock: Clock,
        *,
        channels: Mapping[Protocol, Channel],
        local: Mapping[Protocol, LocalChannel],
        held: Mapping[Protocol, str],
        dead_letters: DeadLetters,
        lanes: Lanes | None = None,
        keep_seconds: float = KEEP_SECONDS,
        chance: Callable[[], float] = random.random,
        measure: Measure = unmeasured,
    ) -> None:
        self._database = database
        self._store = store
        self._clock = clock
        self._held = held
        self._lanes = lanes or Lanes(chance=chance)
        hold_back, definitions = self._lanes.hold_back, Definitions(records)
        self._sender = Sender(
            database, store, definitions, clock, channels, local, dead_letters, hold_back, chance, measure
        )
        self._keep_seconds = keep_seconds
        database.steps.tell(self.wake)
        self._pruned = clock.now()
        self._alarm = Alarm(clock)
        self._sending: set[asyncio.Task[None]] = set()
        #: Deliveries under way inside the house: their rows say `ready` until they are done.
        self._inside: set[int] = set()
        self._loop: asyncio.Task[None] | None = None
        self._closing = False
        #: Whether the last round left nothing behind that may start now: then new deliveries need not queue up.
        self._keeps_up = False
        #: Deliveries found in the middle of sending at the last start.
        self.recovered = 0

    def wake(self) -> None:
        """There may be something to send."""
        self._alarm.ring()

    def waits(self, target: str) -> str:
        """Why what is ready for this target waits, in words; empty where its host answers."""
        return self._lanes.waits(target, self._clock.monotonic())

    def silent(self) -> int:
        """How many hosts have failed so often that they are left alone for a while."""
        return self._lanes.silent()

    def place(self, tx: Tx, protocol: Protocol, target: str) -> Placed:
        """In the writer's thread: where a new delivery stands. Where there is a free place for it, it begins as soon as
        `tx` is durable and does not have to queue up."""
        if protocol in self._held:
            return Placed(DeliveryState.HELD, self._held[protocol])
        if not (self._keeps_up and self._lanes.take(target, self._clock.monotonic())):
            return READY
        tx.after_rollback(lambda: self._lanes.give_back(target))
        if self._sender.stays(protocol):
            return Placed(begin=self._begin_inside)
        return Placed(DeliveryState.SENDING, begin=self._start)

    async def start(self) -> asyncio.Task[None]:
        """Recover what the last run left behind, then run in the background: what is returned ends by itself where the
        disk cannot be read."""
        await self.recover()
        self._loop = asyncio.create_task(self.run(), name="outbox")
        return self._loop

    async def recover(self) -> None:
        """At start: interrupted deliveries become ready and uncertain, held ones ready where there is a way now."""
        now = self._clock.now()

        def job(tx: Tx) -> int:
            found = self._store.recover(tx, now, now + LONGEST_WAIT)
            for protocol in Protocol:
                if protocol not in self._held:
                    self._store.unhold(tx, protocol.value, now)
            return found

        self.recovered = await self._database.insist(job)
        if self.recovered:
            log.warning("%d deliveries were being sent when the last run ended: sent again", self.recovered)

    async def run(self) -> None:
        """Send until closed or cancelled. `recover` comes first. Raises where the database cannot be read."""
        try:
            while not self._closing:
                self._alarm.clear()
                await self._look()
        finally:
            self._keeps_up = False
            self._alarm.close()

    async def _look(self) -> None:
        """One round, or the wait for what calls for one."""
        try:
            await self._database.steps.settled()
            await self._prune()
            # One look at the clocks: what falls due between two looks would be seen by neither.
            now, tick = self._clock.now(), self._clock.monotonic()
            if not await self._round(now, tick):
                await self._wait(now, tick)
        except StoreUnavailable:
            raise
        except Exception as error:
            if unreadable(error):
                raise
            # A disk that is full for a moment must not end all telling until the next start.
            self._keeps_up = False
            log.exception("deliveries wait: none can be started now")
            await self._clock.sleep(TROUBLE)

    async def close(self, grace: float = 3.0) -> None:
        """Stop: nothing new starts, what is under way has `grace` seconds to end; then the next start finds it."""
        self._closing, self._keeps_up = True, False
        self.wake()
        if self._loop is not None:
            # Not cancelled at once: between a lease and its start lies what would be called uncertain, though unsent.
            await asyncio.wait({self._loop}, timeout=grace)
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)
        # What has its place by now begins, as it is not uncertain: it stands before this in the writer's line.
        with contextlib.suppress(Fault):
            await self._database.write(lambda tx: None)
        if self._sending:
            await asyncio.wait(self._sending, timeout=grace)
        for task in list(self._sending):
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)

    async def redrive(self, ids: Sequence[int]) -> int:
        """Put dead deliveries back. Returns how many were dead."""
        count = await self._database.write(lambda tx: self._store.redrive(tx, ids, self._clock.now()))
        self.wake()
        return count

    async def _prune(self) -> None:
        """Every hour, forget what was sent long ago. What is dead or held stays until somebody acts."""
        now = self._clock.now()
        if now - self._pruned < PRUNE_SECONDS:
            return
        self._pruned = now
        # What a clock that was set forward has skipped has made nothing older.
        before = now - self._keep_seconds - self._clock.skipped()
        while await self._database.write(lambda tx: self._store.prune(tx, before, PRUNE_BATCH)) >= PRUNE_BATCH:
            continue

    async def _round(self, now: float, tick: float) -> bool:
        """Start what may start. False where there is nothing to start."""
        limit = min(BATCH, max(self._lanes.free, 0))
        due, blocked = self._due(now, tick, limit)
        held = {Protocol(delivery.protocol) for delivery in due} & set(self._held)
        carried = [delivery for delivery in due if Protocol(delivery.protocol) not in held]
        chosen = self._choose(carried, tick)
        self._keeps_up = not self._closing and not blocked and len(due) < limit and len(chosen) == len(carried)
        if not held and not chosen:
            return False
        inside = [delivery for delivery in chosen if self._sender.inside(delivery)]
        outside = [delivery for delivery in chosen if not self._sender.inside(delivery)]
        for delivery in inside:
            self._inside.add(delivery.id)
            self._start(_leased(delivery, now))
        if held or outside:
            await self._lease(held, outside, now)
        return True

    def _due(self, now: float, tick: float, limit: int) -> tuple[list[Delivery], list[str]]:
        """What is due, and the targets that may start nothing: those must not stand before others that may."""
        blocked = self._lanes.blocked(tick)
        while True:
            due = self._store.due(now, blocked, list(self._inside), limit)
            if len(due) < limit or any(self._lanes.may_start(one.target, tick) for one in due):
                return due, blocked
            refused = {one.target for one in due} - set(blocked)
            if not refused:
                return due, blocked
            blocked += sorted(refused)

    async def _lease(self, held: set[Protocol], chosen: Sequence[Delivery], now: float) -> None:
        """What leaves the house is marked as being sent before the first byte goes out."""

        def job(tx: Tx) -> set[int]:
            for protocol in held:
                self._store.hold(tx, protocol.value, self._held[protocol])
            return {delivery.id for delivery in chosen if self._store.lease(tx, delivery.id, now)}

        try:
            taken = await self._database.write(job)
        except Exception:
            for delivery in chosen:
                self._lanes.give_back(delivery.target)
            raise
        for delivery in chosen:
            if delivery.id in taken:
                self._start(_leased(delivery, now))
            else:
                self._lanes.give_back(delivery.target)

    def _begin_inside(self, delivery: Delivery, message: StoredMessage) -> None:
        """A new one has its place. Its row says `ready`, as do those of all that stay in the house: a round that came
        between the commit and this has begun it, in a place of its own."""
        if delivery.id in self._inside:
            self._lanes.give_back(delivery.target)
            return
        self._inside.add(delivery.id)
        self._start(_leased(delivery, self._clock.now()), message)

    def _start(self, delivery: Delivery, message: StoredMessage | None = None) -> None:
        """Begin to send it; what it carries is read where it is not given."""
        task = asyncio.create_task(self._send(delivery, message), name=f"delivery {delivery.id}")
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    def _choose(self, due: Sequence[Delivery], tick: float) -> list[Delivery]:
        """Those that have a free place, which they take here."""
        chosen = []
        for delivery in due:
            if self._lanes.take(delivery.target, tick):
                chosen.append(delivery)
        return chosen

    async def _wait(self, now: float, tick: float) -> None:
        """Until somebody wakes us or the next delivery falls due, as seen from `now` (wall) and `tick` (monotonic)."""
        due = self._store.next_due(now)
        opens = self._lanes.opens(tick)
        moments = [tick + due - now] if due is not None else []
        moments += [opens] if opens is not None else []
        await self._alarm.wait(min(moments, default=None))

    async def _send(self, delivery: Delivery, message: StoredMessage | None) -> None:
        ending = Ending.OURS
        try:
            ending = await self._sender.attempt(delivery, message)
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("delivery %d could not be recorded", delivery.id)
            await self._clock.sleep(TROUBLE)
        finally:
            self._lanes.end(delivery.target, ending, self._clock.monotonic())
            self._inside.discard(delivery.id)
            if not (ending is Ending.SENT and self._keeps_up):
                # There may be something to try again, or that waited for this place.
                self.wake()


def _leased(delivery: Delivery, now: float) -> Delivery:
    return replace(
        delivery,
        state=DeliveryState.SENDING,
        attempts=delivery.attempts + 1,
        fence=delivery.fence + 1,
        started=now,
    )
