"""What is served: one stage of one deployed API. The services compile it from their records, this room reads it.

A REST API (`apigateway`, payload 1.0 only) and an HTTP API (`apigatewayv2`, payloads 1.0 and 2.0) are the same shape;
`kind` tells them apart wherever their answers differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["REST", "HTTP"]

#: Calls a function with a proxy event; hands the body through to a function; asks another server;
#: and the only mock that is served: the answer to a preflight, as SAM's `Cors` writes it.
Integrating = Literal["AWS_PROXY", "AWS", "HTTP_PROXY", "PREFLIGHT"]


@dataclass(frozen=True, slots=True)
class Integration:
    """What answers a route.

    `function` is a function's ARN (AWS_PROXY, AWS). `uri` and `method` are another server's (HTTP_PROXY): `{name}` in
    the URI stands for what `parameters` map to it, method ANY for the caller's own. `parameters` are what HTTP_PROXY
    passes on (`integration.request.path.proxy` → `method.request.path.proxy`). `headers` are a preflight's answer, and
    what an AWS integration adds to every answer. `timeout` is in seconds.
    """

    kind: Integrating
    function: str = ""
    uri: str = ""
    method: str = "POST"
    payload: Literal["1.0", "2.0"] = "1.0"
    timeout: float = 29.0
    parameters: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Authorizer:
    """A Lambda authorizer. `sources` are identity sources in API Gateway's own notation
    (`method.request.header.Auth` of REST, `$request.header.Auth` of HTTP); `ttl` in seconds, 0 for no cache;
    `pattern` is REST's identityValidationExpression; `simple` says that HTTP's short answer is enabled."""

    id: str
    kind: Literal["TOKEN", "REQUEST"]
    function: str
    sources: tuple[str, ...] = ()
    ttl: float = 300.0
    payload: Literal["1.0", "2.0"] = "1.0"
    simple: bool = False
    pattern: str = ""


@dataclass(frozen=True, slots=True)
class Route:
    """`method` is a verb or ANY; `path` is a template (`/`, `/pets/{id}`, `/files/{proxy+}`) or `$default` (HTTP only).
    `signed`: only requests that carry a valid signature (authorizationType AWS_IAM) may take it."""

    method: str
    path: str
    integration: Integration
    resource_id: str = ""
    operation_name: str = ""
    authorizer: Authorizer | None = None
    signed: bool = False


@dataclass(frozen=True, slots=True)
class Cors:
    """CORS of an HTTP API, which answers preflights and writes the headers by itself. `max_age` in seconds."""

    origins: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    exposed: tuple[str, ...] = ()
    credentials: bool = False
    max_age: int | None = None


@dataclass(frozen=True, slots=True)
class Api:
    """One stage of one API. `binary_media_types`, `minimum_compression` (bytes) and `deployment` (its id) are REST's;
    `cors` is HTTP's."""

    id: str
    name: str
    kind: Kind
    stage: str
    routes: tuple[Route, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    binary_media_types: tuple[str, ...] = ()
    cors: Cors | None = None
    minimum_compression: int | None = None
    deployment: str = ""
