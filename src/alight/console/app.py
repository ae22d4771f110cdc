"""All pages on one table, behind the guard. Mounted at `/_alight/console` by assembly."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from alight.asgi import ASGIApp as App
from alight.console.guard import HOME, Guard
from alight.console.pages.apis import Apis
from alight.console.pages.buckets import Buckets
from alight.console.pages.code import Code
from alight.console.pages.dead import DeadLetters
from alight.console.pages.endpoints import Endpoints
from alight.console.pages.functions import Functions
from alight.console.pages.login import Login
from alight.console.pages.now import Now
from alight.console.pages.outbox import Outbox
from alight.console.pages.story import Story
from alight.console.pages.system import System
from alight.console.pages.topics import Topics
from alight.console.pictures import Pictures
from alight.console.render import FOLDER, MENU, Render
from alight.console.world import World
from alight.errors import AlightError, Fault


class Console:
    """The ASGI app, and what has to be ended with it."""

    def __init__(self, world: World) -> None:
        self._render = render = Render(world.version, world.read_only)
        pictures, now = Pictures(world), Now(world, render)
        self._pages = (
            Login(world, render), now, Story(world, render), pictures, Functions(world, render), Code(world, render),
            Buckets(world, render), Endpoints(world, render), Topics(world, render), Outbox(world, render),
            Apis(world, render), DeadLetters(world, render), System(world, render),
        )  # fmt: skip
        self._closing: tuple[Callable[[], Awaitable[None]], ...] = (now.close, pictures.close)
        # What Starlette makes of it is made for the first who looks: it would be a fiftieth of every start.
        self.app: App = Guard(lambda *given: self._app(*given), world.entry, world.read_only)

    @functools.cached_property
    def routes(self) -> list[Route]:
        """Every page and button, relative to HOME."""
        return [route for page in self._pages for route in page.routes()]

    @functools.cached_property
    def _app(self) -> Starlette:
        static: ASGIApp = GZipMiddleware(StaticFiles(directory=str(FOLDER / "static")))
        return Starlette(
            routes=[Mount(HOME, routes=[*self.routes, Mount("/static", static), Route("/{rest:path}", _missing)])],
            exception_handlers={
                HTTPException: self._refused,
                AlightError: self._told,
                Fault: self._told,
                Exception: self._broken,
            },
        )

    async def close(self) -> None:
        for close in self._closing:
            await close()

    async def _refused(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return self._error(request, error.status_code, str(error.detail))

    async def _told(self, request: Request, error: Exception) -> Response:
        """What the services say of what was asked: their code and their sentence, where the button was."""
        if isinstance(error, Fault):
            return self._error(request, error.status, f"{error.code}: {error.message}")
        assert isinstance(error, AlightError)
        return self._error(request, 400, f"{error.message} {error.hint}".strip())

    async def _broken(self, request: Request, error: Exception) -> Response:
        """Our own mistake; the guard writes it to the log."""
        return self._error(
            request, 500, "Alight made a mistake; its log says which: the lines that `alight up` prints."
        )

    def _error(self, request: Request, status: int, text: str) -> Response:
        if request.method != "GET" or "text/html" not in request.headers.get("accept", ""):
            return PlainTextResponse(text, status)
        place, name = section(request.url.path.removeprefix(HOME))
        step = next_step(status, name)
        return self._render.page(
            request, "error.html", code=status, status=status, text=text, step=step, place=place, name=name
        )


def section(path: str) -> tuple[str, str]:
    """The page of the menu that a path belongs to: its path and name."""
    return next(((place, name) for place, name in MENU if place and f"{path}/".startswith(f"{place}/")), MENU[0])


def next_step(status: int, name: str) -> str:
    """What somebody can do who meets an error on a page."""
    if status == 404:
        return f"It may have been deleted, or have another name: {name} shows what is there."
    if status == 403:
        return "Ask whoever runs this Alight, or give the role that acts here the permission that is named."
    if status >= 500:
        return "Load the page again. If it stays so, the lines that `alight up` prints at this moment say why."
    return "Go back, change what you asked for, and try again."


async def _missing(request: Request) -> Response:
    raise HTTPException(404, "There is no such page.")
