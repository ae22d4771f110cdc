"""The accountant: books outside the blast radius of what is broken, and the comparison of four ledgers at quiet.

1. what the client asked, and what it was answered (`ask`, `answer`);
2. what handlers began to do (`attempt`: each line is written by the handler itself, before it does anything else);
3. what arrived at webhook, mailbox and phone (`arrival`);
4. what the instance's own database says, read once the instance has stopped.

Every line is on disk before the one who wrote it goes on. A key is asked for once and never again, so an answered key
is exactly one event, an unanswered one at most one. What a handler tells begins with three words: the object's key,
the event's id, and a word that only this attempt knows, so two messages are told apart at a phone, too.

Every test that breaks the real runtime keeps these books, and prints the one table. What a run does without (channels
that nobody has, handlers of others that note nothing) it says in its `Terms`.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote_plus

CHANNELS = ("webhook", "email", "sms")
ENDED = ("succeeded", "dead")
WAITING = "waiting at the end"
PROTOCOLS = {"http": "webhook", "https": "webhook", "email": "email", "sms": "sms"}


class Books:
    """One file of JSON lines; any thread and any process may append."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)

    def note(self, kind: str, **fields: Any) -> None:
        """On disk when it returns; one write, so lines never mix."""
        os.write(self._file, (json.dumps({"kind": kind, **fields}) + "\n").encode())
        os.fdatasync(self._file)

    def note_all(self, kind: str, keys: Iterable[str]) -> None:
        """Many of one kind at once, where nothing can happen in between."""
        os.write(self._file, "".join(json.dumps({"kind": kind, "key": key}) + "\n" for key in keys).encode())
        os.fdatasync(self._file)

    def arrive(self, channel: str, id: str, text: str) -> None:
        """A message came in at a sink; `id` is what the channel carries to tell a repeat (nothing on a phone)."""
        key, event, word = text.split()[:3]
        self.note("arrival", channel=channel, id=id or word, key=key, event=event, word=word)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path.read_text().splitlines()]

    def close(self) -> None:
        os.close(self._file)


class Event(NamedTuple):
    """One of the journal. `called` where it is no object's, but a caller's."""

    id: str
    key: str
    state: str
    leases: int
    called: bool = False


@dataclass(frozen=True)
class Ledger:
    """The instance's own: events, deliveries (event, channel, state, uncertain), objects."""

    events: list[Event]
    deliveries: list[tuple[str, str, str, bool]]
    objects: set[str]


@dataclass(frozen=True)
class Terms:
    """What a run has of what is compared."""

    channels: tuple[str, ...] = CHANNELS
    #: Whether handlers note what they begin.
    attempts: bool = True
    #: Whether it ends while events wait: then these are no loss.
    waiting: bool = False
    #: Whether each event is of an object that was put; not where events were written by SQL.
    objects: bool = True


ALL = Terms()


def _event(id: str, payload: bytes, state: str, leases: int) -> Event:
    """Its key is its object's, or what the caller has named `key`."""
    told = json.loads(payload)
    if "Records" not in told:
        return Event(id, told["key"], state, leases, called=True)
    return Event(id, unquote_plus(told["Records"][0]["s3"]["object"]["key"]), state, leases)


def read_ledger(data: Path, bucket: str) -> Ledger:
    """From the database of an instance that has stopped."""
    found = sqlite3.connect(f"file:{data / 'alight.db'}?mode=ro", uri=True)
    try:
        events = [_event(*row) for row in found.execute("SELECT id, payload, state, leases FROM events")]
        deliveries = [
            (event, PROTOCOLS[protocol], state, bool(uncertain))
            for event, protocol, state, uncertain in found.execute(
                "SELECT m.event_id, d.protocol, d.state, d.uncertain FROM deliveries d"
                " JOIN messages m ON m.id = d.message_id WHERE m.kind = 'Notification'"
            )
        ]
        objects = {key for (key,) in found.execute("SELECT key FROM objects WHERE bucket = ?", (bucket,))}
    finally:
        found.close()
    return Ledger(events, deliveries, objects)


@dataclass
class Balance:
    """What the comparison found: `numbers` for people, `wrong` in words (empty where the books balance)."""

    numbers: dict[str, int]
    wrong: list[str] = field(default_factory=list)

    def table(self, seed: int | None = None) -> str:
        """One table, with the seed that repeats the run (where something was drawn) and all that is wrong."""
        rows: list[tuple[str, int | str]] = [
            ("seed", "none" if seed is None else seed),
            *self.numbers.items(),
            ("differences", len(self.wrong)),
        ]
        lines = [f"| {name:<44} | {number:>10} |" for name, number in rows]
        return "\n".join(["", *lines, *(f"! {line}" for line in self.wrong)])


def balance(lines: Iterable[dict[str, Any]], ledger: Ledger, terms: Terms = ALL) -> Balance:
    """Compare what was noted with the instance's ledger."""
    noted: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in lines:
        noted[line["kind"]].append(line)
    asked = {line["key"] for line in noted["ask"]}
    answered = {line["key"] for line in noted["answer"] if line["status"] == 200}
    of_key: dict[str, list[str]] = defaultdict(list)
    for event in ledger.events:
        of_key[event.key].append(event.id)
    wrong = _events(asked, answered, of_key)
    if terms.objects:
        deleted = {line["key"] for line in noted["delete"]}
        wrong += _objects(ledger, of_key.keys(), deleted)
    states = Counter(event.state for event in ledger.events)
    ended = states["succeeded"] + states["dead"]
    if not terms.waiting:
        wrong += [f"{event.key} is stuck: {event.state}" for event in ledger.events if event.state not in ENDED]
    if terms.attempts:
        wrong += _attempts(noted["attempt"], ledger)
    told = _Told(noted["arrival"], of_key)
    wrong += told.compare(ledger, terms.channels)
    numbers = {
        "asked": len(asked),
        "answered with 200": len(answered),
        "kills": len(noted["kill"]),
        "pauses": len(noted["pause"]),
        "other faults": len(noted["fault"]),
        "events": len(ledger.events),
        "of them succeeded": states["succeeded"],
        "of them dead letters": states["dead"],
        "answered, and lost": len(answered - of_key.keys()),
        WAITING if terms.waiting else "stuck": len(ledger.events) - ended,
        "attempts begun by handlers": len(noted["attempt"]),
        "arrivals": len(noted["arrival"]),
        "told under two keys": told.two_keys,
        "repeats of one key, flagged as uncertain": told.flagged,
        "repeats of one key, not flagged": told.unflagged,
        "deliveries flagged as uncertain": sum(uncertain for *_, uncertain in ledger.deliveries),
    }
    return Balance(numbers, wrong)


def _events(asked: set[str], answered: set[str], of_key: dict[str, list[str]]) -> list[str]:
    wrong = [f"{key} was answered with 200 and has no event" for key in sorted(answered - of_key.keys())]
    wrong += [f"{key} is {len(ids)} events" for key, ids in of_key.items() if len(ids) > 1]
    return wrong + [f"{key} has an event, and nobody asked for it" for key in sorted(of_key.keys() - asked)]


def _objects(ledger: Ledger, known: Set[str], deleted: set[str]) -> list[str]:
    told = {event.key for event in ledger.events if not event.called}
    wrong = [f"{key} is an object without its event" for key in sorted(ledger.objects - known)]
    return wrong + [f"{key} is an event without its object" for key in sorted(told - ledger.objects - deleted)]


def _attempts(attempts: list[dict[str, Any]], ledger: Ledger) -> list[str]:
    """Whoever succeeded was worked on; nobody was worked on more often than the journal has leases for it."""
    begun = Counter(line["event"] for line in attempts)
    known = {event.id for event in ledger.events}
    wrong = [f"event {id} was worked on and is not in the journal" for id in begun.keys() - known]
    for event in ledger.events:
        if begun[event.id] > event.leases:
            wrong.append(f"{event.key} was worked on {begun[event.id]} times with {event.leases} leases")
        if event.state == "succeeded" and not begun[event.id]:
            wrong.append(f"{event.key} succeeded, and no handler has worked on it")
    return wrong


class _Told:
    """Arrivals by event and channel, compared with the outbox."""

    def __init__(self, arrivals: list[dict[str, Any]], of_key: dict[str, list[str]]) -> None:
        """What a handler of others tells names no event, only its object."""
        self.two_keys = self.flagged = self.unflagged = 0
        self._ids: dict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)
        self._count: dict[tuple[str, str], int] = defaultdict(int)
        for line in arrivals:
            place = line["event"] or next(iter(of_key.get(line["key"], [])), line["key"]), line["channel"]
            self._ids[place].add((line["id"], line["word"]))
            self._count[place] += 1

    def compare(self, ledger: Ledger, channels: tuple[str, ...]) -> list[str]:
        wrong = [
            f"a {channel} for {event} is {state}"
            for event, channel, state, _ in ledger.deliveries
            if state != "sent" and channel in channels
        ]
        uncertain = {(event, channel) for event, channel, _, flagged in ledger.deliveries if flagged}
        keys = {event.id: (event.key, event.state) for event in ledger.events}
        wrong += [
            f"{channel} was told of {event}, which is no event" for event, channel in self._ids if event not in keys
        ]
        for id, (key, state) in keys.items():
            for channel in channels:
                place = id, channel
                if state == "succeeded" and not self._count[place]:
                    wrong.append(f"{key} succeeded, and {channel} was not told")
                wrong += self._repeats(place, key, place in uncertain)
        return wrong

    def _repeats(self, place: tuple[str, str], key: str, flagged: bool) -> list[str]:
        """Two messages of one event are a defect; one message twice is one unless it says that it may be."""
        if len(self._ids[place]) > 1:
            self.two_keys += 1
            return [f"{key} was told to {place[1]} under {len(self._ids[place])} keys"]
        repeats = max(self._count[place] - 1, 0)
        if repeats and not flagged:
            self.unflagged += repeats
            return [f"{key} was told to {place[1]} {repeats + 1} times, and none is flagged"]
        self.flagged += repeats
        return []
