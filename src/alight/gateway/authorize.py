"""May this caller do this to that? Policies are enforced as on AWS, so a missing permission fails here.

The owner of the folder may do everything. A role or a user may do what its own policies allow, or what the resource's
policy allows it; the policies of a session narrow both, and an explicit Deny in any wins. Who has not signed has the
resource's policy alone (`strangers`). The service layer hands over functions: which actions on which resources an
operation needs, which policies a caller, its session and a resource have, and the condition keys that a request gives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from alight.calls import Call, Members, Principal
from alight.clock import Clock
from alight.errors import Fault
from alight.errors.common import AccessDenied, AccessDeniedException, AuthorizationError, InvalidClientTokenId
from alight.gateway.policy import NOBODY, Context, Keys, Spoken, Verdict, verdict, who
from alight.names import ACCOUNT, REGION, role_arn

Needs = Callable[[str, str, Members], Sequence[tuple[str, str]]]
PoliciesOf = Callable[[str], Sequence[Members]]
OwnPolicies = Callable[[Principal], Sequence[Members]]
#: What narrows a caller's session; None where nothing does.
Limits = Callable[[Principal], Sequence[Members] | None]
#: A request with what it leaves unsaid: whose path, which user.
Fill = Callable[[Call, Members], Members]
#: (service, operation, members) -> condition keys and their values.
KeysOf = Callable[[str, str, Members], Context]
#: (policy, action, resource, call, further condition keys) -> allowed, denied, or None where it says nothing.
Judge = Callable[[Members, str, str, Call, Context], bool | None]

#: The services that do not say AccessDeniedException.
_FAULTS: Mapping[str, type[Fault]] = {
    "cloudformation": AccessDenied,
    "s3": AccessDenied,
    "iam": AccessDenied,
    "sts": AccessDenied,
    "sns": AuthorizationError,
}
#: Lists of policies (a caller's, a resource's) whose statements are remembered.
LISTS = 512
_ANSWERS: Mapping[Verdict, bool | None] = {Verdict.ALLOWED: True, Verdict.DENIED: False, Verdict.SILENT: None}


def _no_policies(resource: str) -> Sequence[Members]:
    return ()


def _no_limits(principal: Principal) -> Sequence[Members] | None:
    return None


def _as_given(call: Call, given: Members) -> Members:
    return given


def _no_keys(service: str, operation: str, given: Members) -> Context:
    return {}


class Authorizer:
    """Raises AWS's refusal, naming caller, action and resource, where policies do not allow a call.

    `policies_of(principal)`, `limits_of(principal)` and `resource_policies_of(ARN)` give whole documents.
    """

    def __init__(
        self,
        *,
        needs: Needs,
        policies_of: OwnPolicies,
        clock: Clock,
        limits_of: Limits = _no_limits,
        fill: Fill = _as_given,
        resource_policies_of: PoliciesOf = _no_policies,
        keys_of: KeysOf = _no_keys,
    ) -> None:
        self._needs = needs
        self._policies_of = policies_of
        self._clock = clock
        self._limits_of = limits_of
        self._fill = fill
        self._resource_policies_of = resource_policies_of
        self._keys_of = keys_of
        #: By the documents themselves, which are kept with it: their ids stay theirs.
        self._known: dict[tuple[int, ...], Spoken] = {}

    def __call__(self, call: Call, given: Members) -> None:
        if call.service == "iam" and call.principal.kind in ("root", "user") and call.principal.session is not None:
            # What GetSessionToken gives out is, without a second factor, no key to identities.
            raise InvalidClientTokenId
        if call.principal.kind in ("root", "service"):
            return
        given = self._fill(call, given)
        keys = Keys(
            lambda: {
                **request_context(call, self._clock.now()),
                **self._keys_of(call.service, call.operation, given),
            }
        )
        for action, resource in self._needs(call.service, call.operation, given):
            if why := self._refused(call, action, resource, keys):
                raise _refusal(call, action, resource, why)

    def _spoken(self, policies: Sequence[Members]) -> Spoken:
        place = tuple(map(id, policies))
        known = self._known.get(place)
        if known is None:
            if len(self._known) >= LISTS:
                self._known.clear()
            known = self._known[place] = Spoken(policies)
        return known

    def _refused(self, call: Call, action: str, resource: str, keys: Keys) -> str:
        """Why not; nothing where it is allowed."""
        own = self._spoken(self._policies_of(call.principal)).verdict(action, resource, keys)
        if own is Verdict.DENIED:
            return "with an explicit deny in an identity-based policy"
        limits = self._limits_of(call.principal)
        session = Verdict.ALLOWED if limits is None else verdict(limits, action, resource, keys)
        if session is Verdict.DENIED:
            return "with an explicit deny in a session policy"
        of_resource = self._resource_policies_of(resource)
        theirs, is_allowed = Verdict.SILENT, own is Verdict.ALLOWED
        if of_resource:
            caller, spoken = who(call.principal), self._spoken(of_resource)
            theirs = verdict(spoken, action, resource, keys, caller, denied_only=is_allowed)
        if theirs is Verdict.DENIED:
            return "with an explicit deny in a resource-based policy"
        if Verdict.ALLOWED in (own, theirs):
            if session is Verdict.ALLOWED:
                return ""
            return f"because no session policy allows the {action} action"
        return f"because no identity-based policy allows the {action} action"


def strangers(clock: Clock) -> Judge:
    """Judges calls that nobody signed by a resource's policy."""

    def judge(policy: Members, action: str, resource: str, call: Call, keys: Context) -> bool | None:
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
        "aws:RequestedRegion": REGION,
        "aws:ViaAWSService": "false",
        "aws:SecureTransport": "true" if local or call.base_url.startswith("https:") else "false",
    }
    for key, header in (("aws:Referer", "referer"), ("aws:UserAgent", "user-agent")):
        if header in call.headers:
            context[key] = call.headers[header]
    if call.principal.kind == "anonymous":
        return context | {"aws:PrincipalType": "Anonymous"}
    return context | principal_context(call.principal)


def principal_context(principal: Principal) -> dict[str, str]:
    """The condition keys that say who calls."""
    context = {
        "aws:PrincipalArn": role_arn(principal.role, principal.path) if principal.role else principal.arn,
        "aws:PrincipalAccount": ACCOUNT,
        "aws:PrincipalType": {"role": "AssumedRole", "user": "User"}.get(principal.kind, "Account"),
        "aws:PrincipalIsAWSService": "false",
        "aws:userid": principal.user_id,
    }
    if principal.user:
        context["aws:username"] = principal.user
    if principal.session is not None:
        # There are no second factors here, so no session was opened with one.
        context["aws:MultiFactorAuthPresent"] = "false"
        context["aws:TokenIssueTime"] = datetime.fromtimestamp(principal.session.issued, UTC).isoformat()
    return context


def _refusal(call: Call, action: str, resource: str, why: str) -> Fault:
    fault = _FAULTS.get(call.service, AccessDeniedException)
    return fault(f"User: {call.principal.arn} is not authorized to perform: {action} on resource: {resource} {why}")
