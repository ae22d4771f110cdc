"""The system: is it well, do the books balance, how much room is left, which settings are in force."""

from __future__ import annotations

import shutil

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alight.console.forms import read_form
from alight.console.render import Render
from alight.console.world import World


class System:
    """`/system`."""

    def __init__(self, world: World, render: Render) -> None:
        self._world = world
        self._render = render

    def routes(self) -> list[Route]:
        return [
            Route("/system", self.page),
            Route("/system/verify", self.verify, methods=["POST"]),
            Route("/system/backup", self.back_up, methods=["POST"]),
        ]

    async def page(self, request: Request) -> Response:
        status = await self._world.ask("status", {})
        books: dict[str, int] = status["books"]
        settled = sum(books[state] for state in ("pending", "running", "succeeded", "dead"))
        room = shutil.disk_usage(self._world.data)
        return self._render.page(
            request,
            "system.html",
            status=status,
            books=books,
            balanced=books["accepted"] == settled,
            outbox=status["outbox"],
            free=room.free,
            total=room.total,
            settings=self._world.settings(),
            dropped=self._world.telemetry.dropped,
        )

    async def verify(self, request: Request) -> Response:
        answer = await self._world.ask("verify", {})
        return self._render.page(request, "_kept.html", what="verified", damage=answer["damage"])

    async def back_up(self, request: Request) -> Response:
        form = await read_form(request)
        answer = await self._world.ask("backup", {"target": form["target"]})
        last = (await self._world.ask("status", {}))["backup"]
        said = {"what": f"backed up to {answer['folder']}", "damage": answer["damage"]}
        return self._render.page(request, "_backed.html", last=last, **said)
