"""The mount of deployed APIs behind the gateway, byte by byte: framing, origins, limits and whatever else may come."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alight.apis.api import Api, Cors, Integration, Route
from alight.apis.calling import Callers, Ran, Signer
from alight.apis.door import LABEL, PREFIX, Door
from alight.apis.upstream import Reach
from alight.clock import SystemClock
from alight.errors.apis import MissingAuthenticationTokenException
from alight.gateway.mounts import Mount
from alight.gateway.policy import allowed
from alight.gateway.server import Limits
from tests.wire.served import gateway, served

FUNCTION = Integration("AWS_PROXY", function="f")
STAGES = {
    ("rest", "prod"): Api("rest", "r", "REST", "prod", (Route("ANY", "/", FUNCTION), Route("ANY", "/{p+}", FUNCTION))),
    ("http", "$default"): Api(
        "http", "h", "HTTP", "$default", (Route("ANY", "$default", Integration("AWS_PROXY", "f", payload="2.0")),),
        cors=Cors(("*",), ("*",)),
    ),
}  # fmt: skip


class Echo:
    """The function of every route: its answer is its event."""

    def admits(self, source_arn: str) -> bool:
        return True

    async def run(self, payload: bytes, request_id: str) -> Ran:
        return Ran(json.dumps({"statusCode": 200, "body": payload.decode()}).encode(), False)


def nobody(scope: Mapping[str, Any], body: bytes, arns: Sequence[str]) -> Signer:
    raise MissingAuthenticationTokenException


def unreachable() -> Any:
    raise AssertionError("nothing here leaves the machine")


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    clock = SystemClock()
    callers = Callers(lambda arn: Echo(), clock, allowed, nobody, Reach(unreachable, lambda url: None, ValueError))
    door = Door(lambda id, stage: STAGES.get((id, stage)), callers, clock, lambda told: None)
    mount = Mount(door, any_origin=True)
    limits = Limits(head=1.0, body_idle=1.0)
    with served(gateway({}, mounts={PREFIX: mount, LABEL: mount}), limits) as found:
        yield found


@pytest.fixture
def talk(port: int) -> Callable[..., tuple[int, dict[str, str], bytes]]:
    def send(*pieces: bytes) -> tuple[int, dict[str, str], bytes]:
        with socket.create_connection(("127.0.0.1", port), 20) as connection:
            for piece in pieces:
                connection.sendall(piece)
            return answer(connection)

    return send


def answer(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """(status, headers, body) of the first final answer; a status of 0 where the connection was closed without one."""
    with connection.makefile("rb") as file:
        while True:
            line = file.readline()
            if not line:
                return 0, {}, b""
            headers: dict[str, str] = {}
            while (field := file.readline().decode("latin-1").strip()) != "":
                name, _, value = field.partition(":")
                headers[name.lower()] = value.strip()
            status = int(line.split()[1])
            if status >= 200:
                return status, headers, file.read(int(headers.get("content-length", "0")))


def event(body: bytes) -> Any:
    return json.loads(body)


def request(path: str, *lines: str, method: str = "POST", host: str = "127.0.0.1", body: bytes = b"") -> bytes:
    head = "".join(f"{line}\r\n" for line in (f"{method} {path} HTTP/1.1", f"Host: {host}", *lines))
    return head.encode("latin-1") + b"\r\n" + body


REST, HTTP = "/_aws/execute-api/rest/prod", "/_aws/execute-api/http"


def test_names_arrive_as_they_were_spelled(talk: Any) -> None:
    _, _, body = talk(request(f"{REST}/x", "x-lower: 1", "X-UPPER: 2", "cOnTent-TYPE: text/plain", "Content-Length: 0"))
    headers = event(body)["headers"]
    assert {"x-lower", "X-UPPER", "cOnTent-TYPE", "Host"} <= set(headers)
    assert headers["X-UPPER"] == "2"


def test_a_body_in_chunks(talk: Any) -> None:
    pieces = (b"3\r\nabc\r\n", b"4\r\ndefg\r\n0\r\n\r\n")
    _, _, body = talk(request(f"{REST}/x", "Transfer-Encoding: chunked", "Content-Type: text/plain"), *pieces)
    assert event(body)["body"] == "abcdefg"
    endless = b"a10000\r\n" + b"x" * 0xA10000 + b"\r\n"
    assert talk(request(f"{REST}/x", "Transfer-Encoding: chunked"), endless)[0] == 413


def test_who_asks_first_is_told_before_sending(port: int) -> None:
    too_large = request(f"{REST}/x", "Expect: 100-continue", "Content-Length: 20000000")
    with socket.create_connection(("127.0.0.1", port), 20) as connection:
        connection.sendall(too_large)
        status, headers, _ = answer(connection)
        assert (status, headers["connection"]) == (413, "close")
    with socket.create_connection(("127.0.0.1", port), 20) as connection:
        connection.sendall(request(f"{REST}/x", "Expect: 100-continue", "Content-Length: 2"))
        assert connection.recv(100).startswith(b"HTTP/1.1 100")
        connection.sendall(b"ok")
        status, _, body = answer(connection)
        assert (status, "Expect" in event(body)["headers"]) == (200, False)


def test_a_body_that_never_comes_does_not_hold_a_connection(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 20) as connection:
        connection.sendall(request(f"{REST}/x", "Content-Length: 5") + b"ab")
        assert answer(connection)[0] in (0, 408), "the server's own deadline"


def test_any_page_may_ask(talk: Any) -> None:
    """Also one of `file://`, whose origin is null; a simple request needs no preflight."""
    page = ("Origin: null", "Sec-Fetch-Site: cross-site", "Content-Type: text/plain;charset=UTF-8", "Content-Length: 2")
    assert talk(request(f"{REST}/x", *page, body=b"ok"))[0] == 200
    status, headers, _ = talk(request(f"{HTTP}/x", *page, body=b"ok"))
    assert (status, headers["access-control-allow-origin"]) == (200, "*")
    status, headers, _ = talk(request("/bucket/key", *page, body=b"ok"))
    assert status == 403
    assert "access-control-allow-origin" not in headers


def test_a_strange_host_is_not_served(talk: Any) -> None:
    assert talk(request("/prod/x", "Content-Length: 0", host="rest.execute-api.evil.example"))[0] == 421
    assert talk(request(f"{REST}/x", "Content-Length: 0", host="evil.example"))[0] == 421
    status, _, body = talk(request("/prod/x", "Content-Length: 0", host="rest.execute-api.localhost"))
    assert (status, event(body)["path"]) == (200, "/x")


def test_http_1_0(talk: Any) -> None:
    status, _, body = talk(f"GET {HTTP}/x HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
    assert (status, event(body)["requestContext"]["http"]["protocol"]) == (200, "HTTP/1.0")


visible = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40)
values = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=40)
names = st.from_regex(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,20}", fullmatch=True)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([REST, HTTP]), st.sampled_from(["GET", "POST", "PUT", "HEAD", "OPTIONS", "PATCH", "DELETE"]),
    visible, st.lists(st.tuples(names, values), max_size=5), st.binary(max_size=50),
)  # fmt: skip
def test_no_request_makes_a_5xx_of_ours(
    port: int, base: str, method: str, path: str, headers: list[tuple[str, str]], body: bytes
) -> None:
    own = {"host", "content-length", "transfer-encoding", "expect", "connection", "upgrade"}
    lines = [f"{name}: {value}" for name, value in headers if name.lower() not in own]
    with socket.create_connection(("127.0.0.1", port), 20) as connection:
        text = request(f"{base}/{path}", *lines, f"Content-Length: {len(body)}", method=method, body=body)
        connection.sendall(text)
        if method == "HEAD":
            with connection.makefile("rb") as file:
                status = int(file.readline().split()[1])
        else:
            status, _, said = answer(connection)
            if status == 200:
                event(said)
    assert 200 <= status < 500
