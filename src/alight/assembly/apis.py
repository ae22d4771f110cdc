"""Deployed APIs: the door of `apis/` with everything that it may not import itself.

Functions run in the functions room and are asked for by their records, signatures are checked by the gateway, policies
judged by it, and other servers reached through the gate that webhooks go through.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from alight.apis.authorizers import INVOKE, is_denied
from alight.apis.calling import Busy, Callers, Function, Missing, Ran, Signer
from alight.apis.door import LABEL, PREFIX, Door, Find, Told
from alight.apis.upstream import Reach
from alight.asgi import sandboxed
from alight.assembly.running import Running
from alight.assembly.store import Store
from alight.calls import Principal
from alight.errors import AlightError, Fault
from alight.errors.apis import (
    ExpiredTokenException,
    IntegrationFailed,
    InvalidSignatureException,
    MissingAuthenticationTokenException,
    NotAuthorized,
    UnrecognizedClientException,
)
from alight.errors.gateway import ExpiredToken, InvalidAccessKeyId, MissingAuthentication
from alight.errors.lambda_ import TooManyRequestsException
from alight.functions.invocation import Invocation
from alight.functions.pool import PoolClosed
from alight.gateway.authorize import Limits, OwnPolicies, principal_context
from alight.gateway.mounted import signer
from alight.gateway.mounts import Mount
from alight.gateway.policy import allowed
from alight.gateway.service_policy import service_may
from alight.gateway.signature import Lookup
from alight.names import ACCOUNT, REGION
from alight.notifications.channels.addresses import Gate, GatedResolver
from alight.notifications.policy import Failed
from alight.services.lambda_.runner import Runner
from alight.store.metrics import together
from alight.store.minutes import Column, Together
from alight.store.telemetry import Telemetry

if TYPE_CHECKING:
    import aiohttp
    from aiohttp.abc import AbstractResolver

PRINCIPAL = "apigateway.amazonaws.com"
#: Answers of functions' policies that are kept.
REMEMBERED = 4_096
#: Seconds to open a connection to another server; the integration's own time covers the rest.
CONNECT_DEADLINE = 10.0


def build_apis(
    store: Store,
    running: Running,
    gate: Gate,
    keys: Lookup,
    policies_of: OwnPolicies,
    limits_of: Limits,
    find: Find,
    exits: AsyncExitStack,
) -> dict[str, Mount]:
    """The mounts of the gateway that serve APIs: by path, and by the label in a Host."""
    outward, permits = Outward(gate), Permits()
    exits.push_async_callback(outward.close)
    callers = Callers(
        functions=lambda arn: find_function(arn, running.runner, permits),
        clock=store.clock,
        allowed=allowed,
        verify=Verifier(keys, policies_of, limits_of, store).signer,
        reach=Reach(outward.open, gate.check_url, Failed),
    )
    door = Door(find, callers, store.clock, lambda told: record(store.telemetry, told))
    # Any page may call a public API; whether it may read the answer is for the API to say.
    return {PREFIX: Mount(sandboxed(door), True, reads_whole=True), LABEL: Mount(door, True, reads_whole=True)}


# Functions -----------------------------------------------------------------------------------------------------------


class Permits:
    """Whether functions let API Gateway in, remembered for as long as their policies say the same."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[dict[str, Any], bool]] = {}

    def __call__(self, function: str, policy: dict[str, Any], source_arn: str) -> bool:
        """`policy` are the function's statements by their ids."""
        place = (function, source_arn)
        known = self._known.get(place)
        if known is None or (known[0] is not policy and known[0] != policy):
            context = {"aws:SourceArn": source_arn, "aws:SourceAccount": ACCOUNT}
            document = {"Statement": list(policy.values())}
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            known = policy, service_may(document, PRINCIPAL, "lambda:InvokeFunction", function, context)
            self._known[place] = known
        return known[1]


@dataclass(frozen=True, slots=True)
class InvokedFunction:
    """A function's record as an API sees it: may I, and run."""

    body: dict[str, Any]
    runner: Runner
    permits: Permits

    def admits(self, source_arn: str) -> bool:
        return self.permits(self._arn, self.body["Policy"], source_arn)

    async def run(self, payload: bytes, request_id: str) -> Ran:
        try:
            outcome = await self.runner.request(self.body, Invocation(request_id, payload))
        except TooManyRequestsException as fault:
            raise Busy(f"{self._arn} runs as often at a time as its reserved concurrency allows") from fault
        except PoolClosed as error:
            raise Busy("Alight is being stopped") from error
        except AlightError as error:
            raise IntegrationFailed from Missing(error.message)
        return Ran(outcome.payload, outcome.function_error is not None)

    @property
    def _arn(self) -> str:
        return str(self.body["Configuration"]["FunctionArn"])


def find_function(arn: str, runner: Runner, permits: Permits) -> Function | None:
    try:
        body = runner.find(arn)
    except Fault:
        return None
    return None if body is None else InvokedFunction(body, runner, permits)


# Callers -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Verifier:
    """AWS_IAM: who signed, and may they."""

    keys: Lookup
    policies_of: OwnPolicies
    limits_of: Limits
    store: Store

    def signer(self, scope: Mapping[str, Any], body: bytes, arns: Sequence[str]) -> Signer:
        now = self.store.clock.now()
        try:
            principal, key = signer(scope, body, self.keys, now=now, service="execute-api", region=REGION)
        except MissingAuthentication:
            raise MissingAuthenticationTokenException from None
        except InvalidAccessKeyId:
            raise UnrecognizedClientException from None
        except ExpiredToken:
            raise ExpiredTokenException from None
        except Fault as fault:
            raise InvalidSignatureException(fault.message) from None
        self._check(principal, arns, (scope.get("client") or ("",))[0])
        return Signer(principal, key)

    def _check(self, principal: Principal, arns: Sequence[str], source_ip: str) -> None:
        if principal.kind == "root":
            return
        context = {"aws:SourceIp": source_ip, **principal_context(principal)}
        limits = self.limits_of(principal)
        parts = [self.policies_of(principal), *([limits] if limits is not None else [])]
        if any(is_denied(one, arns, context, allowed) or not allowed(one, INVOKE, arns[0], context) for one in parts):
            masked = arns[0].replace(ACCOUNT, f"********{ACCOUNT[-4:]}")
            raise NotAuthorized(
                f"User: {principal.arn} is not authorized to perform: execute-api:Invoke on resource: {masked} "
                "because no identity-based policy allows the execute-api:Invoke action"
            )


# Other servers -------------------------------------------------------------------------------------------------------


class Outward:
    """The client for HTTP_PROXY: to checked addresses only, made on first use."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._session: aiohttp.ClientSession | None = None

    def open(self) -> aiohttp.ClientSession:
        import aiohttp

        if self._session is None:
            resolver = cast("AbstractResolver", GatedResolver(self._gate))
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False, limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_DEADLINE),
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
                auto_decompress=False,
                trust_env=False,
            )
        return self._session

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None


# The story -----------------------------------------------------------------------------------------------------------


def record(telemetry: Telemetry, told: Told) -> None:
    """One step of the request's story, and API Gateway's metrics."""
    api, incoming = told.api, told.incoming
    why = {"why": told.why} if told.why else {}
    telemetry.span(
        incoming.request_id,
        f"execute-api {told.route}",
        incoming.moment,
        told.ended,
        Api=api.id,
        Name=api.name,
        Stage=api.stage,
        Status=told.status,
        **why,
    )
    measure(telemetry, told)


def measure(telemetry: Telemetry, told: Told) -> None:
    """API Gateway's metrics, for the API and for its stage. Each request tells whether it was an error, so that an
    average is a rate."""
    api = told.api
    first = told.status // 100
    latency = max(told.ended - told.incoming.moment, 0.0) * 1000
    values: tuple[float, ...] = (1.0, float(first == 4), float(first == 5), latency)
    asked = told.integration is not None
    if told.integration is not None:
        values += (told.integration * 1000,)
    is_rest = api.kind == "REST"
    name = (api.name or api.id) if is_rest else api.id
    telemetry.tell(_series(is_rest, name, api.stage, asked), *values, timestamp=told.ended)


@lru_cache(maxsize=1_024)
def _series(is_rest: bool, name: str, stage: str, asked: bool) -> Together:
    """The metrics of one stage and its API; with `asked`, of a request that asked an integration."""
    error = "XXError" if is_rest else "xx"
    columns: tuple[Column, ...] = (
        ("Count", "Count"),
        (f"4{error}", "Count"),
        (f"5{error}", "Count"),
        ("Latency", "Milliseconds"),
    )
    if asked:
        columns += (("IntegrationLatency", "Milliseconds"),)
    whole = {"ApiName" if is_rest else "ApiId": name}
    return together("AWS/ApiGateway", columns, whole, whole | {"Stage": stage})
