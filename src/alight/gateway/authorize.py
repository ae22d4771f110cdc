"""May this caller do this to that? Policies are enforced as on AWS, so a missing permission fails here.

The owner of the folder may do everything. A worker may do what its function's role allows, or what the resource's own
policy allows that role; an explicit Deny in either wins. Whoever has not signed has the resource's policy alone
(`strangers`). The service layer hands over functions: which actions on which resources an operation needs, which
policies a role has and a resource has, and the condition keys that a request gives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from alight.calls import Call, Members
from alight.clock import Clock
from alight.errors import Fault
from alight.errors.common import AccessDenied, AccessDeniedException, AuthorizationError
from alight.gateway.policy import NOBODY, Verdict, verdict, who
from alight.names import ACCOUNT, role_arn

Needs = Callable[[str, str, Members], Sequence[tuple[str, str]]]
PoliciesOf = Callable[[str], Sequence[Members]]
#: (service, operation, members) -> condition keys and their values.
KeysOf = Callable[[str, str, Members], Mapping[str, str]]
#: (policy, action, resource, call, further condition keys) -> allowed, denied, or None where it says nothing.
Judge = Callable[[Members, str, str, Call, Mapping[str, str]], bool | None]

#: The services that do not say AccessDeniedException.
_FAULTS: Mapping[str, type[Fault]] = {
    "cloudformation": AccessDenied,
    "s3": AccessDenied,
    "iam": AccessDenied,
    "sts": AccessDenied,
    "sns": AuthorizationError,
}
_ANSWERS: Mapping[Verdict, bool | None] = {Verdict.ALLOWED: True, Verdict.DENIED: False, Verdict.SILENT: None}


def _no_policies(resource: str) -> Sequence[Members]:
    return ()


def _no_keys(service: str, operation: str, given: Members) -> Mapping[str, str]:
    return {}


class Authorizer:
    """Raises AWS's refusal, naming caller, action and resource, where policies do not allow a call.

    `policies_of(role)` and `resource_policies_of(ARN)` give whole documents.
    """

    def __init__(
        self,
        *,
        needs: Needs,
        policies_of: PoliciesOf,
        clock: Clock,
        resource_policies_of: PoliciesOf = _no_policies,
        keys_of: KeysOf = _no_keys,
    ) -> None:
        self._needs = needs
        self._policies_of = policies_of
        self._clock = clock
        self._resource_policies_of = resource_policies_of
        self._keys_of = keys_of

    def __call__(self, call: Call, given: Members) -> None:
        if call.principal.kind in ("root", "service"):
            return
        context = {**request_context(call, self._clock.now()), **self._keys_of(call.service, call.operation, given)}
        for action, resource in self._needs(call.service, call.operation, given):
            if why := self._refused(call, action, resource, context):
                raise _refusal(call, action, resource, why)

    def _refused(self, call: Call, action: str, resource: str, context: Mapping[str, str]) -> str:
        """Why not; nothing where it is allowed."""
        policies = self._policies_of(call.principal.role) if call.principal.role else ()
        own = verdict(policies, action, resource, context)
        if own is Verdict.DENIED:
            return "with an explicit deny in an identity-based policy"
        theirs = verdict(self._resource_policies_of(resource), action, resource, context, who(call.principal))
        if theirs is Verdict.DENIED:
            return "with an explicit deny in a resource-based policy"
        if Verdict.ALLOWED in (own, theirs):
            return ""
        return f"because no identity-based policy allows the {action} action"


def strangers(clock: Clock) -> Judge:
    """Judges calls that nobody signed by a resource's policy."""

    def judge(policy: Members, action: str, resource: str, call: Call, keys: Mapping[str, str]) -> bool | None:
        context = {**request_context(call, clock.now()), **keys}
        return _ANSWERS[verdict([policy], action, resource, context, NOBODY)]

    return judge


def request_context(call: Call, now: float) -> dict[str, str]:
    """AWS's global condition keys, as far as a request here has them.

    What comes from this machine never crossed a network and counts as `aws:SecureTransport`: policies that demand TLS
    keep strangers out, not the workers beside us.
    """
    local = call.source_ip.startswith("127.") or call.source_ip == "::1"
    context = {
        "aws:CurrentTime": datetime.fromtimestamp(int(now), UTC).isoformat(),
        "aws:EpochTime": str(int(now)),
        "aws:SourceIp": call.source_ip,
        "aws:SecureTransport": "true" if local or call.base_url.startswith("https:") else "false",
    }
    for key, header in (("aws:Referer", "referer"), ("aws:UserAgent", "user-agent")):
        if header in call.headers:
            context[key] = call.headers[header]
    if call.principal.kind == "anonymous":
        return context | {"aws:PrincipalType": "Anonymous"}
    return context | {
        "aws:PrincipalArn": role_arn(call.principal.role) if call.principal.role else call.principal.arn,
        "aws:PrincipalAccount": ACCOUNT,
        "aws:PrincipalType": "AssumedRole" if call.principal.kind == "role" else "Account",
        "aws:userid": call.principal.user_id,
    }


def _refusal(call: Call, action: str, resource: str, why: str) -> Fault:
    fault = _FAULTS.get(call.service, AccessDeniedException)
    return fault(f"User: {call.principal.arn} is not authorized to perform: {action} on resource: {resource} {why}")
