"""What must be true of the journal once all is quiet, beside what the ledger has seen."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise

from alight.events.ended import SUCCESS
from alight.notifications.message import Protocol
from alight.notifications.policy import phases_of
from alight.services.lambda_.destinations import MOST_HOPS
from alight.store import journal
from alight.store.journal import AttemptRecord, Event, State
from alight.store.outbox import Delivery, DeliveryState, StoredMessage
from tests.sim.house import LETTERS, House
from tests.sim.ledger import SLACK, Broken
from tests.sim.world import LOOP, QUEUE, World

OVER = (DeliveryState.SENT, DeliveryState.DEAD, DeliveryState.HELD)


def rule(holds: object, text: str) -> None:
    if not holds:
        raise Broken(text)


def quiet(house: House) -> bool:
    """Whether nothing is left to do; the books must balance in any case."""
    reader = house.database.read()
    books = journal.books(reader)
    rule(books.balanced, f"the books do not balance: {books}")
    counts = house.store.counts()
    return not (books.pending or books.running or counts["ready"] or counts["sending"] or house.at_work)


class Audit:
    """Reads all rows once; each method looks at one kind of promise."""

    def __init__(self, world: World, house: House) -> None:
        self.world, self.ledger, self.house = world, world.ledger, house
        reader = house.database.read()
        listed = journal.newest(reader, limit=10_000)
        self.events = {event.id: found for event in listed if (found := journal.get(reader, event.id))}
        self.attempts = {id: journal.attempts(reader, id) for id in self.events}
        self.messages: dict[str, StoredMessage] = {}
        for event in self.events:
            self.messages |= {message.id: message for message in house.store.messages_of_event(event)}
        self.deliveries = {id: house.store.deliveries_of(id) for id in self.messages}
        self.with_letters = {target.endpoint for target in world.plan.targets if "RedrivePolicy" in target.settings}
        #: How often each text lies in a queue, and how often it should.
        self.wanted: Counter[str] = Counter()
        self.letters = {row.name: row.body["count"] for row in house.records.list(LETTERS)}

    def all(self) -> None:
        missing = self.ledger.answered - self.events.keys()
        rule(not missing, f"answered and lost: {missing}")
        for event in self.events.values():
            self._event(event)
            self._publishes(event)
            self._ends_told(event)
        for id, message in self.messages.items():
            self._deliveries(message, self.deliveries[id])
        if self.world.plan.deleted:
            # Whoever ended before his function was deleted has told, and later ones have not.
            self.letters = {name: count for name, count in self.letters.items() if name in self.wanted}
        rule(self.letters == self.wanted, f"in the queues lies {self.letters}, and should {self.wanted}")

    def _event(self, event: Event) -> None:
        rule(event.state in (State.SUCCEEDED, State.DEAD), f"{event.id} is {event.state} although all is quiet")
        if event.state is State.DEAD:
            rule(event.error and event.error.get("reason"), f"{event.id} is dead without a reason")
        records = self.attempts[event.id]
        successes = sum(record.outcome == "ok" for record in records)
        rule(successes == (event.state is State.SUCCEEDED), f"{event.id} is {event.state} with {successes} results")
        rule(len(records) == event.attempts, f"{event.id} counts {event.attempts} attempts, and kept {len(records)}")
        rule(event.attempts <= event.retries + 1, f"{event.id}: {event.attempts} attempts, {event.retries} retries")
        began = sum(id == event.id for id, _ in self.ledger.began)
        rule(began <= event.leases, f"{event.id} began {began} times under {event.leases} leases")
        rule(int(event.source.get("hop", 0)) <= MOST_HOPS, f"{event.id} is hop {event.source.get('hop')} of a loop")
        if not self.world.jumpy:
            self._spacing(event, records)

    def _spacing(self, event: Event, records: list[AttemptRecord]) -> None:
        function = self.world.plan.functions.get(event.function)
        delays = function.delays if function else ()
        for number, (before, record) in enumerate(pairwise(records)):
            delay = delays[min(number, len(delays) - 1)] if delays else 0.0
            early = before.ended + delay - record.started
            rule(early <= SLACK, f"retry {number + 1} of {event.id} came {early:.3f} s too early")

    def _publishes(self, event: Event) -> None:
        """What the deciding attempt staged has left, and nothing that another one staged."""
        decides = event.fence
        of_attempt: defaultdict[int, list[str]] = defaultdict(list)
        for publish in self.ledger.publishes:
            if publish.event != event.id:
                continue
            of_attempt[publish.fence].append(publish.message)
            message = self.messages.get(publish.message)
            if message is None and publish.staged and publish.fence != decides:
                # Held in memory for an attempt that a crash cut off.
                continue
            rule(message, f"a publish of {event.id} was answered and is lost")
            assert message is not None
            wanted = "accepted" if not publish.staged or publish.fence == decides else "discarded"
            rule(
                message.state == wanted,
                f"a publish of {event.id} under fence {publish.fence} is {message.state}, and fence {decides} decided",
            )
        told = of_attempt[decides]
        rule(len(told) == len(set(told)), f"{event.id} told {len(set(told))} messages, and has published {len(told)}")

    def _ends_told(self, event: Event) -> None:
        """Destinations and dead-letter queues: once for each end, in the transaction that records it."""
        function = self.world.plan.functions.get(event.function)
        if function is None or (self.world.plan.deleted and self.world.plan.deleted[0] == event.function):
            return
        ok = event.state is State.SUCCEEDED
        wanted = function.body["EventInvoke"]["DestinationConfig"].get("OnSuccess" if ok else "OnFailure")
        condition = SUCCESS if ok else (event.error or {})["reason"]
        if wanted and wanted["Destination"] == QUEUE:
            self.wanted[f"letters {event.id} {condition}"] += 1
        if not ok and function.body["Configuration"].get("DeadLetterConfig"):
            self.wanted[f"letters {event.id} letter"] += 1
        if ok and event.function == LOOP and int(event.source.get("hop", 0)) < MOST_HOPS:
            following = f"{event.id.partition('+')[0]}+{int(event.source.get('hop', 0)) + 1}"
            rule(following in self.events, f"{event.id} did not tell the next function")

    def _deliveries(self, message: StoredMessage, deliveries: list[Delivery]) -> None:
        rule(message.state != "staged", f"{message.body} is staged although its event has ended")
        wanted = len(self.world.plan.targets) if message.state == "accepted" else 0
        rule(
            len(deliveries) == wanted, f"{message.body} ({message.state}) has {len(deliveries)} deliveries of {wanted}"
        )
        for delivery in deliveries:
            self._delivery(message, delivery)

    def _delivery(self, message: StoredMessage, delivery: Delivery) -> None:
        what = f"delivery {delivery.id} to {delivery.target}"
        rule(delivery.state in OVER, f"{what} is {delivery.state} although all is quiet")
        rule(delivery.state is not DeliveryState.DEAD or delivery.reason, f"{what} is dead without a reason")
        retries = phases_of(Protocol(delivery.protocol)).retries
        rule(delivery.attempts <= retries + 1, f"{what}: {delivery.attempts} attempts, {retries} retries")
        rule(
            delivery.reason != "RetriesExhausted" or delivery.attempts == retries + 1,
            f"{what} was given up after {delivery.attempts} attempts, {retries} retries",
        )
        sent = delivery.state is DeliveryState.SENT
        if sent and delivery.protocol == "sqs":
            self.wanted[f"told {message.body}"] += 1
        if delivery.state is DeliveryState.DEAD and delivery.target in self.with_letters:
            self.wanted[f"letters {message.body}"] += 1
        if delivery.protocol == "lambda":
            rule(
                (f"told-{delivery.id}" in self.events) == sent, f"{what} is {delivery.state}, its event says otherwise"
            )
            rule(not delivery.uncertain, f"{what} is uncertain, though it stays in the house")
        elif delivery.protocol != "sqs":
            came = self.ledger.arrivals[delivery.target, message.id]
            rule(came or not sent, f"{what} is sent, and has not arrived")
            rule(came <= 1 or delivery.uncertain, f"{what} arrived {came} times and is not flagged")
            rule(not came or sent or delivery.uncertain, f"{what} is {delivery.state}, arrived and is not flagged")
