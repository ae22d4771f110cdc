"""One request on its route: who may take it, what answers it, and what is made of the answer.

Nothing here is journaled: who called is waiting, and gets what came of it or the error that API Gateway gives. A
function whose caller has waited too long runs on, as it does on AWS.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar
from urllib.parse import unquote

from alight.apis import authorizers
from alight.apis.answers import Answer, Malformed, answer_through, answer_v1, answer_v2
from alight.apis.api import Api, Integration
from alight.apis.compression import decompressed
from alight.apis.media import body_for_event
from alight.apis.proxy_v1 import Event, context_v1, event_v1
from alight.apis.proxy_v2 import context_v2, event_v2
from alight.apis.request import Incoming
from alight.apis.routes import DEFAULT, Match, Table
from alight.apis.upstream import Reach, Unreachable, ask, ask_for
from alight.calls import Principal
from alight.clock import Clock
from alight.errors.apis import (
    AuthorizerFailed,
    BadAnswer,
    BadRequestException,
    EventTooLarge,
    IntegrationBusy,
    IntegrationFailed,
    IntegrationTimeout,
)
from alight.names import Arn

T = TypeVar("T")

_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode

#: Bytes of the largest event that a function takes.
EVENT_LIMIT = 6 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a function's run: its answer, or Lambda's error document where it `failed`."""

    payload: bytes
    failed: bool


class Busy(Exception):
    """The function cannot run now: its own limit is reached, or everything is being stopped."""


class Function(Protocol):
    """A function that an API may call, or not."""

    def admits(self, source_arn: str) -> bool:
        """Whether its resource policy lets API Gateway invoke it for this method."""

    async def run(self, payload: bytes, request_id: str) -> Ran:
        """Run now. Raises `Busy`."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signed a request, and with which key."""

    principal: Principal
    access_key: str


Read = Callable[[], Awaitable[bytes]]
#: Given the ASGI scope, the body and the spellings of the method's ARN; raises a `Fault` in REST's words.
Verify = Callable[[Mapping[str, Any], bytes, Sequence[str]], Signer]


@dataclass(slots=True)
class Spent:
    """Seconds that went into parts of one request; None where it did not come to that."""

    integration: float | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """One deployed stage, made ready once: its routes as a tree, and what its authorizers have said."""

    api: Api
    table: Table
    memory: authorizers.Memory = field(default_factory=authorizers.Memory)


@dataclass(frozen=True, slots=True)
class Callers:
    """What requests are answered with; everything is handed over.

    `functions` finds a function by its ARN; `verify` says who signed; `allowed` judges policies; `reach` is the way to
    other servers.
    """

    functions: Callable[[str], Function | None]
    clock: Clock
    allowed: authorizers.Allowed
    verify: Verify
    reach: Reach

    async def answer(
        self, stage: Stage, match: Match, incoming: Incoming, scope: Mapping[str, Any], read: Read, spent: Spent
    ) -> Answer:
        """Raises a `Fault`, with what lies behind it as its cause; `spent` is told of the integration's time."""
        api, route = stage.api, match.route
        arns = method_arns(api, incoming) if route.signed or route.authorizer is not None else ()
        signer = self.verify(scope, await read(), arns) if route.signed else None
        payload = route.integration.payload if api.kind == "HTTP" else "1.0"
        context = _context(payload, api, match, incoming, signer)
        if route.authorizer is not None:
            verdict = await self._ask_authorizer(stage, match, incoming, arns[0])
            authorizers.judge(verdict, arns, incoming.source_ip, self.allowed)
            authorizers.add_to_context(api, payload, context, verdict)
        incoming, body = decompressed(api, incoming, await read())
        integration = route.integration
        if integration.kind == "PREFLIGHT":
            return Answer(200, list(integration.headers.items()), b"")
        started = self.clock.monotonic()
        try:
            match integration.kind:
                case "HTTP_PROXY":
                    return await self._ask_server(api, match, incoming, context, body)
                case "AWS":
                    return await self._pass_through(api, match, incoming, body)
            return await self._call(api, match, incoming, context, payload, body)
        finally:
            spent.integration = self.clock.monotonic() - started

    async def _call(
        self, api: Api, match: Match, incoming: Incoming, context: Event, payload: str, body: bytes
    ) -> Answer:
        """AWS_PROXY: the whole request as an event."""
        text, is_base64 = body_for_event(api, incoming.header("content-type"), body)
        make = event_v2 if payload == "2.0" else event_v1
        event = make(api, match, incoming, context, text, is_base64)
        ran = await self._run(api, match, incoming, _dump(event))
        try:
            if ran.failed:
                raise FunctionFailed(f"the function failed: {failure(ran.payload)}")
            if payload == "2.0":
                return answer_v2(ran.payload)
            return _traced(answer_v1(api, ran.payload, incoming.header("accept")), api, incoming)
        except (FunctionFailed, Malformed) as error:
            raise BadAnswer from error

    async def _pass_through(self, api: Api, match: Match, incoming: Incoming, body: bytes) -> Answer:
        """AWS: the body is the event, the result is the body; also where it tells of an error."""
        try:
            json.loads(body or b"{}")
        except (ValueError, RecursionError) as error:
            raise BadRequestException(f"Could not parse request body into json: {error}") from None
        ran = await self._run(api, match, incoming, body or b"{}")
        return _traced(answer_through(ran.payload, match.route.integration.headers), api, incoming)

    async def _run(self, api: Api, match: Match, incoming: Incoming, event: bytes) -> Ran:
        integration = match.route.integration
        function = self._function(integration.function, source_arn(api, match, incoming))
        if len(event) > EVENT_LIMIT:
            raise EventTooLarge
        return await _in_time(function.run(event, incoming.request_id), integration)

    def _function(self, arn: str, source: str) -> Function:
        function = self.functions(arn)
        if function is None:
            raise IntegrationFailed from Missing(f"there is no function {arn}")
        if not function.admits(source):
            raise IntegrationFailed from Missing(
                f"{arn} does not allow apigateway.amazonaws.com to invoke it for {source}; "
                "aws lambda add-permission (or a template's AWS::Lambda::Permission) does"
            )
        return function

    async def _ask_server(self, api: Api, match: Match, incoming: Incoming, context: Event, body: bytes) -> Answer:
        try:
            asked = ask_for(api, match, incoming, context)
            return await _in_time(ask(self.reach, asked, body), match.route.integration)
        except Unreachable as error:
            raise (IntegrationFailed if api.kind == "REST" else IntegrationBusy) from error

    async def _ask_authorizer(self, stage: Stage, match: Match, incoming: Incoming, arn: str) -> authorizers.Verdict:
        authorizer, api = match.route.authorizer, stage.api
        assert authorizer is not None
        context = _context(authorizer.payload, api, match, incoming, None)
        identity = authorizers.identity_of(authorizer, api, incoming, context)
        started = self.clock.monotonic()
        known = stage.memory.get(authorizer, identity, started)
        if known is not None:
            return known
        event = authorizers.question(authorizer, api, match, incoming, context, identity, arn)
        source = str(Arn("execute-api", f"{api.id}/authorizers/{authorizer.id}"))
        try:
            function = self._function(authorizer.function, source)
            ran = await _in_time(function.run(_dump(event), incoming.request_id), match.route.integration)
        except (IntegrationFailed, IntegrationBusy, IntegrationTimeout) as fault:
            raise AuthorizerFailed from fault.__cause__ or fault
        now = self.clock.monotonic()
        verdict = authorizers.read_verdict(authorizer, ran.payload, ran.failed, int((now - started) * 1000))
        stage.memory.put(authorizer, identity, verdict, now)
        return verdict


class FunctionFailed(Exception):
    """The function ran and failed; its own log says more than the text."""


class Missing(Exception):
    """Something that the integration needs is not there; the text says what, and how to get it."""


def method_arns(api: Api, incoming: Incoming) -> tuple[str, ...]:
    """What an authorizer and a policy are asked about: the path as it was called. For a REST API the other spellings
    that its routes take for the same path follow, without escapes and without a slash at the end: a policy that forbids
    one of them forbids the call."""
    paths = [unquote(incoming.path)]
    if api.kind == "REST":
        paths = [incoming.path, *paths, *(path.rstrip("/") or "/" for path in (incoming.path, paths[0]))]
    return tuple(
        str(Arn("execute-api", f"{api.id}/{api.stage}/{incoming.method}{path}")) for path in dict.fromkeys(paths)
    )


def source_arn(api: Api, match: Match, incoming: Incoming) -> str:
    """In whose name a function is invoked: the route, not the path that was called."""
    route = match.route
    tail = DEFAULT if route.path == DEFAULT else f"{incoming.method}{route.path}"
    return str(Arn("execute-api", f"{api.id}/{api.stage}/{tail}"))


async def _in_time(work: Awaitable[T], integration: Integration) -> T:
    # As `asyncio.timeout` does it, which takes a seventh of what an API needs for a request beside its function.
    task = asyncio.current_task()
    assert task is not None
    before, expired = task.cancelling(), list[bool]()

    def expire() -> None:
        expired.append(True)
        task.cancel()

    timer = asyncio.get_running_loop().call_later(integration.timeout, expire)
    try:
        return await work
    except (asyncio.CancelledError, TimeoutError) as error:
        if isinstance(error, asyncio.CancelledError) and not (expired and task.uncancel() <= before):
            raise
        raise IntegrationTimeout from Missing(f"no answer within {integration.timeout:g} s")
    except Busy as error:
        raise IntegrationBusy from error
    finally:
        timer.cancel()


def _context(payload: str, api: Api, match: Match, incoming: Incoming, signer: Signer | None) -> Event:
    make = context_v2 if payload == "2.0" else context_v1
    principal, key = (signer.principal, signer.access_key) if signer else (None, "")
    return make(api, match, incoming, principal, key)


def _traced(answer: Answer, api: Api, incoming: Incoming) -> Answer:
    """A REST API tells the trace of what a function answered."""
    if api.kind != "REST":
        return answer
    return Answer(answer.status, [*answer.headers, ("X-Amzn-Trace-Id", incoming.trace)], answer.body)


def failure(payload: bytes) -> str:
    """A failed function's error in a few words."""
    try:
        given = json.loads(payload)
        return f"{given.get('errorType', 'Error')}: {given.get('errorMessage', '')}"[:500]
    except (ValueError, AttributeError, RecursionError):
        return payload[:200].decode("utf-8", "replace")


def _dump(event: Event) -> bytes:
    return _encode(event).encode("utf-8", "replace")
