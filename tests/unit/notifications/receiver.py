"""Real webhook receivers, and SNS's pages behind a real HTTP server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from alight.services.sns.pages import SnsPages

Answer = Callable[[web.Request, int], Awaitable[web.StreamResponse]]


@dataclass
class Received:
    headers: Mapping[str, str]
    body: str


@dataclass
class Receiver:
    """What arrived; `answer(request, number)` says what is replied to the n-th request (from 1)."""

    url: str = ""
    port: int = 0
    requests: list[Received] = field(default_factory=list)


async def fine(request: web.Request, number: int) -> web.StreamResponse:
    return web.Response(text="fine")


def with_status(*statuses: int, **headers: str) -> Answer:
    """One status for each request; the last one for all that follow."""

    async def answer(request: web.Request, number: int) -> web.StreamResponse:
        status = statuses[min(number, len(statuses)) - 1]
        return web.Response(status=status, headers={name.replace("_", "-"): value for name, value in headers.items()})

    return answer


@asynccontextmanager
async def receiver(answer: Answer = fine, *, ssl_context: Any = None) -> AsyncIterator[Receiver]:
    got = Receiver()

    async def handle(request: web.Request) -> web.StreamResponse:
        got.requests.append(Received(request.headers.copy(), await request.text()))
        return await answer(request, len(got.requests))

    async with _served(handle, ssl_context) as port:
        got.port = port
        got.url = f"{'https' if ssl_context else 'http'}://127.0.0.1:{port}/hook"
        yield got


@asynccontextmanager
async def pages(app: SnsPages) -> AsyncIterator[str]:
    """The base URL under which the pages are served."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return await _through(app, request)

    async with _served(handle) as port:
        yield f"http://127.0.0.1:{port}"


async def _through(app: SnsPages, request: web.Request) -> web.Response:
    sent: list[dict[str, Any]] = []
    scope = {
        "type": "http",
        "method": request.method,
        "path": request.path,
        "query_string": request.rel_url.raw_query_string.encode(),
        "headers": [(name.lower(), value) for name, value in request.raw_headers],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(dict(message))

    await app(scope, receive, send)
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"] if name != b"content-length"}
    return web.Response(status=sent[0]["status"], headers=headers, body=sent[1]["body"])


@asynccontextmanager
async def _served(
    handle: Callable[[web.Request], Awaitable[web.StreamResponse]], ssl_context: Any = None
) -> AsyncIterator[int]:
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=ssl_context)
    await site.start()
    try:
        assert site._server is not None
        yield site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    finally:
        await runner.cleanup()
