"""The door as an ASGI app with functions of the test's own: whatever is sent is answered, never with a 5xx of ours."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alight.apis.api import Api, Authorizer, Cors, Integration, Route
from alight.apis.calling import Busy, Callers, Ran, Signer
from alight.apis.door import Door, Told
from alight.apis.proxy_v1 import context_v1
from alight.apis.routes import Table
from alight.apis.upstream import Reach, Unreachable, ask_for
from alight.clock import ManualClock
from alight.errors.apis import MissingAuthenticationTokenException
from alight.gateway.policy import allowed
from tests.unit.apis.making import FUNCTION, incoming, stage


class Echo:
    """A function that answers with its event."""

    def __init__(self, answer: Any = None) -> None:
        self.events: list[Any] = []
        self.answer = answer

    def admits(self, source_arn: str) -> bool:
        return True

    async def run(self, payload: bytes, request_id: str) -> Ran:
        self.events.append(json.loads(payload))
        if self.answer == "busy":
            raise Busy("too much to do")
        return Ran(json.dumps(self.answer or {"statusCode": 200, "body": "ok"}).encode(), False)


def refuse_all(scope: Mapping[str, Any], body: bytes, arns: Sequence[str]) -> Signer:
    raise MissingAuthenticationTokenException


def door(api: Api, function: Echo, told: list[Told] | None = None) -> Door:
    clock = ManualClock()
    reach = Reach(lambda: (_ for _ in ()).throw(AssertionError("not reached")), lambda url: None, ValueError)
    callers = Callers(lambda arn: function, clock, allowed, refuse_all, reach)
    stages = {(api.id, api.stage): api}
    note = (told if told is not None else []).append
    return Door(lambda id, name: stages.get((id, name)), callers, clock, note)


def ask(app: Door, method: str, raw_path: bytes, query: bytes = b"", headers: Any = (), body: bytes = b"") -> Any:
    """(status, headers, body) of one request."""
    sent: list[Any] = []
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Any:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": method, "path": "", "raw_path": raw_path, "query_string": query,
        "headers": [(b"host", b"127.0.0.1:4566"), *headers], "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 4566),
    }  # fmt: skip
    asyncio.run(app(scope, receive, send))
    head = {name.decode(): value.decode("latin-1") for name, value in sent[0]["headers"]} if sent else {}
    return (sent[0]["status"] if sent else None), head, b"".join(message.get("body", b"") for message in sent[1:])


APIS = [
    stage("REST", Route("ANY", "/", FUNCTION), Route("ANY", "/{proxy+}", FUNCTION), binary_media_types=("image/*",)),
    stage("HTTP", Route("ANY", "$default", FUNCTION), cors=Cors(("*",), ("*",), ("*",))),
    stage("HTTP", Route("ANY", "$default", Integration("AWS_PROXY", function="f", payload="2.0")), stage="$default"),
]
paths = st.text(st.sampled_from("abc/.%{}+~:@$&'()*,;=-_!"), max_size=30).map(lambda text: text.replace("%", "%25"))
any_bytes = st.binary(max_size=30)
field_bytes = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=20).map(
    lambda text: text.encode("latin-1")
)
header_names = st.sampled_from(
    [b"accept", b"content-type", b"cookie", b"origin", b"x-forwarded-for", b"x-amzn-trace-id", b"authorization",
     b"access-control-request-method", b"accept-encoding", b"x-any", b"user-agent"]
)  # fmt: skip


@given(
    st.sampled_from(APIS),
    st.sampled_from(["GET", "POST", "OPTIONS", "HEAD", "DELETE"]),
    paths,
    st.text(st.sampled_from("abc=&%20+;/?\x7f~"), max_size=20),
    st.lists(st.tuples(header_names, field_bytes), max_size=8),
    any_bytes,
)
def test_whatever_is_sent_is_answered(
    api: Api, method: str, path: str, query: str, headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    function, told = Echo(), list[Told]()
    raw = f"/_aws/execute-api/{api.id}/{api.stage}/{path}".encode()
    length = [(b"content-length", b"%d" % len(body))]
    status, head, _ = ask(door(api, function, told), method, raw, query.encode(), [*headers, *length], body)
    assert status is not None
    assert status < 500
    assert [line.status for line in told] == [status]
    assert "apigw-requestid" in head or "x-amzn-requestid" in head
    for event in function.events:
        assert event["isBase64Encoded"] in (True, False)


def test_a_busy_function() -> None:
    for api, expected in zip(APIS, (500, 503, 503), strict=True):
        raw = f"/_aws/execute-api/{api.id}/{api.stage}/x".encode()
        assert ask(door(api, Echo("busy")), "GET", raw)[0] == expected


def test_a_client_that_goes_away_is_told_nothing() -> None:
    told = list[Told]()
    app = door(APIS[0], Echo(), told)
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "", "raw_path": b"/_aws/execute-api/abcdef1234/prod/",
        "query_string": b"", "headers": [(b"content-length", b"5")], "client": None, "server": None,
    }  # fmt: skip
    asyncio.run(app(scope, receive, send))
    assert (sent, told) == ([], [])


def test_an_authorizer_that_cannot_run_is_a_failure_of_its_own() -> None:
    authorizer = Authorizer("a", "TOKEN", "f", ("method.request.header.Auth",))
    api = stage("REST", Route("GET", "/x", FUNCTION, authorizer=authorizer))
    status, head, body = ask(
        door(api, Echo("busy")), "GET", b"/_aws/execute-api/abcdef1234/prod/x", b"", [(b"auth", b"t")]
    )
    assert (status, head["x-amzn-errortype"], body) == (
        500,
        "AuthorizerConfigurationException",
        b'{"message":null}',
    )


def test_what_another_server_is_asked() -> None:
    integration = Integration(
        "HTTP_PROXY", uri="http://example.com/{a}/x?fixed=1", method="GET",
        parameters={
            "integration.request.path.a": "method.request.querystring.q",
            "integration.request.header.X-Id": "context.requestId",
            "integration.request.header.x-key": "method.request.header.x-other",
            "integration.request.header.X-None": "method.request.header.none",
            "integration.request.querystring.stage": "stageVariables.v",
        },
    )  # fmt: skip
    api = stage("REST", Route("POST", "/{a}", integration), variables={"v": "s s"})
    asked = incoming(
        "POST",
        "/b",
        "q=../..",
        [("X-Key", "old"), ("X-Other", "new"), ("Host", "h"), ("Expect", "x"), ("Keep-Alive", "5")],
    )
    match = Table(api).match("POST", "/b")
    assert match is not None
    made = ask_for(api, match, asked, context_v1(api, match, asked, None, ""))
    assert (made.method, made.url) == ("GET", "http://example.com/%2E%2E/%2E%2E/x?fixed=1&q=../..&stage=s%20s")
    assert made.headers["x-key"] == "new"
    assert made.headers["X-Id"] == asked.request_id
    assert not {"X-Key", "Host", "Expect", "X-None", "Keep-Alive"} & set(made.headers)


def test_a_variable_that_nothing_is_mapped_to() -> None:
    """An API that would not work on AWS must not work here."""
    integration = Integration("HTTP_PROXY", uri="http://example.com/{a}", method="GET")
    api = stage("REST", Route("GET", "/{a}", integration))
    match = Table(api).match("GET", "/b")
    assert match is not None
    with pytest.raises(Unreachable, match=r"nothing is mapped to integration\.request\.path\.a"):
        ask_for(api, match, incoming("GET", "/b"), {})
    assert ask(door(api, Echo()), "GET", b"/_aws/execute-api/abcdef1234/prod/b")[0] == 500


def test_a_compressed_request_is_unpacked_where_the_api_says_so() -> None:
    raw = b"/_aws/execute-api/abcdef1234/prod/x"
    sent = zlib.compress("grün".encode())
    headers = [(b"content-encoding", b"deflate"), (b"content-length", b"%d" % len(sent)), (b"x-a", b"b")]
    plain, unpacking = APIS[0], replace(APIS[0], minimum_compression=1_000)
    function = Echo()
    assert ask(door(unpacking, function), "POST", raw, b"", headers, sent)[0] == 200
    assert function.events[0]["body"] == "grün"
    assert "content-encoding" not in function.events[0]["headers"]
    assert ask(door(plain, function), "POST", raw, b"", headers, sent)[0] == 200
    assert function.events[1]["body"] != "grün"
    for broken, status in ((b"no", 400), (sent[:-2], 400), (zlib.compress(bytes(10 * 1024 * 1024 + 1)), 413)):
        sized = [(b"content-encoding", b"deflate"), (b"content-length", b"%d" % len(broken))]
        assert ask(door(unpacking, function), "POST", raw, b"", sized, broken)[0] == status
    assert len(function.events) == 2


def test_preflights_of_an_api_that_takes_everything() -> None:
    raw = b"/_aws/execute-api/abcdef1234/prod/x"
    asked = [(b"origin", b"null"), (b"access-control-request-method", b"PUT")]
    wanted = [(b"access-control-request-headers", b"authorization,x-key")]
    status, head, _ = ask(door(APIS[1], Echo()), "OPTIONS", raw, b"", asked + wanted)
    assert (status, head["access-control-allow-origin"]) == (204, "*")
    assert head["access-control-allow-methods"] == "DELETE,GET,HEAD,OPTIONS,PATCH,POST,PUT"
    assert head["access-control-allow-headers"] == "authorization,x-key"
    assert "access-control-max-age" not in head
    assert ask(door(APIS[1], Echo()), "OPTIONS", raw)[0] == 200, "no browser's question: the route takes it"
