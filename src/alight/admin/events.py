"""Dead letters come back, handled events run again: what the command line may do to the queue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from alight.admin.http import NotFound, Request
from alight.admin.numbers import positive, whole
from alight.admin.story import Stories, event_summary
from alight.clock import Clock
from alight.errors import AlightError
from alight.events.event import encoded_key
from alight.events.takers import service_of
from alight.names import function_arn, new_request_id
from alight.services.lambda_.invocations import Queue
from alight.store import chosen, journal
from alight.store.database import Database, Reader, Tx
from alight.store.journal import Event, NewEvent, State

#: Events that one transaction brings back: others need the writer, too.
BATCH = 500
#: What dead events are chosen by.
FILTERS = frozenset({"function", "reason", "since", "before", "bucket", "prefix"})


class Events:
    """The handlers under `events/`."""

    def __init__(self, database: Database, stories: Stories, queue: Queue, clock: Clock, max_age: float) -> None:
        self._database = database
        self._stories = stories
        self._queue = queue
        self._clock = clock
        self._max_age = max_age

    async def newest(self, request: Request) -> dict[str, object]:
        """A page, newest first: `state`, `function`, `limit`, and `before`, an id; `next` is the `before` of the next
        page."""
        query, limit = request.query, max(min(whole(request.query, "limit", 50), 1000), 1)
        found = await self._newest(query.get("state"), query.get("function", ""), query.get("before"), limit + 1)
        return {
            "events": [event_summary(event) for event in found[:limit]],
            "next": found[limit - 1].id if len(found) > limit else None,
        }

    async def show(self, request: Request) -> dict[str, object]:
        return self._stories.show(request.path["id"])

    async def explain(self, request: Request) -> dict[str, object]:
        return await self._stories.explain(request.path["id"])

    async def replay(self, request: Request) -> dict[str, object]:
        """Accept an event's payload once more, as a new event."""
        event = journal.get(self._database.read(), request.path["id"])
        if event is None:
            raise NotFound(f"There is no event {request.path['id']}.", "alight events list shows ids.")
        made = new_request_id()
        source = event.source | {"replay_of": event.id}
        if service_of(event.function) == "lambda":
            await self._database.write(
                lambda tx: self._queue.accept(tx, event.function, event.payload, request_id=made, source=source)
            )
        else:
            await self._accept_again(event, made, source)
        return {"id": made}

    async def _accept_again(self, event: Event, made: str, source: dict[str, Any]) -> None:
        """An endpoint's inference: all that it needs stands in it."""
        now = self._clock.now()
        expires = now + event.expires - event.accepted
        again = NewEvent(made, event.function, event.payload, source, now, expires, event.retries)

        def job(tx: Tx) -> None:
            journal.accept(tx, again)
            tx.after_commit(self._queue.wake)

        await self._database.write(job)

    async def redrive(self, request: Request) -> dict[str, object] | AsyncIterator[dict[str, object]]:
        """`{"ids": [...]}` or `{"filter": {"function", "reason", "since", "before", "bucket", "prefix"}}`, with
        `dry_run`. With `rate` (events a second) the answer is JSON lines: `{"matched"}` first, `{"redriven"}` after
        each batch; where the client goes, what was brought back then is."""
        body = request.body or {}
        rate = positive(body, "rate")
        if "ids" in body:
            ids = [str(id) for id in body["ids"]]
            self._check_dead(ids)
        else:
            ids = await self._dead(body.get("filter") or {})
        if rate and not body.get("dry_run"):
            return self._bring_back_slowly(ids, rate)
        count = len(ids)
        if not body.get("dry_run"):
            count = sum([await self._bring_back(ids[start : start + BATCH]) for start in range(0, len(ids), BATCH)])
        return {"ids": ids, "count": count}

    async def _dead(self, given: dict[str, Any]) -> list[str]:
        if unknown := sorted(set(given) - FILTERS):
            raise AlightError(f"Dead events are not chosen by {unknown[0]}.", f"By {', '.join(sorted(FILTERS))}.")
        reason, bucket = (str(given.get(name) or "") for name in ("reason", "bucket"))
        since, before = positive(given, "since"), positive(given, "before")
        function, prefix = str(given.get("function") or ""), encoded_key(str(given.get("prefix") or ""))
        arn = function_arn(function) if function and ":" not in function else function

        def look(reader: Reader) -> list[str]:
            return chosen.dead(
                reader, function=arn, reason=reason, since=since, before=before, bucket=bucket, prefix=prefix
            )

        return await asyncio.to_thread(self._database.run_apart, look)

    async def _bring_back_slowly(self, ids: list[str], rate: float) -> AsyncIterator[dict[str, object]]:
        yield {"matched": len(ids)}
        size, done = max(1, min(BATCH, int(rate))), 0
        for start in range(0, len(ids), size):
            batch = ids[start : start + size]
            until = self._clock.monotonic() + len(batch) / rate
            done += await self._bring_back(batch)
            yield {"redriven": done}
            if (rest := until - self._clock.monotonic()) > 0 and start + size < len(ids):
                await self._clock.sleep(rest)

    def _check_dead(self, ids: list[str]) -> None:
        for id in ids:
            event = journal.get(self._database.read(), id)
            if event is None or event.state is not State.DEAD:
                raise AlightError(f"{id} is not a dead event.", "alight events list --state dead")

    async def _bring_back(self, ids: list[str]) -> int:
        """How many were still dead, and whole."""
        now = self._clock.now()

        def job(tx: Tx) -> int:
            tx.after_commit(self._queue.wake)
            return sum(journal.redrive(tx, id, now, now + self._max_age) for id in ids)

        return await self._database.write(job)

    async def _newest(self, state: str | None, function: str, before: str | None, limit: int) -> list[Event]:
        """Apart from the loop: among a million events, one function's few take a second to find."""
        try:
            wanted = State(state) if state else None
        except ValueError:
            raise AlightError(f"{state} is not a state of an event.", f"One of: {', '.join(State)}.") from None
        arn = function_arn(function) if function else ""
        behind = journal.some(self._database.read(), [before]) if before else []
        if before and not behind:
            raise NotFound(f"There is no event {before}.", "alight events list shows ids.")
        seq = behind[0].seq if behind else 1 << 62
        return await asyncio.to_thread(
            self._database.run_apart,
            lambda reader: journal.newest(reader, state=wanted, function=arn, before=seq, limit=limit),
        )
