"""Requests and stages for the pure parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from alight.apis.api import Api, Integration, Route
from alight.apis.request import Incoming, read_incoming

REQUEST_ID = "34972478-2843-4ced-a657-253108738274"
MOMENT = 1_583_349_317.135
FUNCTION = Integration("AWS_PROXY", function="arn:aws:lambda:us-east-1:000000000000:function:pets")


def incoming(
    method: str = "GET",
    path: str = "/",
    query: str = "",
    headers: Sequence[tuple[str, str]] = (),
    domain: str = "abcdef1234.execute-api.localhost:4566",
) -> Incoming:
    """What the door makes of an ASGI scope."""
    scope = {
        "type": "http",
        "method": method,
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
        "extensions": {"alight.spelling": {"headers": [(name.encode(), b"") for name, _ in headers]}},
        "client": ("192.0.2.7", 50_000),
        "server": ("127.0.0.1", 4566),
        "scheme": "http",
        "http_version": "1.1",
    }
    return read_incoming(scope, path, domain, REQUEST_ID, MOMENT)


def stage(kind: Any, *routes: Route, **more: Any) -> Api:
    return Api(
        id="abcdef1234",
        name="pets",
        kind=kind,
        stage=more.pop("stage", "prod"),
        routes=routes,
        deployment="d3p10y",
        **more,
    )
