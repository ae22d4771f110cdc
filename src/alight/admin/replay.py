"""Objects that are already there, told again: a new model or a mended function meets what the old one has seen.

For each object the bucket's rules are asked as at its arrival, and every target that wants it gets the record of its
creation. A quiet replay keeps back what its functions publish; a comparing one waits for each function and sets its
answer and its messages beside those of the last time.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

from alight.admin.http import NotFound, Request
from alight.clock import Clock
from alight.errors import AlightError
from alight.events.event import CREATED_MULTIPART, CREATED_PUT, Change, encoded_key, payload
from alight.events.match import Rule, matching, rules
from alight.names import ACCOUNT, new_request_id
from alight.services.s3.ground import EVENT_OWNER_ID
from alight.services.targets import Targets
from alight.store import chosen, journal
from alight.store.database import Database, Reader, Tx
from alight.store.journal import Event, State
from alight.store.listing import list_objects
from alight.store.objects import ObjectStore
from alight.store.outbox import OutboxStore
from alight.store.shapes import ObjectRow

Json = dict[str, Any]

#: Objects that are told between two lines of progress, and that a comparing replay has under way at once.
BATCH = 50
#: Seconds between two looks whether a function has answered.
LOOK = 0.05
PAGE = 1000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to replay. `since` is in seconds since 1970, `sample` a number of objects (0: all), `rate` objects a second
    (0: at once)."""

    bucket: str
    prefix: str
    since: float
    sample: int
    rate: float
    dry_run: bool
    compare: bool
    quiet: bool


class Replay:
    """The handler of `alight events replay --bucket`."""

    def __init__(
        self, database: Database, objects: ObjectStore, outbox: OutboxStore, clock: Clock, targets: Targets
    ) -> None:
        self._database = database
        self._objects = objects
        self._outbox = outbox
        self._clock = clock
        self._targets = targets

    async def start(self, request: Request) -> AsyncIterator[Json]:
        """JSON lines: `{"matched"}` first, `{"told"}` after each batch, one `{"key", "same", ...}` for each comparison.

        Raises where the request makes no sense; ends where the client goes: what was told then is told.
        """
        wanted = _wanted(request.body or {})
        bucket = self._objects.get_bucket(wanted.bucket)
        if bucket is None:
            raise NotFound(f"There is no bucket {wanted.bucket}.", "alight status lists them.")
        every = rules(bucket.settings.get("notification") or {})
        if not every:
            raise AlightError(f"Bucket {wanted.bucket} tells nobody of its objects.", "Give it a notification first.")
        keys = await asyncio.to_thread(self._keys, wanted, every)
        return self._lines(wanted, every, keys)

    async def again(self, bucket: str, keys: list[str]) -> int:
        """Tell of these objects now, as the bucket's rules say; how many functions' events that made."""
        row = self._objects.get_bucket(bucket)
        every = rules(row.settings.get("notification") or {}) if row else ()
        wanted = Wanted(bucket, "", 0.0, 0, 0.0, dry_run=False, compare=False, quiet=False)
        return len(await self._database.write(lambda tx: self._tell(tx, wanted, every, keys)))

    def _keys(self, wanted: Wanted, every: tuple[Rule, ...]) -> list[str]:
        """The keys that somebody wants to hear of; of a sample, drawn evenly from all, in their order."""
        found: list[str] = []

        def look(reader: Reader) -> None:
            number = 0
            for row in self._all(reader, wanted):
                if not matching(every, _event_of(row), row.key):
                    continue
                number += 1
                if not wanted.sample or len(found) < wanted.sample:
                    found.append(row.key)
                elif (place := random.randrange(number)) < wanted.sample:
                    found[place] = row.key

        self._database.run_apart(look)
        return sorted(found, key=str.encode)

    def _all(self, reader: Reader, wanted: Wanted) -> Iterator[ObjectRow]:
        after = ""
        while page := list_objects(reader, wanted.bucket, wanted.prefix, after, PAGE):
            yield from (row for row in page if row.last_modified >= wanted.since)
            after = page[-1].key

    async def _lines(self, wanted: Wanted, every: tuple[Rule, ...], keys: list[str]) -> AsyncIterator[Json]:
        yield {"matched": len(keys)}
        if wanted.dry_run:
            for key in keys:
                yield {"key": key}
            return
        earlier = await asyncio.to_thread(self._earlier, wanted) if wanted.compare else {}
        pause, told = 1 / wanted.rate if wanted.rate else 0.0, 0
        size = max(1, min(BATCH, int(wanted.rate))) if wanted.rate else BATCH
        for start in range(0, len(keys), size):
            batch = keys[start : start + size]
            until = self._clock.monotonic() + pause * len(batch)
            made = await self._database.write(lambda tx, batch=batch: self._tell(tx, wanted, every, batch))  # type: ignore[misc]
            told += len(batch)
            yield {"told": told}
            if wanted.compare:
                for event in made:
                    yield self._compared(await self._ended(event), earlier)
            if (rest := until - self._clock.monotonic()) > 0 and told < len(keys):
                await self._clock.sleep(rest)

    def _tell(self, tx: Tx, wanted: Wanted, every: tuple[Rule, ...], keys: list[str]) -> list[str]:
        """The ids of the events that functions got. An object that has gone since is passed over."""
        made = []
        for key in keys:
            row = self._objects.get(wanted.bucket, key, tx)
            if row is None:
                continue
            change = _change(row)
            for rule in matching(every, change.name, key):
                source = {"replay": True, "quiet": wanted.quiet}
                made.append(self._targets.emit(tx, rule.target, payload(change, rule.id), rule, source))
        return [event for event in made if event]

    async def _ended(self, id: str) -> Event:
        while True:
            event = journal.get(self._database.read(), id)
            if event is None:
                raise NotFound(f"Event {id} has gone.")
            if event.state in (State.SUCCEEDED, State.DEAD):
                return event
            await self._clock.sleep(LOOK)

    def _earlier(self, wanted: Wanted) -> dict[tuple[str, str], str]:
        """For each function and key the last event that was handled before this replay."""
        prefix = encoded_key(wanted.prefix)
        found = self._database.run_apart(lambda reader: chosen.last_of_objects(reader, wanted.bucket, prefix))
        return {(row["function"], row["key"]): row["id"] for row in found}

    def _compared(self, event: Event, earlier: dict[tuple[str, str], str]) -> Json:
        key = str(event.source.get("key", ""))
        id = earlier.get((event.function, key))
        before = journal.get(self._database.read(), id) if id else None
        new, old = self._said(event), self._said(before) if before else None
        return {
            "key": key,
            "function": event.function.rpartition(":")[2],
            "event": event.id,
            "same": None if old is None else old == new,
            "old": old,
            "new": new,
        }

    def _said(self, event: Event) -> Json:
        """What a function made of an event: its answer or error, and the messages of its deciding attempt."""
        messages = [
            message.body for message in self._outbox.messages_of_event(event.id) if message.fence == event.fence
        ]
        result = None if event.result is None else event.result.decode("utf-8", "replace")
        return {"state": event.state.value, "result": result, "error": event.error, "messages": messages}


def _wanted(body: Json) -> Wanted:
    try:
        wanted = Wanted(
            bucket=str(body["bucket"]),
            prefix=str(body.get("prefix") or ""),
            since=float(body.get("since") or 0.0),
            sample=int(body.get("sample") or 0),
            rate=float(body.get("rate") or 0.0),
            dry_run=bool(body.get("dry_run")),
            compare=bool(body.get("compare")),
            quiet=bool(body.get("quiet")),
        )
    except (KeyError, ValueError, TypeError):
        raise AlightError("The replay names no bucket, or a number that is none.") from None
    if wanted.rate < 0 or wanted.sample < 0:
        raise AlightError("Rate and sample are not below zero.")
    return wanted


def _event_of(row: ObjectRow) -> str:
    return CREATED_MULTIPART if row.parts else CREATED_PUT


def _change(row: ObjectRow) -> Change:
    """The creation of the object as it is now: its own time, size, ETag and sequencer, so that functions that compare
    sequencers see that it is not news."""
    return Change(
        name=_event_of(row),
        bucket=row.bucket,
        key=row.key,
        when=row.last_modified,
        request_id=new_request_id(),
        principal_id=ACCOUNT,
        source_ip="127.0.0.1",
        owner_id=EVENT_OWNER_ID,
        size=row.size,
        etag=row.etag,
        sequencer=row.sequencer,
        version_id=row.version_id if row.versioned else None,
    )
