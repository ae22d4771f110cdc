"""The unsigned entrances, one by one, and every operation that is none."""

from __future__ import annotations

from dataclasses import fields
from typing import Any
from unittest.mock import Mock

import pytest

from alight.admin.routes import Admin
from alight.apis.door import LABEL as API_LABEL
from alight.apis.door import PREFIX as API_PREFIX
from alight.apis.function_urls import LABEL as URL_LABEL
from alight.apis.function_urls import PREFIX as URL_PREFIX
from alight.assembly.entrance import build_gateway
from alight.calls import ANONYMOUS, Call, Members
from alight.clock import ManualClock
from alight.gateway.access import MOUNTS, OPERATIONS, Unsigned, admit_anonymous, may_be_anonymous
from alight.gateway.asgi import Gateway
from alight.gateway.mounts import Mount
from alight.gateway.route import SERVICES, Match, Router
from alight.settings import Settings
from alight.stacks.answers import PREFIX as ANSWERS
from tests.unit.gateway.signing import NOW, lookup, signed_scope

#: (service, operation) -> method and address without a signature.
UNSIGNED_REQUESTS = {
    ("sns", "ConfirmSubscription"): ("GET", "/?Action=ConfirmSubscription&TopicArn=t&Token=x"),
    ("sns", "Unsubscribe"): ("GET", "/?Action=Unsubscribe&SubscriptionArn=s"),
    ("s3", "GetObject"): ("GET", "/pics/k"),
    ("s3", "HeadObject"): ("HEAD", "/pics/k"),
    ("s3", "HeadBucket"): ("HEAD", "/pics"),
    ("s3", "ListObjects"): ("GET", "/pics"),
    ("s3", "ListObjectsV2"): ("GET", "/pics?list-type=2"),
    ("s3", "PutObject"): ("PUT", "/pics/k"),
    ("s3", "DeleteObject"): ("DELETE", "/pics/k"),
}


CLOSED = [
    "/",
    "/pics?acl",
    "/pics?policy",
    "/pics?location",
    "/pics?delete",
    "/pics/k?acl",
    "/pics/k?tagging",
    "/pics/k?uploads",
    "/pics/k?partNumber=1&uploadId=u",
    "/2015-03-31/functions?x",
]


def test_every_mount_of_the_runtime_stands_in_the_table() -> None:
    """What is mounted answers for itself, so the table has to say what guards it."""
    mine = Mount(Mock())
    apis = {API_PREFIX: mine, API_LABEL: mine, URL_PREFIX: mine, URL_LABEL: mine, ANSWERS: mine}
    store = Mock()
    store.settings = Settings()
    built = build_gateway(store, Mock(), Mock(), Mock(), Mock(), Router(), apis)
    # The admin door has a row for each of its parts.
    unnamed = [name for name in built.mounts if name != "/_alight/" and name.rstrip("/") not in NAMED]
    assert unnamed == []
    routes = Admin(**{item.name: Mock() for item in fields(Admin)}).routes()
    assert [route.pattern for route in routes if route.open] == ["health"]


NAMED = {name.rstrip("/") for name in MOUNTS}


class Reached:
    """Every operation answers; remembers which did."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def get(self, name: tuple[str, str]) -> Any:
        async def handler(call: Call, given: Members) -> Members:
            self.calls.append(call)
            return {}

        return handler


async def ask(gateway: Gateway, scope: dict[str, Any]) -> tuple[int, bytes]:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await gateway(scope, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


def gateway(reached: Reached, public: bool) -> Gateway:
    operations: Any = reached
    return Gateway(operations=operations, keys=lookup, clock=ManualClock(NOW), public=lambda call, given: public)


def test_every_entrance_has_a_test() -> None:
    assert set(UNSIGNED_REQUESTS) == set(OPERATIONS)


@pytest.mark.parametrize("public", [False, True])
@pytest.mark.parametrize("name", list(UNSIGNED_REQUESTS))
async def test_an_entrance(name: tuple[str, str], public: bool) -> None:
    reached = Reached()
    method, url = UNSIGNED_REQUESTS[name]
    status, _ = await ask(gateway(reached, public), signed_scope(method, url, b"", place="none"))
    is_open = public or OPERATIONS[name] is Unsigned.TOKEN
    assert [(call.service, call.operation) for call in reached.calls] == ([name] if is_open else [])
    assert all(call.principal == ANONYMOUS for call in reached.calls)
    assert status in ((200, 204) if is_open else (403,))


async def test_nothing_else_is_let_in() -> None:
    reached = Reached()
    closed = gateway(reached, public=False)
    router = closed.router
    for method in ("GET", "PUT", "POST", "DELETE", "HEAD", "PATCH", "OPTIONS", "TRACE"):
        for url in CLOSED:
            scope = signed_scope(method, url, b"", place="none")
            status, _ = await ask(closed, scope)
            assert status in (400, 403, 404, 405, 501), (method, url, status)
    for service in SERVICES:
        scope = signed_scope("POST", "/", b"", place="none", headers={"x-amz-target": f"{SERVICES[service].target}.X"})
        assert (await ask(closed, scope))[0] in (400, 403, 404, 405)
        if "query" in router.service(service).protocols:
            for operation in router.service(service).names():
                if (service, operation) not in OPERATIONS:
                    scope = signed_scope("GET", f"/?Action={operation}", b"", place="none")
                    assert (await ask(closed, scope))[0] in (400, 403)
    assert reached.calls == []


def test_what_is_not_in_the_table_is_refused() -> None:
    router = Router()
    for name in SERVICES:
        service = router.service(name)
        for operation in service.names():
            model = service.operation(operation)
            assert model is not None
            match = Match(service, model, service.protocol, {}, "")
            assert may_be_anonymous(match) == ((name, operation) in OPERATIONS)
            if (name, operation) not in OPERATIONS:
                call = Call(name, operation, "id", ANONYMOUS)
                with pytest.raises(Exception, match="not signed"):
                    admit_anonymous(call, {}, lambda call, given: True)
