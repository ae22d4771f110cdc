"""What is asked before every page, and said with every answer.

The gateway has looked at Host and Origin. Here: is there a session, does what changes something carry the session's
token, may anything be changed at all. Every answer tells the browser to run nothing that is not a file of ours.
"""

from __future__ import annotations

import logging
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from alight.console.entry import COOKIE, Entry, Session, admits

log = logging.getLogger(__name__)

HOME = "/_alight/console"
TOKEN_HEADER = "x-csrf-token"
SAFE = frozenset({"GET", "HEAD"})
#: Paths that need no session: the way in, and files that are the same for everybody.
OPEN = ("/login", "/static/")

READ_ONLY = (
    "The console only shows: console_read_only is set. Take it out of alight.toml (or ALIGHT_CONSOLE_READ_ONLY) "
    "and start Alight again, or do it from the command line."
)

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",  # Pico's icons are data of its own style sheet.
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    # Not "no-referrer": a form would come with the origin "null", and be taken for a stranger's.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}


class Guard:
    """Stands before the pages. `read_only` refuses whatever changes something."""

    def __init__(self, app: ASGIApp, entry: Entry, read_only: bool) -> None:
        self._app = app
        self._entry = entry
        self._read_only = read_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        request = Request(scope)
        session = self._session(request)
        scope["alight.session"] = session
        refusal = self._refusal(request, session)
        try:
            await (refusal or self._app)(scope, receive, sealed)
        except Exception:
            # The page that says so has been sent.
            log.exception("%s %s failed", request.method, request.url.path)

    def _refusal(self, request: Request, session: Session | None) -> Response | None:
        path = request.url.path.removeprefix(HOME)
        if path.startswith(OPEN):
            return None
        if session is None:
            if request.method in SAFE and "text/html" in request.headers.get("accept", ""):
                return RedirectResponse(f"{HOME}/login", 303)
            return PlainTextResponse("Log in first: `alight console` prints a link.", 401)
        if request.method in SAFE:
            return None
        if not admits(session, request.headers.get(TOKEN_HEADER, "")):
            return PlainTextResponse("This page is out of date: load it again.", 403)
        if self._read_only and path != "/logout":
            return PlainTextResponse(READ_ONLY, 403)
        return None

    def _session(self, request: Request) -> Session | None:
        try:
            cookie = SimpleCookie(request.headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return None
        return self._entry.session(cookie.value) if cookie else None
