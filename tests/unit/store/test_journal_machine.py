"""The event queue and the outbox against a model of plain dictionaries, in whatever order their steps come.

Each step is a transaction that commits, or is lost with the process; stale holders go on trying. `ALIGHT_CHAOS_STEPS`
says how many steps each of `ALIGHT_CHAOS_STORIES` stories has.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, cast

import apsw
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from alight import names
from alight.calls import Attempt
from alight.clock import ManualClock
from alight.notifications.message import SUBSCRIPTION, Message, Protocol, Subscription, SubscriptionState
from alight.notifications.topics import Topics
from alight.store import journal
from alight.store.connections import open_writer
from alight.store.database import Database, Tx
from alight.store.journal import Event, NewEvent, State
from alight.store.migrations import MIGRATIONS, migrate
from alight.store.outbox import Delivery, DeliveryState, OutboxStore
from alight.store.records import Records
from alight.store.statements import load_statements
from alight.store.steps import STATEMENTS as SHIFTS

STORIES = int(os.environ.get("ALIGHT_CHAOS_STORIES") or 80)
STEPS = int(os.environ.get("ALIGHT_CHAOS_STEPS") or 60)

FUNCTIONS = [names.function_arn(name) for name in ("one", "two", "gone")]
GONE = FUNCTIONS[-1]
#: Leases that are tried again; the newest stand first.
REMEMBERED = 12

TOPIC = names.topic_arn("told")
DAY = 86_400.0
STATEMENTS = load_statements()

#: Steps, and how often each comes beside the others.
WEIGHTS = {
    "accept_and_lease": 4,
    "tell_and_succeed": 5,
    "accept": 2,
    "lease": 5,
    "publish": 6,
    "succeed": 3,
    "give_up": 3,
    "try_again": 4,
    "begin_to_send": 7,
    "end_of_send": 6,
    "redrive": 2,
    "redrive_delivery": 1,
    "time_passes": 2,
    "clock_is_set": 1,
    "recover": 2,
    "bury": 1,
    "forget": 2,
}


@dataclass(frozen=True)
class Given:
    """How a step is done. `which` chooses among what there is; a step that is not `durable` dies with its process."""

    function: str
    which: int
    seconds: float
    yes: bool
    end: str
    durable: bool


given = st.builds(
    Given,
    function=st.sampled_from(FUNCTIONS),
    which=st.sampled_from((0, 0, 0, 1, 2, 5)),
    seconds=st.sampled_from((0.0, 60.0, 7_200.0)),
    yes=st.booleans(),
    end=st.sampled_from(("sent", "retry", "bury")),
    durable=st.sampled_from([True] * 15 + [False]),
)


@dataclass
class Known:
    """What must stand in an event's row."""

    function: str
    state: str
    not_before: float
    seq: int
    attempts: int = 0
    leases: int = 0
    fence: int = 0
    finished: float | None = None
    reason: str | None = None
    result: bytes | None = None


@dataclass
class Told:
    """What must stand in a delivery's row."""

    message: str
    state: str
    not_before: float
    attempts: int = 0
    fence: int = 0
    uncertain: bool = False


@dataclass
class Model:
    """All that is promised."""

    events: dict[str, Known] = field(default_factory=dict)
    forgotten: int = 0
    #: Message -> (event, fence, state).
    messages: dict[str, tuple[str, int, str]] = field(default_factory=dict)
    deliveries: dict[int, Told] = field(default_factory=dict)

    def holds(self, event: Event) -> bool:
        known = self.events.get(event.id)
        return known is not None and known.state == "running" and known.fence == event.fence

    def due(self, function: str, now: float) -> list[str]:
        waiting = [
            (known.not_before, known.seq, id)
            for id, known in self.events.items()
            if known.function == function and known.state == "pending" and known.not_before <= now
        ]
        return [id for _, _, id in sorted(waiting)]

    def drop(self, event_id: str, fence: int) -> None:
        """What one attempt has staged. What another one has, that a crash cut off, waits for the end of its event."""
        for id, told in self.messages.items():
            if told == (event_id, fence, "staged"):
                self.messages[id] = (event_id, fence, "discarded")

    def decide(self, event_id: str, fence: int | None) -> list[str]:
        """What was staged under `fence` leaves, all else that is staged for the event is dropped."""
        left = []
        for id, (event, of, state) in self.messages.items():
            if event == event_id and state == "staged":
                self.messages[id] = (event, of, "accepted" if of == fence else "discarded")
                left += [id] if of == fence else []
        return left


class House:
    """A journal on one connection that can be dropped at any moment; the part of `Database` that its readers ask."""

    def __init__(self) -> None:
        self.path = Path(mkdtemp(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)) / "alight.db"
        self.clock = ManualClock()
        self.open()
        migrate(self.connection, MIGRATIONS)
        self.records = Records(cast(Database, self))
        self.store = OutboxStore(cast(Database, self))
        self.topics = Topics(self.store, self.records, self.clock, lambda: None)

    def open(self) -> None:
        self.connection = open_writer(self.path, synchronous="OFF")

    def read(self) -> Tx:
        return Tx(self.connection, STATEMENTS, self._damaged)

    def write(self, job: Callable[[Tx], Any], durable: bool) -> Any:
        self.connection.execute("BEGIN IMMEDIATE")
        tx = self.read()
        result = job(tx)
        if durable:
            self.connection.execute("COMMIT")
        else:
            self.die()
        return result

    def die(self) -> None:
        self.connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        self.connection.close()
        self.open()

    def close(self) -> None:
        self.connection.close()
        for path in self.path.parent.iterdir():
            path.unlink()
        self.path.parent.rmdir()

    def _damaged(self, damage: object) -> None:
        raise AssertionError(damage)


class JournalMachine(RuleBasedStateMachine):
    """`held` and `sending` keep every lease that was ever given out, stale ones too."""

    def __init__(self) -> None:
        super().__init__()
        self.house = House()
        self.model = Model()
        self.held: list[Event] = []
        self.sending: list[Delivery] = []
        self.accepted = 0

    @property
    def now(self) -> float:
        return self.house.clock.now()

    def teardown(self) -> None:
        self.house.close()

    @initialize()
    def somebody_listens(self) -> None:
        arn = names.subscription_arn(TOPIC, "1")
        known = Subscription(arn, TOPIC, Protocol.HTTP, "http://target", "", "", SubscriptionState.CONFIRMED)
        self.house.write(lambda tx: self.house.records.put(tx, SUBSCRIPTION, arn, known.body()), durable=True)

    def step(self, job: Callable[[Tx], Any], given: Given, change: Callable[[Any], None]) -> None:
        """Do it, and expect `change` of the model (it is told what the job has returned) where it was durable, or else
        nothing but the recovery of the next process."""
        result = self.house.write(job, given.durable)
        if given.durable:
            change(result)
        else:
            self.recover(given)

    @rule(what=st.sampled_from([name for name, weight in WEIGHTS.items() for _ in range(weight)]), given=given)
    def next(self, what: str, given: Given) -> None:
        getattr(self, what)(given)

    # Events -----------------------------------------------------------------------------------------------------

    def accept_and_lease(self, given: Given) -> None:
        now = replace(given, durable=True)
        self.accept(now)
        self.lease(now)

    def tell_and_succeed(self, given: Given) -> None:
        """The straight way, so that there is something to send."""
        self.accept_and_lease(given)
        self.publish(replace(given, which=0, durable=True))
        self.succeed(replace(given, which=0))

    def accept(self, given: Given) -> None:
        self.accepted += 1
        event = NewEvent(f"e{self.accepted}", given.function, b"{}", {}, self.now, self.now + DAY)

        def change(_: object) -> None:
            seq = self.model.forgotten + len(self.model.events) + 1
            self.model.events[event.id] = Known(given.function, "pending", self.now, seq)

        self.step(lambda tx: journal.accept(tx, event), given, change)

    def lease(self, given: Given) -> None:
        limit = given.which + 1

        def change(leased: list[Event]) -> None:
            assert [event.id for event in leased] == self.model.due(given.function, self.now)[:limit]
            for event in leased:
                known = self.model.events[event.id]
                known.state, known.leases, known.fence = "running", known.leases + 1, known.fence + 1
                assert (event.fence, event.leases, event.attempts) == (known.fence, known.leases, known.attempts)
            self.held = [*leased, *self.held][:REMEMBERED]

        self.step(lambda tx: journal.lease(tx, given.function, limit, self.now), given, change)

    def succeed(self, given: Given) -> None:
        event, now = self._held(given), self.now
        if event is None:
            return

        def job(tx: Tx) -> bool:
            return (
                journal.succeed(tx, event, now, b"done") and self.house.topics.release(tx, event.id, event.fence) >= 0
            )

        self.step(job, given, lambda held: self._ends(event, held, "succeeded", result=b"done"))

    def give_up(self, given: Given) -> None:
        event, now = self._held(given), self.now
        if event is None:
            return

        def job(tx: Tx) -> bool:
            held = journal.give_up(tx, event, now, {"reason": "Why"}, attempted=given.yes)
            return held and self.house.topics.release(tx, event.id, event.fence) >= 0

        self.step(job, given, lambda held: self._ends(event, held, "dead", attempted=given.yes, reason="Why"))

    def _ends(self, event: Event, held: bool, state: str, attempted: bool = True, **more: Any) -> None:
        assert held == self.model.holds(event)
        if held:
            known = self.model.events[event.id]
            attempts = known.attempts + attempted
            more = {"reason": None, "result": None} | more
            self.model.events[event.id] = replace(known, state=state, attempts=attempts, finished=self.now, **more)
            self._leave(self.model.decide(event.id, event.fence))

    def _delivery(self, given: Given, state: str) -> int | None:
        """One of those in this state where there are any, the oldest first."""
        found = [id for id, told in self.model.deliveries.items() if told.state == state] or list(self.model.deliveries)
        return found[given.which % len(found)] if found else None

    def _held(self, given: Given) -> Event | None:
        """One of the leases, the newest first; stale ones go on trying."""
        return self.held[given.which % len(self.held)] if self.held else None

    def _leave(self, messages: list[str]) -> None:
        """One delivery for each message that is accepted, in the order of their publishes."""
        for message in messages:
            [delivery] = self.house.store.deliveries_of(message)
            self.model.deliveries[delivery.id] = Told(message, "ready", self.now)

    def try_again(self, given: Given) -> None:
        event, moment, counts = self._held(given), self.now + given.seconds, given.yes
        if event is None:
            return

        def job(tx: Tx) -> bool:
            again = (
                journal.retry(tx, event, moment, {"reason": "no"})
                if counts
                else journal.hand_back(tx, event, moment, event.error)
            )
            if again:
                self.house.topics.discard(tx, event.id, event.fence)
            return again

        def change(again: bool) -> None:
            assert again == self.model.holds(event)
            if again:
                known = self.model.events[event.id]
                known.state, known.not_before, known.attempts = "pending", moment, known.attempts + counts
                known.reason = "no" if counts else known.reason
                self.model.drop(event.id, event.fence)

        self.step(job, given, change)

    def bury(self, given: Given) -> None:
        """Events of a function that is gone, after some of them have been tried."""
        function = GONE

        def job(tx: Tx) -> list[str]:
            buried = journal.bury_due(tx, function, self.now, {"reason": "Gone"})
            for id in buried:
                self.house.topics.discard(tx, id)
            return buried

        def change(buried: list[str]) -> None:
            assert sorted(buried) == sorted(self.model.due(function, self.now))
            for id in buried:
                known = self.model.events[id]
                known.state, known.fence, known.finished, known.reason = "dead", known.fence + 1, self.now, "Gone"
                self.model.decide(id, None)

        self.step(job, given, change)

    def redrive(self, given: Given) -> None:
        dead = [id for id, known in self.model.events.items() if known.state == "dead"] or list(self.model.events)
        if not dead:
            return
        id = dead[given.which % len(dead)]

        def change(redriven: bool) -> None:
            known = self.model.events[id]
            assert redriven == (known.state == "dead")
            if redriven:
                known.state, known.attempts, known.not_before = "pending", 0, self.now
                known.finished = known.reason = None

        self.step(lambda tx: journal.redrive(tx, id, self.now, self.now + DAY), given, change)

    def forget(self, given: Given) -> None:
        """Events that were handled more than an hour ago."""
        before = self.now - 3_600.0
        found, _ = journal.old(self.house.read(), 0, before, limit=3)
        for row in found:
            known = self.model.events[row["id"]]
            assert known.state == "succeeded"
            assert known.finished is not None
            assert known.finished < before

        def change(_: object) -> None:
            for row in found:
                del self.model.events[row["id"]]
                self.model.forgotten += 1

        self.step(lambda tx: journal.forget(tx, found), given, change)

    # Publishes and deliveries -----------------------------------------------------------------------------------

    def publish(self, given: Given) -> None:
        event = self._held(given)
        if event is None:
            return
        attempt = Attempt("request", event.function, event.id, event.fence, staged=True)

        def change(message: str) -> None:
            known = self.model.events.get(event.id)
            if known is None or self.model.holds(event):
                state = "staged"
            elif known.state in ("succeeded", "dead") and known.fence == event.fence:
                state = "accepted"
            else:
                state = "discarded"
            self.model.messages[message] = (event.id, event.fence, state)
            if state == "accepted":
                self._leave([message])

        self.step(lambda tx: self.house.topics.publish(tx, Message(TOPIC, "text"), attempt), given, change)

    def begin_to_send(self, given: Given) -> None:
        id = self._delivery(given, "ready")
        if id is None:
            return

        def change(leased: bool) -> None:
            told = self.model.deliveries[id]
            assert leased == (told.state == "ready")
            if leased:
                told.state, told.attempts, told.fence = "sending", told.attempts + 1, told.fence + 1
                found = self.house.store.delivery(id)
                self.sending = ([found] if found else []) + self.sending[:REMEMBERED]

        self.step(lambda tx: self.house.store.lease(tx, id, self.now), given, change)

    def end_of_send(self, given: Given) -> None:
        if not self.sending:
            return
        delivery, store, now = self.sending[given.which % len(self.sending)], self.house.store, self.now

        def job(tx: Tx) -> None:
            if given.end == "sent":
                store.sent(tx, delivery, now)
            elif given.end == "retry":
                store.retry(tx, delivery, now + 20.0, "no", given.yes)
            else:
                store.bury(tx, delivery, now, "Why", "no", given.yes)

        def change(_: object) -> None:
            told = self.model.deliveries[delivery.id]
            if (told.state, told.fence) == ("sending", delivery.fence):
                told.state = {"sent": "sent", "retry": "ready", "bury": "dead"}[given.end]
                told.not_before = now + 20.0 if given.end == "retry" else told.not_before
                told.uncertain |= given.yes and given.end != "sent"

        self.step(job, given, change)

    def redrive_delivery(self, given: Given) -> None:
        id = self._delivery(given, "dead")
        if id is None:
            return

        def change(count: int) -> None:
            told = self.model.deliveries[id]
            assert count == (told.state == "dead")
            if count:
                told.state, told.attempts, told.not_before = "ready", 0, self.now

        self.step(lambda tx: self.house.store.redrive(tx, [id], self.now), given, change)

    # Time and death ---------------------------------------------------------------------------------------------

    def time_passes(self, given: Given) -> None:
        self.house.clock.advance(given.seconds)

    def clock_is_set(self, given: Given) -> None:
        by = given.seconds if given.yes else -given.seconds
        self.house.clock.set_by(by)

        def job(tx: Tx) -> None:
            for name in SHIFTS:
                tx.run(name, seconds=by)

        def change(_: object) -> None:
            for event in self.model.events.values():
                if event.state in ("pending", "running"):
                    event.not_before += by
            for told in self.model.deliveries.values():
                if told.state == "ready":
                    told.not_before += by

        self.step(job, given, change)

    def recover(self, given: Given) -> None:
        """The process dies between two steps, and the next one begins."""
        self.house.die()
        now, latest = self.now, self.now + 600.0

        def job(tx: Tx) -> tuple[int, int]:
            return journal.recover(tx, now, 600.0), self.house.store.recover(tx, now, latest)

        def change(found: tuple[int, int]) -> None:
            running = [event for event in self.model.events.values() if event.state == "running"]
            sending = [told for told in self.model.deliveries.values() if told.state == "sending"]
            assert found == (len(running), len(sending))
            for event in running:
                event.state = "pending"
            for event in self.model.events.values():
                if event.state == "pending" and event.not_before > now:
                    event.not_before = min(event.not_before, latest if event.attempts else now)
            for told in sending:
                told.state, told.uncertain, told.not_before = "ready", True, now
                told.attempts -= 1
            for told in self.model.deliveries.values():
                if told.state == "ready":
                    told.not_before = min(told.not_before, latest)

        change(self.house.write(job, durable=True))

    # What must be true after each step --------------------------------------------------------------------------

    @invariant()
    def the_books_balance(self) -> None:
        books, states = journal.books(self.house.read()), [event.state for event in self.model.events.values()]
        assert books.balanced
        assert books.accepted == len(states)
        assert (books.pending, books.running, books.succeeded, books.dead) == tuple(map(states.count, State))

    @invariant()
    def rows_are_as_the_model_says(self) -> None:
        reader = self.house.read()
        for id, known in self.model.events.items():
            event = journal.get(reader, id)
            assert event is not None
            assert known == Known(
                event.function, event.state, event.not_before, known.seq, event.attempts, event.leases, event.fence,
                event.finished, event.error["reason"] if event.error else None, event.result,
            )  # fmt: skip
        for name in FUNCTIONS:
            waiting = [e.not_before for e in self.model.events.values() if (e.function, e.state) == (name, "pending")]
            assert journal.next_due(reader, name) == min(waiting, default=None)
        for message, (_, _, state) in self.model.messages.items():
            found = self.house.store.message(message)
            assert found is not None
            assert found.state == state
        for number, told in self.model.deliveries.items():
            row = self.house.store.delivery(number)
            assert row is not None
            assert told == Told(
                row.message_id, row.state, row.not_before, row.attempts, row.fence, row.uncertain
            )  # fmt: skip

    @invariant()
    def each_accepted_message_has_one_delivery_and_no_other_has_one(self) -> None:
        accepted = sorted(id for id, (_, _, state) in self.model.messages.items() if state == "accepted")
        assert sorted(told.message for told in self.model.deliveries.values()) == accepted
        assert sum(self.house.store.counts()[state] for state in DeliveryState) == len(accepted)


JournalMachine.TestCase.settings = settings(
    max_examples=STORIES,
    stateful_step_count=STEPS,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
TestJournal = JournalMachine.TestCase
