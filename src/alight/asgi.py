"""What the ASGI apps of all rooms share: the types that everybody agrees on, and how an answer in pieces is sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

#: Bytes after which a sender begins to look whether anybody still listens.
WATCHED = 1024 * 1024


async def send_pieces(body: AsyncIterator[bytes], receive: Receive, send: Send) -> None:
    """A fault on the way cannot be told any more: the connection is broken off, which the client notices. The
    server does not say when the client has gone, so a long answer asks. Closing `body` is the caller's."""
    sent = 0
    gone: asyncio.Task[None] | None = None
    try:
        async for piece in body:
            if gone is not None and gone.done():
                return
            if piece:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            sent += len(piece)
            if sent > WATCHED:
                gone = gone or asyncio.create_task(_until_gone(receive))
                await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b""})
    finally:
        if gone is not None:
            gone.cancel()


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
