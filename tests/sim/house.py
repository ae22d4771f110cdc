"""One life of the simulated process: the real journal, dispatcher, topics and outbox; all around them is made up.

Workers and targets do what a seed says. Commits are steps of the loop, so a crash finds jobs that wait, groups that are
on the disk and were not answered yet, attempts and sends that are under way.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import apsw

from alight.calls import Attempt
from alight.errors.common import ValidationError
from alight.errors.store import InsufficientStorage
from alight.events.dispatch import Dispatcher, Result, Target, Throttled
from alight.notifications.channels.queue import QueueChannel
from alight.notifications.deadletters import DeadLetters
from alight.notifications.envelope import Envelopes
from alight.notifications.hosts import host_of
from alight.notifications.lanes import Ending, Lanes
from alight.notifications.message import Message, Protocol
from alight.notifications.outbox import Outbox
from alight.notifications.outgoing import Outgoing
from alight.notifications.policy import Failed, delay, phases_of
from alight.notifications.topics import Topics
from alight.services.lambda_.destinations import Destinations
from alight.store import journal
from alight.store.database import Database, Tx
from alight.store.journal import Event, NewEvent
from alight.store.outbox import OutboxStore
from alight.store.records import Records
from alight.store.telemetry import Telemetry
from alight.store.writer import Job, Writer
from tests.sim.ledger import Publish
from tests.sim.world import LISTENER, QUEUE, Function, World

#: Kinds of records that stand for what lies in queues.
LETTERS = "sim:letter"
#: A send that is not answered is given up after this (seconds), as the real webhooks do.
DEADLINE = 15.0


class Nothing:
    """Takes metrics and spans, and forgets them."""

    def metric(self, *given: Any, **more: Any) -> None: ...
    def span(self, *given: Any, **more: Any) -> None: ...


class SteppedWriter(Writer):
    """The real groups and commits, as two steps of the loop: on the disk, then answered."""

    def __init__(self, world: World, *given: Any, **more: Any) -> None:
        self._world = world
        self._life = world.loop
        self._stepping = False
        super().__init__(*given, **more)

    def _loop(self) -> None:
        """No thread."""

    def submit(self, jobs: Sequence[Job]) -> None:
        super().submit(jobs)
        self._go_on()

    def _go_on(self) -> None:
        # What is left of an earlier life, and is tidied away in a later one, writes nothing.
        if not self._stepping and self._queue and self._world.loop is self._life:
            self._stepping = True
            self._world.loop.call_later(self._world.random.choice((0.0005, 0.002, 0.005, 0.2)), self._step)

    def _step(self) -> None:
        if self._closing:
            # What waited was committed by whoever closed.
            return
        self._world.clock.writing = True
        try:
            self._write()
        finally:
            self._world.clock.writing = False

    def _write(self) -> None:
        group = self._next_group()
        if self._world.random.random() < self._world.plan.full_disk:
            # A full disk: whoever meets it looks again after a while.
            self._world.ledger.disturbed_all = self._world.clock.monotonic() + 6.0
            self._connection.execute("BEGIN IMMEDIATE")
            for job in group:
                self._run(job)
            self._take_back(group)
        else:
            self._commit_group(group)
        self._world.loop.call_later(self._world.random.choice((0.0, 0.0005, 0.02)), self._answer, group)

    def _answer(self, group: Sequence[Job]) -> None:
        self._deliver(group)
        self._tell_witness(at_once=self._world.random.random() < 0.1)
        self._stepping = False
        self._go_on()

    def close(self) -> None:
        super().close()
        while self._queue:
            group = self._next_group()
            self._commit_group(group)
            self._deliver(group)


@dataclass(frozen=True, slots=True)
class Zombie:
    """A worker of an earlier life that does not know that its runtime has gone."""

    event: Event
    staged: bool


class WatchedLanes(Lanes):
    """Tells the ledger who begins and ends at which host."""

    def __init__(self, world: World) -> None:
        super().__init__(chance=world.random.random)
        self._world = world

    def start(self, target: str) -> None:
        super().start(target)
        if name := host_of(target):
            self._world.ledger.host_begins(name, self._world.clock.monotonic())

    def give_back(self, target: str) -> None:
        super().give_back(target)
        self._ended(target, None)

    def end(self, target: str, ending: Ending, now: float) -> None:
        super().end(target, ending, now)
        self._ended(target, None if ending is Ending.OURS else ending is not Ending.FAILED)

    def _ended(self, target: str, answered: bool | None) -> None:
        world, name = self._world, host_of(target)
        if not name or world.loop.gone:
            return
        until = world.ledger.host_ends(name, answered, world.clock.monotonic())
        for other in world.plan.targets:
            if host_of(other.endpoint) == name:
                world.ledger.disturb(other.endpoint, until)


class House:
    """The parts of one life, joined as `app` joins them."""

    def __init__(self, world: World, database: Database) -> None:
        self.world, self.database = world, database
        self.records = Records(database)
        self.store = OutboxStore(database)
        self.busy: Counter[str] = Counter()
        self.working: dict[tuple[str, int], Zombie] = {}
        self.aside: set[asyncio.Task[None]] = set()
        clock, nobody = world.clock, cast(Envelopes, None)
        self.topics = Topics(
            self.store, self.records, clock, lambda: self.outbox.wake(), lambda *given: self.outbox.place(*given)
        )
        held = {Protocol.SMS: "no gateway"} if world.plan.held and not world.ledger.crashes else {}
        outside = {Protocol.HTTP: self, Protocol.EMAIL: self, Protocol.SMS: self}
        self.outbox = Outbox(
            database,
            self.store,
            self.records,
            clock,
            channels={name: channel for name, channel in outside.items() if name not in held},
            local={Protocol.SQS: QueueChannel(nobody, self.put_letter), Protocol.LAMBDA: Listener(self)},
            held=held,
            dead_letters=DeadLetters(nobody, self.put_letter),
            lanes=WatchedLanes(world),
            chance=world.random.random,
        )
        self.dispatcher = Dispatcher(
            database,
            clock,
            target=self.target,
            invoke=self.invoke,
            publishes=self.topics,
            free=self.free,
            chance=world.random.random,
        )
        self.destinations = Destinations(self.tell, lambda *given: True, cast(Telemetry, Nothing()))
        self.running: asyncio.Task[None] | None = None

    @property
    def at_work(self) -> bool:
        """Whether somebody beside the dispatcher's attempts still does something."""
        return any(not task.done() for task in self.aside)

    async def start(self, zombies: Sequence[Zombie]) -> None:
        found = [row["id"] for row in self.store.deliveries("sending")]
        self.world.ledger.life_begins(self.world.clock.monotonic(), found)
        await self.outbox.start()
        self.running = asyncio.create_task(self.dispatcher.run())
        for zombie in zombies:
            self._begin_aside(self._come_late(zombie))

    async def stop(self) -> None:
        """As at SIGTERM."""
        assert self.running is not None
        self.running.cancel()
        grace = self.world.random.choice((0.0, 5.0))
        await asyncio.gather(self.running, return_exceptions=True)
        await self.dispatcher.close(grace)
        await self.outbox.close(grace)
        for task in self.aside:
            task.cancel()
        await asyncio.gather(*self.aside, return_exceptions=True)
        await self.database.close()

    def let_go(self) -> None:
        """What the kernel does for a process that has died: its files are closed, and nothing else is done to them."""
        database = self.database
        if database._reading is not None:
            database._reading.close()
        database._connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        database._connection.close()
        database._witness.close()
        database._lock.release()

    # What the client does ---------------------------------------------------------------------------------------

    async def accept(self, id: str, arn: str) -> bool:
        """As a PUT does. Whether it was answered with 200."""
        now = self.world.clock.now()

        def job(tx: Tx) -> None:
            self._queue(tx, id, arn, b"{}", {"kind": "s3"}, now)

        try:
            await self.database.write(job)
        except InsufficientStorage:
            return False
        self.world.ledger.answered.add(id)
        self.world.note("accepted", id)
        return True

    def _queue(self, tx: Tx, id: str, arn: str, payload: bytes, source: dict[str, Any], now: float) -> None:
        known = self.world.plan.functions.get(arn)
        retries, age = (known.retries, known.age) if known else (2, 21_600.0)
        self.dispatcher.accept(tx, NewEvent(id, arn, payload, source, now, now + age, retries))

    # What the dispatcher asks ------------------------------------------------------------------------------------

    def target(self, arn: str) -> Target | None:
        function = self.world.function(arn)
        if function is None:
            return None
        free = function.workers - self.busy[arn]
        if free <= 0:
            self.world.disturb(arn)
        return Target(free, function.delays, function.disabled, self.destinations.tell_of(function.body), rings=True)

    def free(self, arn: str) -> int:
        function = self.world.plan.functions.get(arn)
        return 0 if function is None or function.disabled else function.workers - self.busy[arn]

    async def invoke(self, event: Event) -> Result:
        world, function = self.world, self.world.plan.functions[event.function]
        kind = world.draw(function.outcomes)
        if kind == "throttled" or self.busy[event.function] >= function.workers:
            # What is handed back is due again on its own time, and each lease of it lengthens that.
            raise Throttled
        world.ledger.attempt_begins(event, world.clock.monotonic(), event.not_before - world.clock.ahead)
        if kind == "impossible":
            raise RuntimeError("cannot be started")
        self.busy[event.function] += 1
        self.working[event.id, event.fence] = Zombie(event, function.staged)
        try:
            return await self._work(event, function, kind)
        finally:
            if not world.loop.gone:
                del self.working[event.id, event.fence]
                self.busy[event.function] -= 1
                world.disturb(event.function)
                self.dispatcher.freed(event.id)

    async def _work(self, event: Event, function: Function, kind: str) -> Result:
        world = self.world
        started = world.clock.now()
        await world.pause(function.takes)
        for _ in range(function.publishes if kind != "early error" else 0):
            await self._publish(event, function.staged)
        if kind == "timeout":
            await asyncio.sleep(function.takes * 3)
        if kind == "late" and function.publishes:
            self._begin_aside(self._publish_later(event, function.staged))
        world.note("ends", event.id, event.fence, kind)
        ok = kind in ("ok", "late")
        # Who is turned away comes again after a second, later and later.
        if not ok and kind != "turned away" and function.delays:
            wait = function.delays[min(event.attempts, len(function.delays) - 1)]
            world.ledger.retry_not_before[event.id] = world.clock.monotonic() + wait
        payload = b'"done"' if ok else json.dumps({"errorType": kind, "errorMessage": "no"}).encode()
        away = kind == "turned away"
        return Result("ok" if ok else "error", payload, event.id, started, world.clock.now(), turned_away=away)

    async def _publish(self, event: Event, staged: bool) -> None:
        """A retry says it in other words where its publishes are staged, and in the same where they are not."""
        text = f"{event.id} {self.world.random.getrandbits(32):08x}" if staged else event.id
        attempt = Attempt("request", event.function, event.id, event.fence, staged)
        given = Message(self.world.plan.topic, text)
        # Some go into rows, as after very many others.
        held = self.topics.stage([given], attempt) if self.world.random.random() < 0.7 else None
        if held is None:
            try:
                held = [await self.database.write(lambda tx: self.topics.publish(tx, given, attempt))]
            except InsufficientStorage:
                return
        self.world.ledger.publishes.append(Publish(event.id, event.fence, held[0], text, staged))

    async def _publish_later(self, event: Event, staged: bool) -> None:
        """A thread that its handler has left behind."""
        await self.world.pause(90.0)
        self.world.ledger.late += 1
        await self._publish(event, staged)

    async def _come_late(self, zombie: Zombie) -> None:
        await self.world.pause(120.0)
        self.world.ledger.late += 1
        event = zombie.event
        done = await self.database.insist(lambda tx: journal.succeed(tx, event, self.world.clock.now(), b'"late"'))
        assert not done, f"a result that came after a restart was taken: {event.id} under fence {event.fence}"
        await self._publish(event, zombie.staged)

    def _begin_aside(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self.aside.add(task)

    # Where things go ---------------------------------------------------------------------------------------------

    def tell(
        self, tx: Tx, target: str, body: str, attributes: Mapping[str, tuple[str, str]], source: dict[str, Any]
    ) -> None:
        """Destinations: a function's events, or a queue."""
        name = f"{source['of']} {'letter' if attributes else source['condition']}"
        if target == QUEUE:
            self.put_letter(tx, target, name, {}, "", "")
        else:
            hop = source["hop"]
            self._queue(tx, f"{source['of'].partition('+')[0]}+{hop}", target, b"{}", source, self.world.clock.now())

    def put_letter(self, tx: Tx, queue: str, body: str, attributes: Mapping[str, Any], topic: str, cause: str) -> None:
        """A queue that is real enough: what is in it is on the disk, and counted."""
        name = f"{queue.rpartition(':')[2]} {body}"
        known = self.records.get(LETTERS, name, tx)
        self.records.put(tx, LETTERS, name, {"count": (known.body["count"] if known else 0) + 1})

    async def send(self, outgoing: Outgoing) -> None:
        """The ways out: what a target does with one delivery."""
        world, delivery = self.world, outgoing.delivery
        due = delivery.not_before - world.clock.ahead
        world.ledger.send_begins(delivery, world.clock.monotonic(), due)
        try:
            await self._reach(outgoing, world.answer(delivery.target))
        except Failed as failed:
            wait = delay(phases_of(outgoing.protocol), delivery.attempts)
            wait = max(wait, failed.retry_after or 0.0)
            world.ledger.not_before[delivery.id] = world.clock.monotonic() + wait
            raise
        finally:
            if not world.loop.gone:
                world.disturb(delivery.target)

    async def _reach(self, outgoing: Outgoing, answer: str) -> None:
        world, place = self.world, (outgoing.delivery.target, outgoing.message.id)
        await world.pause(0.2)
        if answer in ("refused", "client error", "throttled", "server error"):
            raise Failed(
                answer, permanent=answer == "client error", retry_after=30.0 if answer == "throttled" else None
            )
        if answer == "black hole":
            await asyncio.sleep(DEADLINE)
            raise Failed(answer, uncertain=True)
        world.ledger.arrivals[place] += 1
        world.note("arrives", outgoing.delivery.id)
        if answer == "cut":
            raise Failed(answer, uncertain=True)
        if answer == "slow":
            await asyncio.sleep(DEADLINE)
            raise Failed(answer, uncertain=True)
        await world.pause(0.3)


@dataclass(frozen=True, slots=True)
class Listener:
    """A function that is told by the topic, in the transaction that records the delivery."""

    house: House

    def prepare(self, outgoing: Outgoing) -> str:
        return outgoing.message.body

    def deliver(self, tx: Tx, outgoing: Outgoing, prepared: str) -> None:
        if self.house.world.random.random() < 0.1:
            raise ValidationError("the function is gone")
        now = self.house.world.clock.now()
        id = f"told-{outgoing.delivery.id}"
        self.house._queue(tx, id, LISTENER, prepared.encode(), {"kind": "sns"}, now)


async def open_house(world: World) -> House:
    database = await Database.open(
        world.folder, world.clock, connect=world.connect, ballast=0, writer=partial(SteppedWriter, world)
    )
    return House(world, database)
