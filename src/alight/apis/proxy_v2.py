"""The proxy event in format 2.0 (HTTP APIs): names in lower case, several values joined by commas, cookies apart, and
no member that would be empty."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from alight import names
from alight.apis.api import Api
from alight.apis.ids import short_id
from alight.apis.proxy_v1 import HOP_BY_HOP, OVERWRITTEN, full_path, gathered, route_key
from alight.apis.request import Incoming
from alight.apis.routes import Match
from alight.calls import Principal

Event = dict[str, Any]

#: Headers that are told elsewhere, or not at all.
_LEFT_OUT = HOP_BY_HOP | OVERWRITTEN | {"cookie"}


def event_v2(api: Api, match: Match, incoming: Incoming, context: Event, body: str | None, is_base64: bool) -> Event:
    """`context` is the request's `requestContext`."""
    event = request_v2(api, match, incoming)
    event["requestContext"] = context
    if match.parameters:
        event["pathParameters"] = dict(match.parameters)
    if api.variables:
        event["stageVariables"] = dict(api.variables)
    if body is not None:
        event["body"] = body
    event["isBase64Encoded"] = is_base64
    return event


def request_v2(api: Api, match: Match, incoming: Incoming) -> Event:
    """What the event says of the request itself; an authorizer's event has the same."""
    event: Event = {
        "version": "2.0",
        "routeKey": route_key(match),
        "rawPath": full_path(api, incoming),
        "rawQueryString": incoming.query,
    }
    cookies = [
        cookie.strip()
        for lower, _, value in incoming.headers
        if lower == "cookie"
        for cookie in value.split(";")
        if cookie.strip()
    ]
    if cookies:
        event["cookies"] = cookies
    event["headers"] = _headers(incoming)
    if incoming.parameters:
        event["queryStringParameters"] = _joined(incoming.parameters)
    return event


def context_v2(api: Api, match: Match, incoming: Incoming, principal: Principal | None, access_key: str) -> Event:
    """`requestContext`; `principal` is who signed, where the route asks for that."""
    context: Event = {
        "accountId": names.ACCOUNT,
        "apiId": api.id,
        "domainName": incoming.domain,
        "domainPrefix": incoming.domain.partition(".")[0],
        "http": {
            "method": incoming.method,
            "path": full_path(api, incoming),
            "protocol": incoming.protocol,
            "sourceIp": incoming.source_ip,
            "userAgent": incoming.header("user-agent") or "",
        },
        "requestId": short_id(incoming.request_id),
        "routeKey": route_key(match),
        "stage": api.stage,
        "time": incoming.time,
        "timeEpoch": incoming.time_epoch,
    }
    if principal is not None:
        context["authorizer"] = {
            "iam": {
                "accessKey": access_key,
                "accountId": names.ACCOUNT,
                "callerId": principal.user_id,
                "cognitoIdentity": None,
                "principalOrgId": None,
                "userArn": principal.arn,
                "userId": principal.user_id,
            }
        }
    return context


def _headers(incoming: Incoming) -> dict[str, str]:
    headers: dict[str, str] = {}
    for lower, _, value in incoming.headers:
        if lower not in _LEFT_OUT:
            headers[lower] = f"{headers[lower]},{value}" if lower in headers else value
    headers.setdefault("content-length", "0")
    for name, value in incoming.forwarded:
        headers[name.lower()] = value
    return headers


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {name: ",".join(values) for name, values in gathered(pairs).items()}
