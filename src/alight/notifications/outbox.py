"""The delivery loop: READY -> SENDING (under a fence) -> SENT, READY again, DEAD or HELD.

Every step is a row that is on the disk before the next begins. A delivery that a crash interrupted while it was being
sent is flagged `uncertain` and sent again with the same MessageId. What goes to something in this house (a queue, a
function) happens in the transaction that records it, so exactly once.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from alight.clock import Clock
from alight.errors import Fault
from alight.errors.store import Damaged
from alight.notifications.deadletters import DeadLetters
from alight.notifications.lanes import Lanes
from alight.notifications.message import (
    SUBSCRIPTION,
    TOPIC,
    Kind,
    Protocol,
    SubscriptionState,
    to_subscription,
    to_topic,
)
from alight.notifications.outgoing import Channel, LocalChannel, Outgoing
from alight.notifications.policy import Failed, GiveUp, decide, most_per_second, phases_of
from alight.store.database import Database, Tx
from alight.store.outbox import Delivery, DeliveryState, OutboxStore
from alight.store.records import Records

log = logging.getLogger(__name__)

#: Deliveries looked at in one round.
BATCH = 64

#: No retry waits longer than this (seconds): what lies further ahead was written by a clock that ran wrong.
LONGEST_WAIT = 7_200.0

#: How long what was sent is kept, how often that is looked after, and rows at a time (seconds).
KEEP_SECONDS = 30 * 24 * 3600.0
PRUNE_SECONDS = 3600.0
PRUNE_BATCH = 500

#: Characters of an error that are kept.
MOST_ERROR = 1_000


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
    ) -> None:
        self._database = database
        self._store = store
        self._records = records
        self._clock = clock
        self._channels = channels
        self._local = local
        self._held = held
        self._dead_letters = dead_letters
        self._lanes = lanes or Lanes()
        self._keep_seconds = keep_seconds
        self._pruned = clock.now()
        self._chance = chance
        self._woken = asyncio.Event()
        self._sending: set[asyncio.Task[None]] = set()
        self._loop: asyncio.Task[None] | None = None
        #: Deliveries found in the middle of sending at the last start.
        self.recovered = 0

    def wake(self) -> None:
        """There may be something to send."""
        self._woken.set()

    async def start(self) -> None:
        """Recover what the last run left behind, then run in the background."""
        await self.recover()
        self._loop = asyncio.create_task(self.run(), name="outbox")

    async def recover(self) -> None:
        """At start: interrupted deliveries become ready and uncertain, held ones ready where there is a way now."""
        now = self._clock.now()

        def job(tx: Tx) -> int:
            found = self._store.recover(tx, now, now + LONGEST_WAIT)
            for protocol in Protocol:
                if protocol not in self._held:
                    self._store.unhold(tx, protocol.value, now)
            return found

        self.recovered = await self._database.write(job)
        if self.recovered:
            log.warning("%d deliveries were being sent when the last run ended: sent again", self.recovered)

    async def run(self) -> None:
        """Send until cancelled. `recover` comes first."""
        while True:
            self._woken.clear()
            await self._prune()
            if not await self._round():
                await self._wait()

    async def close(self, grace: float = 3.0) -> None:
        """Stop: nothing new starts, what is under way has `grace` seconds to end; then the next start finds it."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)
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
        before = now - self._keep_seconds
        while await self._database.write(lambda tx: self._store.prune(tx, before, PRUNE_BATCH)) >= PRUNE_BATCH:
            continue

    async def _round(self) -> bool:
        """Start what may start. False where there is nothing to start."""
        blocked = self._lanes.blocked(self._clock.monotonic())
        due = self._store.due(self._clock.now(), blocked, min(BATCH, max(self._lanes.free, 0)))
        held = {Protocol(delivery.protocol) for delivery in due} & set(self._held)
        chosen = self._choose([delivery for delivery in due if Protocol(delivery.protocol) not in held])
        if not held and not chosen:
            return False
        now = self._clock.now()

        def job(tx: Tx) -> list[Delivery]:
            for protocol in held:
                self._store.hold(tx, protocol.value, self._held[protocol])
            return [_leased(delivery, now) for delivery in chosen if self._store.lease(tx, delivery.id, now)]

        leased = await self._database.write(job)
        taken = {delivery.id for delivery in leased}
        for delivery in chosen:
            if delivery.id not in taken:
                self._lanes.end(delivery.target, True)
        for delivery in leased:
            task = asyncio.create_task(self._send(delivery), name=f"delivery {delivery.id}")
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
        return True

    def _choose(self, due: Sequence[Delivery]) -> list[Delivery]:
        """Those that have a free place, which they take here."""
        chosen = []
        for delivery in due:
            if self._lanes.may_start(delivery.target, self._clock.monotonic()):
                self._lanes.start(delivery.target)
                chosen.append(delivery)
        return chosen

    async def _wait(self) -> None:
        """Until somebody wakes us or the next delivery is due."""
        now = self._clock.now()
        due = self._store.next_due(now)
        opens = self._lanes.opens(self._clock.monotonic())
        waits = [due - now] if due is not None else []
        waits += [opens - self._clock.monotonic()] if opens is not None else []
        if not waits:
            await self._woken.wait()
            return
        timer = asyncio.create_task(self._clock.sleep(max(min(waits), 0.0)))
        woken = asyncio.create_task(self._woken.wait())
        try:
            await asyncio.wait({timer, woken}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
            woken.cancel()

    async def _send(self, delivery: Delivery) -> None:
        succeeded = False
        try:
            succeeded = await self._attempt(delivery)
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("delivery %d could not be recorded", delivery.id)
        finally:
            self._lanes.end(delivery.target, succeeded)
            self.wake()

    async def _attempt(self, delivery: Delivery) -> bool:
        """One attempt and its record. True where the target has it."""
        outgoing: Outgoing | None = None
        try:
            outgoing = self._gather(delivery)
            self._throttle(outgoing)
            await self._hand_over(outgoing)
        except Failed as failure:
            await self._record_failure(delivery, outgoing, failure)
            return False
        except Damaged as damage:
            await self._record_failure(delivery, outgoing, Failed(damage.message, permanent=True))
            return False
        except Exception as error:
            log.exception("delivery %d failed for a reason of our own", delivery.id)
            await self._record_failure(delivery, outgoing, Failed(f"{type(error).__name__}: {error}", uncertain=True))
            return False
        return True

    async def _hand_over(self, outgoing: Outgoing) -> None:
        """Through the channel, then record it; or both at once for what stays in the house."""
        delivery = outgoing.delivery
        local = self._local.get(outgoing.protocol)
        if local is None:
            await self._channels[outgoing.protocol].send(outgoing)
            await self._database.write(lambda tx: self._store.sent(tx, delivery, self._clock.now()))
            return
        prepared = await asyncio.to_thread(local.prepare, outgoing)

        def job(tx: Tx) -> None:
            if self._store.sent(tx, delivery, self._clock.now()):
                local.deliver(tx, outgoing, prepared)

        try:
            await self._database.write(job)
        except Fault as fault:
            raise Failed(f"{fault.code}: {fault.message}", permanent=fault.by_sender) from fault

    def _gather(self, delivery: Delivery) -> Outgoing:
        """What the delivery is about. Raises `Failed` where its subscription is gone."""
        message = self._store.message(delivery.message_id)
        if message is None:
            raise Failed("the message is gone", permanent=True)
        if not delivery.subscription:
            return Outgoing(delivery, message, None, None)
        subscription = self._records.get(SUBSCRIPTION, delivery.subscription)
        topic = self._records.get(TOPIC, message.topic)
        if subscription is None:
            raise Failed("the subscription was removed", permanent=True)
        subscriber = to_subscription(subscription.name, subscription.body)
        if subscriber.state is SubscriptionState.DELETED and message.kind == Kind.NOTIFICATION:
            raise Failed("the subscriber unsubscribed", permanent=True)
        return Outgoing(delivery, message, to_topic(topic.body) if topic else None, subscriber)

    def _throttle(self, outgoing: Outgoing) -> None:
        if outgoing.protocol in (Protocol.HTTP, Protocol.HTTPS):
            rate = most_per_second(outgoing.topic_policy, outgoing.subscription_policy)
            if rate > 0:
                self._lanes.hold_back(outgoing.delivery.target, self._clock.monotonic() + 1 / rate)

    async def _record_failure(self, delivery: Delivery, outgoing: Outgoing | None, failure: Failed) -> None:
        phases = phases_of(
            Protocol(delivery.protocol),
            outgoing.topic_policy if outgoing else "",
            outgoing.subscription_policy if outgoing else "",
        )
        decision = decide(phases, delivery.attempts, failure, self._chance())
        now = self._clock.now()
        error = str(failure)[:MOST_ERROR]
        letter = await self._dead_letters.prepare(outgoing) if isinstance(decision, GiveUp) and outgoing else None

        def job(tx: Tx) -> None:
            if isinstance(decision, GiveUp):
                buried = self._store.bury(tx, delivery, now, decision.reason, error, failure.uncertain)
                if buried and letter is not None:
                    self._dead_letters.send(tx, letter)
            else:
                self._store.retry(tx, delivery, now + decision.delay, error, failure.uncertain)

        await self._database.write(job)


def _leased(delivery: Delivery, now: float) -> Delivery:
    return replace(
        delivery,
        state=DeliveryState.SENDING,
        attempts=delivery.attempts + 1,
        fence=delivery.fence + 1,
        started=now,
    )
