"""Dead letters come back, handled events run again: what the command line may do to the queue."""

from __future__ import annotations

import asyncio
from typing import Any

from alight.admin.http import NotFound, Request
from alight.admin.story import Stories, event_summary
from alight.clock import Clock
from alight.errors import AlightError
from alight.events.takers import service_of
from alight.names import function_arn, new_request_id
from alight.services.lambda_.invocations import Queue
from alight.store import journal
from alight.store.database import Database, Tx
from alight.store.journal import Event, NewEvent, State

#: Events that one request may bring back.
MOST = 10_000


class Events:
    """The handlers under `events/`."""

    def __init__(self, database: Database, stories: Stories, queue: Queue, clock: Clock, max_age: float) -> None:
        self._database = database
        self._stories = stories
        self._queue = queue
        self._clock = clock
        self._max_age = max_age

    async def newest(self, request: Request) -> dict[str, object]:
        limit = max(min(int(request.query.get("limit", 50)), 1000), 1)
        found = await self._newest(request.query.get("state"), request.query.get("function", ""), limit + 1)
        return {
            "events": [event_summary(event) for event in found[:limit]],
            "next": found[limit].id if len(found) > limit else None,
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

    async def redrive(self, request: Request) -> dict[str, object]:
        """`{"ids": [...]}` or `{"filter": {"function": name}}`, with `dry_run`."""
        body = request.body or {}
        if "ids" in body:
            ids = [str(id) for id in body["ids"]]
            self._check_dead(ids)
        else:
            function = (body.get("filter") or {}).get("function", "")
            ids = [event.id for event in await self._newest("dead", function, MOST)]
        if not body.get("dry_run"):
            await self._bring_back(ids)
        return {"ids": ids, "count": len(ids)}

    def _check_dead(self, ids: list[str]) -> None:
        for id in ids:
            event = journal.get(self._database.read(), id)
            if event is None or event.state is not State.DEAD:
                raise AlightError(f"{id} is not a dead event.", "alight events list --state dead")

    async def _bring_back(self, ids: list[str]) -> None:
        now = self._clock.now()

        def job(tx: Tx) -> None:
            for id in ids:
                journal.redrive(tx, id, now, now + self._max_age)
            tx.after_commit(self._queue.wake)

        await self._database.write(job)

    async def _newest(self, state: str | None, function: str, limit: int) -> list[Event]:
        """Apart from the loop: among a million events, one function's few take a second to find."""
        try:
            wanted = State(state) if state else None
        except ValueError:
            raise AlightError(f"{state} is not a state of an event.", f"One of: {', '.join(State)}.") from None
        arn = function_arn(function) if function else ""
        return await asyncio.to_thread(
            self._database.run_apart, lambda reader: journal.newest(reader, state=wanted, function=arn, limit=limit)
        )
