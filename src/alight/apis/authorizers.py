"""Lambda authorizers: what they are asked, what their answer means, and how long it is remembered.

Everything here is pure but the memory; the door calls the function. A REST API's answer is a policy that is judged anew
for every method ARN, so one remembered answer may allow one path and refuse another.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from alight.apis.api import Api, Authorizer
from alight.apis.proxy_v1 import Event, request_v1
from alight.apis.proxy_v2 import request_v2
from alight.apis.request import Incoming
from alight.apis.routes import Match
from alight.calls import Members
from alight.errors.apis import AuthorizerFailed, NotAuthorized, UnauthorizedException
from alight.expressions import InvalidExpression, compile_expression

#: May these policies' holder do this action to this resource (`gateway/policy.py`)?
Allowed = Callable[[Sequence[Members], str, str, Mapping[str, str]], bool]

INVOKE = "execute-api:Invoke"
_EVERYTHING: Members = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
#: Answers remembered for one stage; above that the oldest go.
REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """An authorizer's answer, read. `policy` is None for HTTP's short answer, which has decided already."""

    principal: str | None
    policy: Members | None
    context: Mapping[str, Any]
    is_authorized: bool = True
    took_ms: int = 0


@dataclass(slots=True)
class Memory:
    """Answers by authorizer and identity, for as long as the authorizer says."""

    _known: dict[tuple[str, ...], tuple[float, Verdict]] = field(default_factory=dict)

    def get(self, authorizer: Authorizer, identity: Sequence[str], now: float) -> Verdict | None:
        until, verdict = self._known.get((authorizer.id, *identity), (0.0, None))
        return verdict if now < until else None

    def put(self, authorizer: Authorizer, identity: Sequence[str], verdict: Verdict, now: float) -> None:
        # Without an identity there is nothing to tell callers apart by.
        if authorizer.ttl <= 0 or not identity:
            return
        if len(self._known) >= REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[(authorizer.id, *identity)] = (now + authorizer.ttl, verdict)


def identity_of(authorizer: Authorizer, api: Api, incoming: Incoming, context: Mapping[str, Any]) -> tuple[str, ...]:
    """The values of the identity sources. Raises `UnauthorizedException` where one is missing or does not look right,
    before the function is asked."""
    sources = authorizer.sources
    if authorizer.kind == "TOKEN" and not sources:
        sources = ("method.request.header.Authorization",)
    values = []
    for source in sources:
        value = _value(source, api, incoming, context)
        if not value:
            raise UnauthorizedException
        values.append(value)
    if authorizer.kind == "TOKEN" and authorizer.pattern and not _looks_right(authorizer.pattern, values[0]):
        raise UnauthorizedException
    return tuple(values)


def _looks_right(pattern: str, token: str) -> bool:
    try:
        return compile_expression(pattern).match(token) is not None
    except InvalidExpression:
        return False


def question(
    authorizer: Authorizer,
    api: Api,
    match: Match,
    incoming: Incoming,
    context: Event,
    identity: Sequence[str],
    arn: str,
) -> Event:
    """The event that the authorizer's function gets."""
    if authorizer.kind == "TOKEN":
        return {"type": "TOKEN", "methodArn": arn, "authorizationToken": identity[0]}
    if authorizer.payload == "2.0":
        event = {
            "version": "2.0",
            "type": "REQUEST",
            "routeArn": arn,
            "identitySource": list(identity) or None,
            **request_v2(api, match, incoming),
            "requestContext": context,
        }
        if match.parameters:
            event["pathParameters"] = dict(match.parameters)
        return event | ({"stageVariables": dict(api.variables)} if api.variables else {})
    # Where a proxy event has null, an authorizer's has an empty object.
    told = {name: {} if value is None else value for name, value in request_v1(api, match, incoming).items()}
    if api.kind == "REST":
        return {"type": "REQUEST", "methodArn": arn, **told, "requestContext": context}
    token = ",".join(identity)
    lead = {"version": "1.0", "type": "REQUEST", "methodArn": arn}
    return lead | {"identitySource": token, "authorizationToken": token, **told, "requestContext": context}


def read_verdict(authorizer: Authorizer, payload: bytes, failed: bool, took_ms: int) -> Verdict:
    """Raises `UnauthorizedException` where the function says so, `AuthorizerFailed` where it says nothing of use."""
    try:
        given = json.loads(payload)
    except (ValueError, RecursionError):
        raise AuthorizerFailed from None
    if not isinstance(given, dict):
        raise AuthorizerFailed
    if failed:
        if given.get("errorMessage") == "Unauthorized":
            raise UnauthorizedException
        raise AuthorizerFailed
    context = given.get("context") or {}
    if not isinstance(context, dict):
        raise AuthorizerFailed
    if authorizer.simple and authorizer.payload == "2.0":
        if not isinstance(given.get("isAuthorized"), bool):
            raise AuthorizerFailed
        return Verdict(None, None, context, given["isAuthorized"], took_ms)
    policy, principal = given.get("policyDocument"), given.get("principalId")
    if not isinstance(policy, dict) or "Statement" not in policy or not isinstance(principal, str | int):
        raise AuthorizerFailed
    if authorizer.payload == "1.0" and any(isinstance(value, dict | list) for value in context.values()):
        raise AuthorizerFailed
    return Verdict(str(principal), policy, context, took_ms=took_ms)


def judge(verdict: Verdict, arns: Sequence[str], source_ip: str, allowed: Allowed) -> None:
    """`arns` are the spellings of what is called. Raises `NotAuthorized`, which tells a refusal in so many words from a
    permission that is not there."""
    if verdict.policy is None:
        if not verdict.is_authorized:
            raise NotAuthorized
        return
    keys = {"aws:SourceIp": source_ip}
    if is_denied([verdict.policy], arns, keys, allowed):
        raise NotAuthorized("User is not authorized to access this resource with an explicit deny")
    if not allowed([verdict.policy], INVOKE, arns[0], keys):
        raise NotAuthorized


def is_denied(policies: Sequence[Members], arns: Sequence[str], keys: Mapping[str, str], allowed: Allowed) -> bool:
    """Whether a statement forbids one of the spellings, whatever others allow: who may choose how a path is spelled
    must not choose between yes and no."""
    return any(not allowed([*policies, _EVERYTHING], INVOKE, arn, keys) for arn in arns)


def add_to_context(api: Api, payload: str, context: Event, verdict: Verdict) -> None:
    """What the function behind the route sees of the authorizer's answer, by the format of its event."""
    if api.kind == "HTTP" and payload == "2.0":
        context["authorizer"] = {"lambda": dict(verdict.context) or None}
        return
    told: Event = {name: _as_text(value) for name, value in verdict.context.items()}
    if verdict.principal is not None:
        told["principalId"] = verdict.principal
    context["authorizer"] = told | {"integrationLatency": verdict.took_ms}


def _as_text(value: Any) -> Any:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)


def _value(source: str, api: Api, incoming: Incoming, context: Mapping[str, Any]) -> str | None:
    """`method.request.header.Auth`, `$request.querystring.token`, `stageVariables.key`, `context.identity.sourceIp`."""
    source = source.removeprefix("$").removeprefix("method.")
    where, _, name = source.partition(".")
    if where == "request":
        part, _, name = name.partition(".")
        if part == "header":
            return incoming.header(name.lower())
        return next((value for key, value in reversed(incoming.parameters) if key == name), None)
    if where == "stageVariables":
        return api.variables.get(name)
    found: Any = context
    for step in name.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    return None if found is None else str(found)
