"""Function URLs, joined to what they may not import: functions, signatures and policies.

Who calls a URL needs two permissions, as on AWS: lambda:InvokeFunctionUrl and lambda:InvokeFunction. Where the URL
asks for no signature, the function's policy has to give both to everybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from alight.apis.calling import Missing, Ran, Signer
from alight.apis.function_urls import LABEL, PREFIX, Called, Find, FunctionUrl, FunctionUrls
from alight.apis.request import Incoming
from alight.asgi import Scope, sandboxed
from alight.assembly.apis import Permits, find_function
from alight.assembly.running import Running
from alight.assembly.store import Store
from alight.calls import ANONYMOUS, Call, Members, Principal
from alight.errors import Fault
from alight.errors.apis import ForbiddenException, IntegrationFailed, InvalidSignatureException
from alight.errors.gateway import MissingAuthentication
from alight.gateway.authorize import Limits, OwnPolicies, request_context
from alight.gateway.mounted import signer
from alight.gateway.mounts import Mount
from alight.gateway.policy import NOBODY, Verdict, verdict, who
from alight.gateway.signature import Lookup
from alight.names import REGION
from alight.store.telemetry import Telemetry

ACTIONS = ("lambda:InvokeFunctionUrl", "lambda:InvokeFunction")


def build_function_urls(
    store: Store, running: Running, keys: Lookup, policies_of: OwnPolicies, limits_of: Limits, find: Find
) -> dict[str, Mount]:
    """The mounts of the gateway that serve function URLs: by path, and by the label in a Host."""
    permits = Permits()

    async def run(url: FunctionUrl, event: bytes, request_id: str) -> Ran:
        function = find_function(url.function, running.runner, permits)
        if function is None:
            raise IntegrationFailed from Missing(f"there is no function {url.function}")
        return await function.run(event, request_id)

    guard = Guard(store, running, keys, policies_of, limits_of)
    urls = FunctionUrls(find, guard.admit, run, store.clock, lambda called: record(store.telemetry, called))
    # Any page may call it; whether it may read the answer is for the URL's CORS to say.
    return {PREFIX: Mount(sandboxed(urls), True, reads_whole=True), LABEL: Mount(urls, True, reads_whole=True)}


@dataclass(frozen=True, slots=True)
class Guard:
    """Who may call a URL."""

    store: Store
    running: Running
    keys: Lookup
    policies_of: OwnPolicies
    limits_of: Limits

    def admit(self, url: FunctionUrl, scope: Scope, incoming: Incoming, body: bytes) -> Signer | None:
        """Raises `ForbiddenException`, or the fault of a signature that is none."""
        signed = self._signer(scope, body) if url.signed else None
        principal = signed.principal if signed else ANONYMOUS
        for action in ACTIONS:
            if not self._may(principal, action, url, incoming):
                raise ForbiddenException from Missing(
                    f"{principal.arn} has no permission for {action} on {url.function}; "
                    "aws lambda add-permission (or a template's AWS::Lambda::Permission) gives it"
                )
        return signed

    def _signer(self, scope: Scope, body: bytes) -> Signer:
        now = self.store.clock.now()
        try:
            return Signer(*signer(scope, body, self.keys, now=now, service="lambda", region=REGION))
        except MissingAuthentication:
            raise ForbiddenException from Missing("the request is not signed, and the URL's AuthType is AWS_IAM")
        except Fault as fault:
            raise InvalidSignatureException(fault.message) from None

    def _may(self, principal: Principal, action: str, url: FunctionUrl, incoming: Incoming) -> bool:
        if principal.kind == "root":
            return True
        context = self._context(principal, incoming) | {
            "lambda:FunctionUrlAuthType": "AWS_IAM" if url.signed else "NONE",
            "lambda:InvokedViaFunctionUrl": "true",
        }
        theirs = [self._policy(url)]
        if principal.kind == "anonymous":
            return verdict(theirs, action, url.function, context, NOBODY) is Verdict.ALLOWED
        own: Sequence[Members] = self.policies_of(principal)
        said = {
            verdict(own, action, url.function, context),
            verdict(theirs, action, url.function, context, who(principal)),
        }
        limits = self.limits_of(principal)
        limited = Verdict.ALLOWED if limits is None else verdict(limits, action, url.function, context)
        return Verdict.DENIED not in said and Verdict.ALLOWED in said and limited is Verdict.ALLOWED

    def _context(self, principal: Principal, incoming: Incoming) -> dict[str, str]:
        call = Call(
            service="lambda",
            operation="InvokeFunctionUrl",
            request_id=incoming.request_id,
            principal=principal,
            source_ip=incoming.source_ip,
            base_url=f"{incoming.scheme}://{incoming.domain}",
            headers=incoming.single,
        )
        return request_context(call, self.store.clock.now())

    def _policy(self, url: FunctionUrl) -> Members:
        try:
            kept: dict[str, Any] = self.running.catalogue.kept(url.function)
        except Fault:
            return {"Statement": []}
        return {"Statement": list(kept["Policy"].values())}


def record(telemetry: Telemetry, called: Called) -> None:
    """One step of the request's story, and the metrics of the function's URL."""
    incoming, name = called.incoming, called.url.function.split(":")[6]
    why = {"why": called.why} if called.why else {}
    span = f"lambda-url {incoming.method} {incoming.path[:200]}"
    telemetry.span(incoming.request_id, span, incoming.moment, called.ended, Function=name, Status=called.status, **why)
    where = {"FunctionName": name}
    counts = {"UrlRequestCount": 1.0}
    counts |= {f"Url{first}xxCount": float(called.status // 100 == first) for first in (4, 5)}
    for metric, value in counts.items():
        telemetry.metric("AWS/Lambda", metric, value, where, unit="Count", timestamp=called.ended)
    latency = max(called.ended - incoming.moment, 0.0) * 1000
    telemetry.metric("AWS/Lambda", "UrlRequestLatency", latency, where, unit="Milliseconds", timestamp=called.ended)
