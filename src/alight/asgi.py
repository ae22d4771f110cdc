"""What the ASGI apps of all rooms share: the types that everybody agrees on, and how an answer in pieces is sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from functools import lru_cache
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

#: Said of a user's page on an address that it shares with the console: it runs, with an origin that is nobody's.
SANDBOX = "sandbox allow-scripts allow-forms allow-modals allow-popups allow-downloads"
#: In the content types of what a browser may run.
ACTIVE = ("html", "svg", "xml")

#: Bytes after which a sender begins to look whether anybody still listens.
WATCHED = 1024 * 1024


def sandboxed(app: ASGIApp) -> ASGIApp:
    """The same app, whose pages cannot act as whoever opens them (decision 13)."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        async def sealed(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start" and _is_active(message["headers"]):
                message["headers"] = [*message["headers"], (b"content-security-policy", SANDBOX.encode())]
            await send(message)

        await app(scope, receive, sealed)

    return serve


def _is_active(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Where no type is said, a browser guesses one."""
    said = [value for name, value in headers if name.lower() == b"content-type"]
    return not said or any(map(_may_run, said))


@lru_cache(maxsize=256)
def _may_run(content_type: bytes) -> bool:
    said = content_type.lower().decode("latin-1")
    return any(kind in said for kind in ACTIVE)


async def send_pieces(body: AsyncIterator[bytes], receive: Receive, send: Send, watched: int = WATCHED) -> None:
    """A fault on the way cannot be told any more: the connection is broken off, which the client notices. The
    server does not say when the client has gone, so a long answer asks, from `watched` bytes on. Closing `body` is the
    caller's."""
    sent = 0
    gone: asyncio.Task[None] | None = None
    try:
        async for piece in body:
            if gone is not None and gone.done():
                return
            if piece:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            sent += len(piece)
            if sent > watched:
                gone = gone or asyncio.create_task(_until_gone(receive))
                await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b""})
    finally:
        if gone is not None:
            gone.cancel()


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
