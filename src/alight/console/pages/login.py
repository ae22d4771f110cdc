"""The way in: a link from the terminal, used once, becomes a cookie.

The link itself changes nothing, so that whoever looks at links in advance does not use it up; its page sends the
form at once.
"""

from __future__ import annotations

from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from alight.console.entry import COOKIE, SESSION_SECONDS
from alight.console.forms import read_body
from alight.console.guard import HOME
from alight.console.render import Render
from alight.console.world import World

#: Bytes of the form.
LONGEST = 1_000


class Login:
    """`/login`, the only page for strangers, and `/logout`."""

    def __init__(self, world: World, render: Render) -> None:
        self._world = world
        self._render = render

    def routes(self) -> list[Route]:
        return [
            Route("/login", self.page),
            Route("/login", self.enter, methods=["POST"]),
            Route("/logout", self.leave, methods=["POST"]),
        ]

    async def page(self, request: Request) -> Response:
        link = request.query_params.get("token", "")
        return self._render.page(request, "login.html", link=link if self._world.entry.knows(link) else "", tried=link)

    async def enter(self, request: Request) -> Response:
        body = await read_body(request, LONGEST, "This is no login.")
        token = parse_qs(body.decode("ascii", "replace")).get("token", [""])[0]
        cookie = self._world.entry.enter(token)
        if cookie is None:
            return self._render.page(request, "login.html", code=403, link="", tried=token)
        response = RedirectResponse(f"{HOME}/", 303)
        response.set_cookie(
            COOKIE,
            cookie,
            max_age=int(SESSION_SECONDS),
            path=HOME,
            httponly=True,
            samesite="strict",
            secure=self._world.base_url().startswith("https:"),
        )
        return response

    async def leave(self, request: Request) -> Response:
        response = Response(status_code=204, headers={"HX-Redirect": f"{HOME}/login"})
        response.delete_cookie(COOKIE, path=HOME)
        return response
