"""The event queue: what was accepted, who holds it, what became of it.

An event is accepted in the transaction of the object that caused it, leased under a fence to one attempt at a
time, and ends as `succeeded` or `dead`. Every transition is a compare-and-set on state and fence, so the late
result of an attempt that was given up changes nothing. The books balance at any time:
accepted = pending + running + succeeded + dead.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from alight.errors.store import Damaged
from alight.store.mending import mend_events, run_or_mend
from alight.store.rows import Reader, Row, Tx

#: The counter of events that were handled, told and forgotten.
FORGOTTEN = "events.forgotten"
#: The reason of what a flipped bit has made of an event, or of what is known of its last attempt.
DAMAGED = "Damaged"


class State(StrEnum):
    """Where an event stands."""

    PENDING = "pending"  # accepted, waits for a free worker or for its next attempt
    RUNNING = "running"  # leased to one attempt
    SUCCEEDED = "succeeded"  # handled; its result is recorded
    DEAD = "dead"  # given up, kept with its reason until somebody redrives it


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An asynchronous invocation to be. `function` is the unqualified or qualified ARN; `source` says what caused
    it (for people); `retries` counts the attempts after the first; `expires` is in seconds since 1970."""

    id: str
    function: str
    payload: bytes
    source: Row
    accepted: float
    expires: float
    retries: int = 2


@dataclass(frozen=True, slots=True)
class Event:
    """One row of the queue. `attempts` counts those that ended, `leases` those that began."""

    seq: int
    id: str
    function: str
    payload: bytes
    source: Row
    state: State
    attempts: int
    leases: int
    fence: int
    not_before: float
    accepted: float
    expires: float
    retries: int
    finished: float | None = None
    error: Row | None = None
    result: bytes | None = None


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """What became of one attempt; `error` is Lambda's error object where there is one."""

    event_id: str
    fence: int
    request_id: str
    started: float
    ended: float
    outcome: str
    error: Row | None = None


@dataclass(frozen=True, slots=True)
class Books:
    """The count of every event ever accepted, less those that were forgotten after their time, by state."""

    accepted: int
    pending: int
    running: int
    succeeded: int
    dead: int

    @property
    def balanced(self) -> bool:
        return self.accepted == self.pending + self.running + self.succeeded + self.dead


def accept(tx: Tx, event: NewEvent) -> None:
    """Queue an event; durable when the transaction is."""
    _accept(tx, event, State.PENDING, leases=0)


def accept_leased(tx: Tx, event: NewEvent) -> Event:
    """The same of an event for which somebody waits: it is leased from the beginning."""
    _accept(tx, event, State.RUNNING, leases=1)
    return Event(
        seq=tx.last_row,
        id=event.id,
        function=event.function,
        payload=event.payload,
        source=event.source,
        state=State.RUNNING,
        attempts=0,
        leases=1,
        fence=1,
        not_before=event.accepted,
        accepted=event.accepted,
        expires=event.expires,
        retries=event.retries,
    )


def _accept(tx: Tx, event: NewEvent, state: State, leases: int) -> None:
    tx.run(
        "journal.accept",
        id=event.id,
        function=event.function,
        payload=event.payload,
        source=json.dumps(event.source),
        state=state.value,
        leases=leases,
        accepted=event.accepted,
        expires=event.expires,
        retries=event.retries,
    )


def lease(tx: Tx, function: str, limit: int, now: float) -> list[Event]:
    """Take up to `limit` due events, oldest first; each comes with the fence of this attempt."""
    leased = []
    due = tx.all("journal.due", function=function, limit=limit, now=now)
    if len(due) < limit:
        # Damaged rows are left out of `due`; buried, they no longer stand before others.
        for row in tx.all("journal.bury_damaged", function=function, limit=limit, now=now):
            # Staged by an attempt that failed, or that a crash has cut off.
            tx.run("outbox.discard_event", event_id=row["id"])
    for row in due:
        tx.run("journal.lease", seq=row["seq"])
        if not tx.changes:
            mend_events(tx, now)
            continue
        event = _event(row | {"state": "running", "leases": row["leases"] + 1, "fence": row["fence"] + 1})
        if event.error is not None and event.error.get("reason") == DAMAGED:
            # What the last attempt has said is for people: the event is whole, and runs.
            tx.report(Damaged("error of event", event.id))
        leased.append(event)
    return leased


def lease_next(tx: Tx, function: str, now: float) -> Event | None:
    """The oldest due event, in a job that must not fail by it; None where none is due, or where it cannot be read:
    whoever looks for it finds out."""
    leased = tx.apart(lambda: lease(tx, function, 1, now))
    return leased[0] if leased else None


def succeed(tx: Tx, event: Event, now: float, result: bytes) -> bool:
    """Record the result; False where the lease is no longer this attempt's."""
    return _finish(tx, event, State.SUCCEEDED, now, result=result)


def give_up(tx: Tx, event: Event, now: float, error: Row, *, attempted: bool) -> bool:
    """Make a leased event a dead letter; `error` holds `reason` and the last error. `attempted` says whether the
    function ran under this lease."""
    return _finish(tx, event, State.DEAD, now, error=error, attempted=attempted)


def _finish(
    tx: Tx,
    event: Event,
    state: State,
    now: float,
    *,
    error: Row | None = None,
    result: bytes | None = None,
    attempted: bool = True,
) -> bool:
    tx.run(
        "journal.finish",
        id=event.id,
        fence=event.fence,
        state=state.value,
        now=now,
        error=_json(error),
        result=result,
        attempted=int(attempted),
    )
    return tx.changes == 1


def retry(tx: Tx, event: Event, not_before: float, error: Row) -> bool:
    """Queue again after a failed attempt; False where the lease is no longer this attempt's."""
    tx.run("journal.retry", id=event.id, fence=event.fence, not_before=not_before, error=_json(error))
    return tx.changes == 1


def hand_back(tx: Tx, event: Event, not_before: float, error: Row | None) -> bool:
    """Queue again without counting an attempt; `error` is the last that is known."""
    tx.run("journal.hand_back", id=event.id, fence=event.fence, not_before=not_before, error=_json(error))
    return tx.changes == 1


def bury_due(tx: Tx, function: str, now: float, error: Row, limit: int = 100) -> list[str]:
    """Make up to `limit` due events of a function dead letters without an attempt; their ids. `error` is laid over what
    the last attempt has said."""
    return [row["id"] for row in tx.all("journal.bury", function=function, now=now, error=_json(error), limit=limit)]


def record_attempt(tx: Tx, attempt: AttemptRecord) -> None:
    """Keep what became of an attempt, for the story."""
    tx.run(
        "journal.attempted",
        event_id=attempt.event_id,
        fence=attempt.fence,
        request_id=attempt.request_id,
        started=attempt.started,
        ended=attempt.ended,
        outcome=attempt.outcome,
        error=_json(attempt.error),
    )


def recover(tx: Tx, now: float, longest_delay: float) -> int:
    """After a start: what was running waits again; what was not tried yet is due now, and no retry waits longer than
    `longest_delay` seconds, however the clock was set."""
    if tx.one("journal.unknown"):
        mend_events(tx, now)
    recovered = run_or_mend(tx, lambda: mend_events(tx, now), "journal.recover")
    tx.run("journal.clamp", now=now, latest=now + longest_delay)
    return recovered


def redrive(tx: Tx, event_id: str, now: float, expires: float) -> bool:
    """Start a dead event anew; False where it is not dead, or damaged."""
    tx.run("journal.redrive", id=event_id, now=now, expires=expires)
    return tx.changes == 1


def old(reader: Reader, after: int, before: float, limit: int = 1000) -> tuple[list[Row], int | None]:
    """Handled events behind `after` (a seq) that ended before `before`, and where to look on; None at the end.

    Dead ones are never old: they wait for somebody.
    """
    page = reader.all("journal.page", after=after, limit=limit)
    found = [row for row in page if row["state"] == State.SUCCEEDED and row["finished"] < before]
    ended = len(page) < limit or page[-1]["accepted"] >= before
    return found, None if ended else page[-1]["seq"]


def forget(tx: Tx, rows: list[Row]) -> None:
    """Drop what `old` found, keeping the books balanced."""
    forgotten = 0
    for row in rows:
        tx.run("journal.forget", seq=row["seq"])
        forgotten += tx.changes
        tx.run("journal.forget_attempts", id=row["id"])
    tx.run("counters.add", name=FORGOTTEN, number=forgotten)


#: Under way there are few as a rule, and for a short time; what is over has an index of its own.
_LISTS = {
    State.PENDING: "journal.newest_under_way",
    State.RUNNING: "journal.newest_under_way",
    State.SUCCEEDED: "journal.newest_over",
    State.DEAD: "journal.newest_over",
}


def get(reader: Reader, event_id: str) -> Event | None:
    row = reader.one("journal.get", id=event_id)
    return _event(row) if row else None


def chain(reader: Reader, cause: str) -> dict[str, int]:
    """How often each function was called in the chain up to an event (its id), or up to what says so itself (JSON);
    empty where it is not known (any more)."""
    if cause.startswith("{"):
        said = _unjson(cause) or {}
        return {} if said.get("reason") == DAMAGED else said
    row = reader.one("journal.cause", id=cause)
    return ((_unjson(row["source"]) or {}).get("chain") or {row["function"]: 1}) if row else {}


def newest(
    reader: Reader, *, state: State | None = None, function: str = "", before: int = 1 << 62, limit: int = 50
) -> list[Event]:
    """Events from the newest back, with empty payloads; page on with `before=events[-1].seq`.

    `function` is an ARN; empty for all. Without a qualifier it stands for those with one too.
    """
    given = {"before": before, "limit": limit}
    if state is None and not function:
        rows = reader.all("journal.newest", **given)
    else:
        wanted = (state,) if state else tuple(State)
        found = [reader.all(_LISTS[one], state=one.value, function=function, **given) for one in wanted]
        # One that moved on between two questions is there twice; the later answer counts.
        rows = sorted({row["seq"]: row for rows in found for row in rows}.values(), key=lambda row: -row["seq"])[:limit]
    return [_event({"payload": b"", "result": None} | row) for row in rows]


def some(reader: Reader, ids: Sequence[str]) -> list[Event]:
    """Those of these events that there are, with empty payloads, in the order of their acceptance."""
    rows = reader.all("journal.some", ids=json.dumps(list(ids)))
    return [_event({"payload": b"", "result": None} | row) for row in rows]


def last_seq(reader: Reader) -> int:
    """That of the newest event; 0 where there is none."""
    row = reader.one("journal.last_seq")
    return (row["seq"] or 0) if row else 0


def attempts(reader: Reader, event_id: str) -> list[AttemptRecord]:
    rows = reader.all("journal.attempts", event_id=event_id)
    return [
        AttemptRecord(
            event_id=row["event_id"],
            fence=row["fence"],
            request_id=row["request_id"],
            started=row["started"],
            ended=row["ended"],
            outcome=row["outcome"],
            error=_unjson(row["error"]),
        )
        for row in rows
    ]


def functions_with_work(reader: Reader) -> list[str]:
    """The functions that have pending events, by a seek each."""
    found: list[str] = []
    while row := reader.one("journal.next_function", after=found[-1] if found else ""):
        found.append(row["function"])
    return found


def next_due(reader: Reader, function: str) -> float | None:
    """When the function's first pending event may run, in seconds since 1970."""
    row = reader.one("journal.next_due", function=function)
    return row["not_before"] if row else None


def books(reader: Reader) -> Books:
    """Both sides of the books: a look at every event. Exact where `reader` reads of one moment (`run_apart`)."""
    counts = {row["state"]: row["events"] for row in reader.all("journal.count")}
    total = reader.one("journal.accepted")
    forgotten = reader.one("counters.get", name=FORGOTTEN)
    return Books(
        accepted=(total["accepted"] if total else 0) - (forgotten["value"] if forgotten else 0),
        pending=counts.get("pending", 0),
        running=counts.get("running", 0),
        succeeded=counts.get("succeeded", 0),
        dead=counts.get("dead", 0),
    )


def _event(row: Row) -> Event:
    return Event(
        seq=row["seq"],
        id=row["id"],
        function=row["function"],
        payload=row["payload"],
        source=_unjson(row["source"]) or {},
        state=State(row["state"]),
        attempts=row["attempts"],
        leases=row["leases"],
        fence=row["fence"],
        not_before=row["not_before"],
        accepted=row["accepted"],
        expires=row["expires"],
        retries=row["retries"],
        finished=row["finished"],
        error=_unjson(row["error"]),
        result=row["result"],
    )


def _json(value: Row | None) -> str | None:
    return None if value is None else json.dumps(value)


def _unjson(text: str | None) -> Row | None:
    """What a torn one still says is for people."""
    try:
        return None if text is None else json.loads(text)
    except ValueError:
        return {"reason": DAMAGED, "errorMessage": text}
