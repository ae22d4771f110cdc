"""Where custom resources answer: an ASGI app for PUTs to an address that holds the token of one question."""

from __future__ import annotations

from alight.asgi import Receive, Scope, Send
from alight.stacks.answers import LONGEST, Answers


class Responses:
    """Takes one answer for each question. Who has no token learns nothing."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["method"] != "PUT":
            await _reply(send, 405, b"Method Not Allowed\n", [(b"allow", b"PUT")])
            return
        content = await _content(receive)
        known = content is not None and await self._answers.take(scope["path"].rpartition("/")[2], content)
        await _reply(send, *((200, b"") if known else (403, b"Forbidden\n")))


async def _content(receive: Receive) -> bytes | None:
    """The body, a little more than the longest that is taken at most; None where the client went away."""
    content = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        piece: bytes = message.get("body", b"")
        content = (content + piece)[: LONGEST + 1]
        if not message.get("more_body"):
            return content


async def _reply(send: Send, status: int, body: bytes, more: list[tuple[bytes, bytes]] | None = None) -> None:
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        *(more or []),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
