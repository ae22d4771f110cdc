"""Dead letters: what was given up, why, and the way back."""

from __future__ import annotations

import asyncio

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from alight.console.forms import read_form, shows_again
from alight.console.render import Render
from alight.console.stories import LATEST, Stories, Wanted
from alight.console.world import World
from alight.store.journal import State

PAGE = 100


class DeadLetters:
    """`/dead-letters`: events of functions; deliveries have the outbox."""

    def __init__(self, world: World, render: Render) -> None:
        self._world = world
        self._render = render
        self._stories = Stories(world.database, world.outbox, world.telemetry)

    def routes(self) -> list[Route]:
        return [
            Route("/dead-letters", self.page),
            Route("/dead-letters/redrive", self.redrive, methods=["POST"]),
        ]

    async def page(self, request: Request) -> Response:
        before = request.query_params.get("before", "")
        until = float(before) if before.replace(".", "", 1).isdecimal() else LATEST
        await self._world.telemetry.flush()
        found = await asyncio.to_thread(self._stories.page, Wanted(outcome=State.DEAD.value, until=until), PAGE)
        deliveries = self._world.outbox.deliveries("dead", None, PAGE)
        return self._render.page(request, "dead.html", rows=found.rows, next=found.next, deliveries=deliveries)

    async def redrive(self, request: Request) -> Response:
        """The chosen ones; with `dry` only what would happen is said."""
        form = await read_form(request)
        ids = form.all("id")
        if not ids:
            raise HTTPException(400, "Nothing is chosen.")
        answer = await self._world.ask("events/redrive", {"ids": ids, "dry_run": bool(form["dry"])})
        if form["dry"]:
            return PlainTextResponse(f"{answer['count']} would be brought back, with all their attempts.")
        return shows_again(request)
