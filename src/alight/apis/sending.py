"""The way out of an answer: its headers, its body, and a connection that is kept or closed as what was read allows."""

from __future__ import annotations

from collections.abc import Sequence

from alight.apis.answers import Answer
from alight.apis.body import Body
from alight.asgi import Send

_BODILESS = (204, 304)


async def send_answer(send: Send, method: str, ids: Sequence[tuple[bytes, bytes]], answer: Answer, body: Body) -> None:
    """`ids` are the headers by which the request is called; `body` is what was, or was not, read of the request."""
    # Another server's header may hold bytes that are no text; they go out as they came.
    headers = [
        (name.lower().encode("latin-1"), value.encode("utf-8", "surrogateescape")) for name, value in answer.headers
    ]
    is_bodiless = answer.status in _BODILESS
    if not is_bodiless:
        headers.append((b"content-length", b"%d" % len(answer.body)))
    content = b"" if is_bodiless or method == "HEAD" else answer.body
    is_kept = await body.settle()
    if not is_kept:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": answer.status, "headers": [*headers, *ids]})
    if not is_kept:
        await send({"type": "http.response.body", "body": content, "more_body": True})
        await body.linger()
        content = b""
    await send({"type": "http.response.body", "body": content})
