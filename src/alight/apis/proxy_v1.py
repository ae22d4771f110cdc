"""The proxy event in format 1.0, as REST APIs send it always and HTTP APIs where their integration says so.

The two differ: a REST API's `path` is as it was sent and without the stage, it drops what speaks of the connection; an
HTTP API's is decoded and with the stage, and its event says `version`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote

from alight import names
from alight.apis.api import Api
from alight.apis.ids import short_id
from alight.apis.request import Incoming
from alight.apis.routes import DEFAULT, Match
from alight.calls import Principal

Event = dict[str, Any]

#: Headers that never reach an integration of a REST API.
DROPPED = frozenset(
    {
        "connection",
        "content-length",
        "content-md5",
        "expect",
        "max-forwards",
        "proxy-authenticate",
        "server",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "www-authenticate",
    }
)
#: Headers that speak of this connection only.
HOP_BY_HOP = frozenset(
    {
        "connection",
        "expect",
        "keep-alive",
        "proxy-authenticate",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
#: Headers whose names come out spelled in one way, however they were sent.
_SPELLED = {"authorization": "Authorization", "host": "Host", "user-agent": "User-Agent"}
#: Headers that API Gateway writes itself.
OVERWRITTEN = frozenset({"x-amzn-trace-id", "x-forwarded-for", "x-forwarded-port", "x-forwarded-proto"})

#: What a REST API knows of a caller; all of it is null unless the request was signed.
_REST_IDENTITY = (
    "cognitoIdentityPoolId",
    "accountId",
    "cognitoIdentityId",
    "caller",
    "principalOrgId",
    "accessKey",
    "cognitoAuthenticationType",
    "cognitoAuthenticationProvider",
    "userArn",
    "user",
)
_HTTP_IDENTITY = (
    "accessKey",
    "accountId",
    "caller",
    "cognitoAmr",
    "cognitoAuthenticationProvider",
    "cognitoAuthenticationType",
    "cognitoIdentityId",
    "cognitoIdentityPoolId",
    "principalOrgId",
    "user",
    "userArn",
)


def event_v1(api: Api, match: Match, incoming: Incoming, context: Event, body: str | None, is_base64: bool) -> Event:
    """`context` is the request's `requestContext`."""
    event = request_v1(api, match, incoming)
    if api.kind == "HTTP":
        event = {"version": "1.0", **event}
    event["requestContext"] = context
    event["body"] = body
    event["isBase64Encoded"] = is_base64
    return event


def request_v1(api: Api, match: Match, incoming: Incoming) -> Event:
    """What the event says of the request itself; an authorizer's event begins in the same way."""
    single, multiple = _headers(api, incoming)
    queries = gathered(incoming.parameters)
    return {
        "resource": match.route.path,
        "path": incoming.path if api.kind == "REST" else full_path(api, incoming),
        "httpMethod": incoming.method,
        "headers": single,
        "multiValueHeaders": multiple,
        "queryStringParameters": {name: values[-1] for name, values in queries.items()} or None,
        "multiValueQueryStringParameters": queries or None,
        "pathParameters": dict(match.parameters) or None,
        "stageVariables": dict(api.variables) or None,
    }


def context_v1(api: Api, match: Match, incoming: Incoming, principal: Principal | None, access_key: str) -> Event:
    """`requestContext`; `principal` is who signed, where the route asks for that."""
    route, is_rest = match.route, api.kind == "REST"
    short = short_id(incoming.request_id)
    context = {
        "accountId": names.ACCOUNT,
        "apiId": api.id,
        "domainName": incoming.domain,
        "domainPrefix": incoming.domain.partition(".")[0],
        "extendedRequestId": short,
        "httpMethod": incoming.method,
        "identity": _identity(api, incoming, principal, access_key),
        "path": staged(api, incoming.path) if is_rest else full_path(api, incoming),
        "protocol": incoming.protocol,
        "requestId": incoming.request_id if is_rest else short,
        "requestTime": incoming.time,
        "requestTimeEpoch": incoming.time_epoch,
        "resourceId": route.resource_id if is_rest else route_key(match),
        "resourcePath": route.path,
        "stage": api.stage,
    }
    if is_rest:
        context["deploymentId"] = api.deployment
        if route.operation_name:
            context["operationName"] = route.operation_name
    return context


def route_key(match: Match) -> str:
    """`GET /pets/{id}`, `$default`."""
    route = match.route
    return DEFAULT if route.path == DEFAULT else f"{route.method} {route.path}"


def staged(api: Api, path: str) -> str:
    """The path with its stage before it; the stage `$default` has no place in it."""
    return path if api.stage == DEFAULT else f"/{api.stage}{path}"


def full_path(api: Api, incoming: Incoming) -> str:
    """An HTTP API's path: with the stage, decoded."""
    return unquote(staged(api, incoming.path))


def gathered(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """All values of each name."""
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def _headers(api: Api, incoming: Incoming) -> tuple[Mapping[str, str], Mapping[str, list[str]]]:
    dropped = DROPPED if api.kind == "REST" else HOP_BY_HOP
    multiple: dict[str, list[str]] = {}
    spelled: dict[str, str] = {}
    for lower, spelling, value in incoming.headers:
        if lower in dropped or lower in OVERWRITTEN:
            continue
        # However often a header is sent and however it is spelled, it stands in one place.
        name = spelled.setdefault(lower, _SPELLED.get(lower, spelling))
        multiple.setdefault(name, []).append(value)
    for name, value in incoming.forwarded:
        multiple[name] = [value]
    return {name: values[-1] for name, values in multiple.items()}, multiple


def _identity(api: Api, incoming: Incoming, principal: Principal | None, access_key: str) -> Event:
    identity: Event = dict.fromkeys(_REST_IDENTITY if api.kind == "REST" else _HTTP_IDENTITY)
    identity["sourceIp"] = incoming.source_ip
    identity["userAgent"] = incoming.header("user-agent")
    if principal is not None:
        identity |= {
            "accessKey": access_key,
            "accountId": names.ACCOUNT,
            "caller": principal.user_id,
            "user": principal.user_id,
            "userArn": principal.arn,
        }
    return identity
