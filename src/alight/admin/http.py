"""A table of routes as an ASGI app: bearer token first, then method and path, JSON in and out.

A handler returns what becomes JSON, or an async iterator whose items become JSON lines as they come. An
`AlightError` or `Fault` is answered as `{"error": sentence, "hint": sentence}`, anything else as a bare 500.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from alight.asgi import Receive, Scope, Send
from alight.errors import AlightError, Fault
from alight.parsed import parsed

log = logging.getLogger(__name__)

#: Bytes of the largest request.
BODY_LIMIT = 8 << 20


@dataclass(frozen=True, slots=True)
class Request:
    """`path` holds the named segments of the route, `query` the last value of each name."""

    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Any


Handler = Callable[[Request], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Route:
    """`pattern` is relative to the mount: `events/{id}/replay`. Only routes that say so are open to everybody."""

    method: str
    pattern: str
    handler: Handler
    open: bool = False


class NotFound(AlightError):
    """Nothing has this name."""


class Api:
    """The ASGI app. `prefix` is where it is mounted; `token` opens every route that is not open."""

    def __init__(self, prefix: str, token: str, routes: Sequence[Route]) -> None:
        self._prefix = prefix
        self._token = token.encode()
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw = scope.get("raw_path") or scope["path"].encode()
        segments = [unquote(part) for part in raw.decode("latin-1").removeprefix(self._prefix).strip("/").split("/")]
        for route in self._routes:
            found = _match(route.pattern, segments)
            if found is not None and route.method == scope["method"]:
                if not route.open and not self._admits(scope):
                    return await _reply(send, 401, {"error": "The admin token is missing or wrong.", "hint": ""})
                return await self._answer(route, found, scope, receive, send)
        await _reply(send, 404, {"error": f"There is no {scope['method']} {'/'.join(segments)}.", "hint": ""})

    def _admits(self, scope: Scope) -> bool:
        for name, value in scope["headers"]:
            if name == b"authorization":
                return hmac.compare_digest(value, b"Bearer " + self._token)
        return False

    async def _answer(self, route: Route, path: Mapping[str, str], scope: Scope, receive: Receive, send: Send) -> None:
        try:
            query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
            answer = await route.handler(Request(path, query, await _body(receive)))
        except NotFound as error:
            await _reply(send, 404, {"error": error.message, "hint": error.hint})
        except AlightError as error:
            await _reply(send, 400, {"error": error.message, "hint": error.hint})
        except Fault as fault:
            await _reply(send, fault.status, {"error": f"{fault.code}: {fault.message}", "hint": ""})
        except Exception:
            log.exception("admin request failed: %s %s", route.method, route.pattern)
            await _reply(send, 500, {"error": "Alight made a mistake; its log says which.", "hint": ""})
        else:
            if hasattr(answer, "__aiter__"):
                await _stream(receive, send, answer)
            elif isinstance(answer, str):
                await _reply(send, 200, answer.encode(), b"text/plain; version=0.0.4")
            else:
                await _reply(send, 200, answer)


def _match(pattern: str, segments: Sequence[str]) -> dict[str, str] | None:
    wanted = pattern.split("/") if pattern else [""]
    if len(wanted) != len(segments):
        return None
    found = {}
    for part, segment in zip(wanted, segments, strict=True):
        if part.startswith("{"):
            found[part[1:-1]] = segment
        elif part != segment:
            return None
    return found


async def _body(receive: Receive) -> Any:
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise AlightError("The request did not arrive whole.")
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > BODY_LIMIT:
            raise AlightError("The request is larger than 8 MB.")
    try:
        given = parsed(body) if body else None
    except ValueError:
        raise AlightError("The request is not JSON.") from None
    if given is not None and not isinstance(given, dict):
        raise AlightError("The request is no JSON object.")
    return given


async def _reply(send: Send, status: int, answer: Any, kind: bytes = b"application/json") -> None:
    body = answer if isinstance(answer, bytes) else json.dumps(answer, default=str).encode()
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _stream(receive: Receive, send: Send, lines: AsyncIterator[Any]) -> None:
    """Until the last line, or until the client goes, which nobody tells who only sends."""
    telling = asyncio.create_task(_tell(send, lines))
    leaving = asyncio.create_task(_gone(receive))
    try:
        await asyncio.wait({telling, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        leaving.cancel()
        if not telling.done():
            telling.cancel()
            await asyncio.wait({telling})
    if not telling.cancelled():
        telling.result()


async def _tell(send: Send, lines: AsyncIterator[Any]) -> None:
    """A line that is None is sent as an empty one, which readers pass over."""
    headers = [(b"content-type", b"application/x-ndjson"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    async for line in lines:
        body = b"" if line is None else json.dumps(line, default=str).encode()
        await send({"type": "http.response.body", "body": body + b"\n", "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
