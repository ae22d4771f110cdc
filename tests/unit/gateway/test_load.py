"""One request too many is refused in its service's words, told when to come again, and takes nothing from those under
way."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from botocore.credentials import Credentials
from botocore.parsers import create_parser

from alight.calls import Call, Members
from alight.clock import ManualClock
from alight.errors.gateway import SlowDown
from alight.gateway.asgi import Gateway
from alight.gateway.encode import encode_error
from alight.gateway.load import Load, Share
from alight.gateway.models import load_service
from alight.gateway.mounts import Mount
from tests.unit.gateway.signing import NOW, lookup, sha256, signed_scope

#: What botocore takes for throttling, or for a fault that passes, and tries again.
WORDS = {
    ("s3", "rest-xml"): ("SlowDown", 503),
    ("lambda", "rest-json"): ("TooManyRequestsException", 429),
    ("apigatewayv2", "rest-json"): ("TooManyRequestsException", 429),
    ("sagemaker-runtime", "rest-json"): ("ServiceUnavailable", 503),
    ("sagemaker", "json"): ("ThrottlingException", 400),
    ("sqs", "json"): ("ThrottlingException", 400),
    ("sns", "query"): ("Throttling", 400),
}


@pytest.mark.parametrize(("service", "protocol"), WORDS)
def test_each_service_says_it_in_its_own_words(service: str, protocol: str) -> None:
    answer = encode_error(load_service(service), protocol, SlowDown(), "request")
    headers = {name.decode(): value.decode() for name, value in answer.headers}
    assert headers["retry-after"] == "1"
    given = {"status_code": answer.status, "headers": headers, "body": answer.body}
    error = create_parser(protocol).parse(given, None)["Error"]
    assert (error["Code"], answer.status) == WORDS[service, protocol]


class Bench:
    """A gateway whose handlers wait until they are let go."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.go = asyncio.Event()
        self.gateway = Gateway(
            {("s3", "GetObject"): self._wait, ("lambda", "Invoke"): self._wait}, lookup, ManualClock(NOW),
            mounts={"/api/": Mount(self._app, reads_whole=True), "/_alight/": Mount(self._app)}, load=load,
        )  # fmt: skip

    async def _wait(self, call: Call, given: Members) -> Members:
        await self.go.wait()
        return {}

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        await self.go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def ask(self, scope: dict[str, Any], body: bytes = b"") -> tuple[int, dict[bytes, bytes]]:
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        # Where nobody is refused, this would wait for ever.
        async with asyncio.timeout(20):
            await self.gateway(scope, receive, send)
        return sent[0]["status"], dict(sent[0]["headers"])

    async def begun(self, *asked: asyncio.Task[Any]) -> None:
        async with asyncio.timeout(5):
            while self.load.requests < len(asked):
                assert not any(one.done() for one in asked), [one.result() for one in asked if one.done()]
                await asyncio.sleep(0)


def get() -> dict[str, Any]:
    return signed_scope("GET", "/b/k", b"", said=sha256(b""))


def invoke(size: int) -> tuple[dict[str, Any], bytes]:
    body = b"1".rjust(size)
    scope = signed_scope("POST", "/2015-03-31/functions/f/invocations", body, service="lambda")
    scope["headers"].append((b"content-length", b"%d" % size))
    return scope, body


def mounted(path: str) -> dict[str, Any]:
    return signed_scope("GET", path, b"", place="none")


async def test_requests_under_way_are_counted_and_given_back() -> None:
    bench = Bench(Load(requests=2))
    waiting = [asyncio.create_task(bench.ask(get())), asyncio.create_task(bench.ask(mounted("/api/x")))]
    await bench.begun(*waiting)
    refused = await bench.ask(get())
    assert (refused[0], refused[1][b"retry-after"]) == (503, b"1")
    refused = await bench.ask(mounted("/api/x"))
    assert (refused[0], refused[1][b"retry-after"]) == (429, b"1")
    stranger = signed_scope("GET", "/b/k", b"", said=sha256(b""), credentials=Credentials("AKIAOTHER", "key"))
    assert (await bench.ask(stranger))[0] == 403, "a stranger takes no place"
    bench.go.set()
    assert [status for status, _ in await asyncio.gather(*waiting)] == [200, 200]
    assert (bench.load.requests, bench.load.held) == (0, 0)
    assert (await bench.ask(get()))[0] == 200


async def test_health_is_seen_at_any_load() -> None:
    bench = Bench(Load(requests=0))
    bench.go.set()
    assert (await bench.ask(mounted("/_alight/health")))[0] == 200


async def test_bytes_that_are_held_whole_are_counted_and_given_back() -> None:
    bench = Bench(Load(held=100_000))
    scope, body = invoke(60_000)
    waiting = asyncio.create_task(bench.ask(scope, body))
    await bench.begun(waiting)
    assert bench.load.held == 60_000
    scope, body = invoke(50_000)
    status, headers = await bench.ask(scope, body)
    assert (status, headers[b"retry-after"]) == (429, b"1")
    assert (bench.load.requests, bench.load.held) == (1, 60_000)
    bench.go.set()
    assert (await waiting)[0] == 200
    assert bench.load.held == 0


def test_one_that_is_larger_than_all_is_let_in_alone() -> None:
    load = Load(held=10)
    first, second = Share(load), Share(load)
    first.hold(50)
    with pytest.raises(SlowDown):
        second.hold(1)
    first.end()
    second.hold(1)
    second.end()
    second.end()
    assert load.held == 0


def test_workers_have_as_many_places_again() -> None:
    """Somebody waits for their answers already: who fills the house must not keep them from giving it."""
    load = Load(requests=2)
    for own in (False, False, True, True):
        Share(load).begin(own=own)
    for own in (False, True):
        with pytest.raises(SlowDown):
            Share(load).begin(own=own)
