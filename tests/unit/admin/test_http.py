"""The admin door's table of routes: the token first, then the path; errors in words, never a traceback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from alight.admin.http import Api, NotFound, Request, Route
from alight.errors import AlightError
from alight.errors.s3 import NoSuchKey


async def echo(request: Request) -> Any:
    return {"path": dict(request.path), "query": dict(request.query), "body": request.body}


async def unknown(request: Request) -> Any:
    raise NotFound("There is no such thing.", "Look elsewhere.")


async def refused(request: Request) -> Any:
    raise AlightError("This cannot be.", "Do that.")


async def faulty(request: Request) -> Any:
    raise NoSuchKey(Key="k")


async def broken(request: Request) -> Any:
    raise ZeroDivisionError("secret details")


async def lines(request: Request) -> Any:
    async def produce() -> AsyncIterator[int]:
        for number in range(3):
            yield number

    return produce()


API = Api(
    "/_alight/",
    "token",
    [
        Route("GET", "health", echo, open=True),
        Route("GET", "api/things/{id}", echo),
        Route("POST", "api/things", echo),
        Route("GET", "api/unknown", unknown),
        Route("GET", "api/refused", refused),
        Route("GET", "api/faulty", faulty),
        Route("GET", "api/broken", broken),
        Route("GET", "api/lines", lines),
    ],
)


async def ask(
    path: str, method: str = "GET", body: bytes = b"", authorization: str | None = "Bearer token", query: str = ""
) -> tuple[int, bytes]:
    sent: list[Any] = []
    headers = [(b"authorization", authorization.encode())] if authorization is not None else []
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": headers,
    }

    arriving = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if not arriving:
            await asyncio.Event().wait()
        return arriving.pop()

    async def send(message: Any) -> None:
        sent.append(message)

    await API(scope, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


async def test_the_path_query_and_body_reach_the_handler() -> None:
    status, answer = await ask("/_alight/api/things/a%2Fb", query="limit=3")
    assert (status, json.loads(answer)) == (200, {"path": {"id": "a/b"}, "query": {"limit": "3"}, "body": None})
    status, answer = await ask("/_alight/api/things", "POST", b'{"x": 1}')
    assert json.loads(answer)["body"] == {"x": 1}


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer toke", "Bearer token2", "Basic token", "token"])
async def test_without_the_token_only_what_is_open_answers(authorization: str | None) -> None:
    assert (await ask("/_alight/health", authorization=authorization))[0] == 200
    for path in ("things/1", "unknown", "broken", "lines"):
        assert (await ask(f"/_alight/api/{path}", authorization=authorization))[0] == 401


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("unknown", 404, {"error": "There is no such thing.", "hint": "Look elsewhere."}),
        ("refused", 400, {"error": "This cannot be.", "hint": "Do that."}),
        ("faulty", 404, {"error": "NoSuchKey: The specified key does not exist.", "hint": ""}),
        ("broken", 500, {"error": "Alight made a mistake; its log says which.", "hint": ""}),
        ("nowhere", 404, {"error": "There is no GET api/nowhere.", "hint": ""}),
    ],
)
async def test_errors_come_in_words(path: str, status: int, words: dict[str, str]) -> None:
    found, answer = await ask(f"/_alight/api/{path}")
    assert (found, json.loads(answer)) == (status, words)


async def test_a_body_that_is_not_json_or_too_large_is_refused() -> None:
    assert (await ask("/_alight/api/things", "POST", b"{"))[0] == 400
    assert (await ask("/_alight/api/things", "POST", b"[1]"))[0] == 400
    assert (await ask("/_alight/api/things", "POST", b" " * (8 << 20) + b"1"))[0] == 400


async def test_an_iterator_becomes_json_lines() -> None:
    assert await ask("/_alight/api/lines") == (200, b"0\n1\n2\n")


async def test_another_method_is_another_route() -> None:
    assert (await ask("/_alight/api/things", "DELETE"))[0] == 404


async def test_lines_end_when_the_client_has_gone() -> None:
    ended = asyncio.Event()

    async def endless(request: Request) -> Any:
        async def produce() -> AsyncIterator[int]:
            try:
                while True:
                    yield 1
                    await asyncio.sleep(0.001)
            finally:
                ended.set()

        return produce()

    arriving = [{"type": "http.disconnect"}, {"type": "http.request"}]

    async def receive() -> dict[str, Any]:
        return arriving.pop()

    async def send(message: Any) -> None:
        return None

    scope = {"type": "http", "method": "GET", "path": "/_alight/follow", "query_string": b"", "headers": []}
    async with asyncio.timeout(10):
        await Api("/_alight/", "token", [Route("GET", "follow", endless, open=True)])(scope, receive, send)
        await ended.wait()


async def test_a_request_that_breaks_off_is_not_taken_for_one_without_a_body() -> None:
    asked: list[Request] = []
    sent: list[Any] = []

    async def act(request: Request) -> Any:
        asked.append(request)

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/_alight/act", "query_string": b"", "headers": []}
    await Api("/_alight/", "token", [Route("POST", "act", act, open=True)])(scope, receive, send)
    assert not asked
    assert sent[0]["status"] == 400
