"""Now: what happens, as it happens; and what happened, page by page."""

from __future__ import annotations

import asyncio
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from alight.console.render import Render
from alight.console.stories import LATEST, Stories, Wanted
from alight.console.stream import Stream
from alight.console.world import World
from alight.names import function_arn

PAGE = 50
OUTCOMES = ("pending", "running", "succeeded", "dead", "answered")


class Now:
    """The first page."""

    def __init__(self, world: World, render: Render) -> None:
        self._world = world
        self._render = render
        self._stories = Stories(world.database, world.outbox, world.telemetry)
        self._stream = Stream(
            world.database,
            world.telemetry,
            self._stories,
            world.clock,
            lambda row: render.part("_story_row.html", row=row),
        )

    def routes(self) -> list[Route]:
        return [Route("/", self.page), Route("/stream", self.stream)]

    async def page(self, request: Request) -> Response:
        wanted = read_filter(request)
        await self._world.telemetry.flush()
        found = await asyncio.to_thread(self._stories.page, wanted, PAGE)
        functions = (await self._world.call("lambda", "ListFunctions", {}))["Functions"]
        return self._render.page(
            request,
            "now.html",
            rows=found.rows,
            next=found.next,
            given=dict(request.query_params),
            live=wanted.until == LATEST,
            functions=[one["FunctionName"] for one in functions],
            outcomes=OUTCOMES,
        )

    async def stream(self, request: Request) -> Response:
        lines = self._stream.follow(read_filter(request))
        return StreamingResponse(lines, media_type="text/event-stream", headers={"x-accel-buffering": "no"})

    async def close(self) -> None:
        await self._stream.close()


def read_filter(request: Request) -> Wanted:
    """What the query asks for; what cannot be read asks for nothing."""
    given = request.query_params
    return Wanted(
        function=function_arn(given["function"]) if given.get("function") else "",
        label=given.get("label", "").strip(),
        least=_number(given.get("least", "")) / 100,
        outcome=given.get("outcome", "") if given.get("outcome") in OUTCOMES else "",
        since=_moment(given.get("since", "")),
        until=_number(given.get("before", "")) or _moment(given.get("until", "")) or LATEST,
    )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _moment(text: str) -> float:
    """`2026-01-02T03:04`, as a date field sends it, with the zone that the page's script adds."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0
