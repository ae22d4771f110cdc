"""One event's story: its picture, what the model said, a timeline drawn to scale, log lines, messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alight.console.forms import goes_to
from alight.console.render import Render
from alight.console.stories import IMAGES
from alight.console.world import Json, World
from alight.errors import AlightError

#: Width of the timeline in its own units.
WIDTH = 1000.0


@dataclass(frozen=True, slots=True)
class Bar:
    """One step of the timeline: `x` and `width` of WIDTH, `depth` 0 for attempts, 1 for what they did."""

    name: str
    detail: str
    kind: str
    start: float
    duration: float
    x: float
    width: float
    depth: int


class Story:
    """`/stories/ID`, and what its buttons do."""

    def __init__(self, world: World, render: Render) -> None:
        self._world = world
        self._render = render

    def routes(self) -> list[Route]:
        return [
            Route("/stories/{id}", self.page),
            Route("/stories/{id}/replay", self.replay, methods=["POST"]),
            Route("/stories/{id}/redrive", self.redrive, methods=["POST"]),
        ]

    async def page(self, request: Request) -> Response:
        id = request.path_params["id"]
        try:
            story = await self._world.explain(id)
        except AlightError as error:
            raise HTTPException(404, f"{error.message} {error.hint}") from None
        event = story["event"]
        try:
            whole: Json | None = self._world.show(event["id"])
        except AlightError:
            whole = None
        source = event.get("source") or {}
        key = unquote_plus(str(source.get("key", "")))
        predictions = self._world.telemetry.predictions.of_requests([event["id"]]).get(event["id"], [])
        return self._render.page(
            request,
            "story.html",
            event=event,
            whole=whole,
            bucket=str(source.get("bucket", "")),
            key=key,
            is_picture=key.lower().endswith(IMAGES),
            predictions=predictions,
            bars=timeline(event, story["steps"], story["messages"]),
            messages=story["messages"],
            logs=story["logs"],
            width=WIDTH,
        )

    async def replay(self, request: Request) -> Response:
        made = await self._world.ask("events/replay-one", {"id": request.path_params["id"]})
        return goes_to(request, f"/stories/{made['id']}")

    async def redrive(self, request: Request) -> Response:
        await self._world.ask("events/redrive", {"ids": [request.path_params["id"]]})
        return goes_to(request, f"/stories/{request.path_params['id']}")


def timeline(event: Json, steps: list[Json], messages: list[Json]) -> list[Bar]:
    """Every step as a bar, in the order of time, from acceptance to the last thing that is known."""
    flat = list(_flat(steps, 0))
    accepted = event.get("accepted")
    starts = [float(step["at"]) for step, _ in flat]
    if accepted is not None:
        if starts and starts[0] > accepted:
            flat.insert(0, ({"at": accepted, "what": "waits for a worker", "duration": starts[0] - accepted}, 0))
        flat.insert(0, ({"at": accepted, **_cause(event.get("source") or {})}, 0))
    flat += [(_delivery(one), 0) for one in messages if one.get("created")]
    if not flat:
        return []
    begin = min(float(step["at"]) for step, _ in flat)
    end = max(float(step["at"]) + float(step.get("duration") or 0) for step, _ in flat)
    scale = WIDTH / max(end - begin, 1e-6)
    return [_bar(step, depth, begin, scale) for step, depth in flat]


def _cause(source: Json) -> Json:
    """What the event began with: the PUT of an object, a publish, a call."""
    if source.get("kind") == "s3":
        return {"what": f"{source.get('event', 'object')}, stored", "detail": f"{source['bucket']}/{source['key']}"}
    return {"what": "accepted", "detail": str(source.get("topic") or source.get("queue") or source.get("kind") or "")}


def _delivery(message: Json) -> Json:
    """From the publish to the moment when the target had it, or it was given up."""
    ended = message.get("finished")
    return {
        "at": message["created"],
        "what": f"message to {message['protocol']}: {message['state']}",
        "detail": message["target"],
        "status": message["state"],
        "duration": ended - message["created"] if ended else 0.0,
    }


def _flat(steps: list[Json], depth: int) -> list[tuple[Json, int]]:
    found: list[tuple[Json, int]] = []
    for step in steps:
        found.append((step, depth))
        found += _flat(step.get("steps") or [], depth + 1)
    return found


def _bar(step: Json, depth: int, begin: float, scale: float) -> Bar:
    duration = float(step.get("duration") or 0.0)
    x = (float(step["at"]) - begin) * scale
    return Bar(
        name=str(step["what"]),
        detail=str(step.get("detail") or ""),
        kind=_kind(step, depth),
        start=float(step["at"]) - begin,
        duration=duration,
        x=min(x, WIDTH - 3),
        width=max(duration * scale, 3.0),
        depth=min(depth, 3),
    )


def _kind(step: dict[str, Any], depth: int) -> str:
    what = str(step["what"])
    if step.get("status") == "dead":
        return "failed"
    if what.startswith(("waits", "start of a worker")):
        return "waiting"
    if what.startswith(("ObjectCreated", "ObjectRemoved", "accepted")):
        return "call"
    if what.startswith("message"):
        return "message"
    return "attempt" if depth == 0 else "call"
