"""May this caller do this to that? Identity policies are enforced as on AWS, so a missing permission fails here.

The owner of the folder may do everything; a worker may do what its function's role allows, and nothing else. The
service layer hands over two functions: which actions on which resources an operation needs, and which policies a
role has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from alight.calls import Call, Members
from alight.errors import Fault
from alight.errors.common import AccessDenied, AccessDeniedException, AuthorizationError

Needs = Callable[[str, str, Members], Sequence[tuple[str, str]]]
PoliciesOf = Callable[[str], Sequence[Members]]
Allowed = Callable[[Sequence[Members], str, str, Mapping[str, str]], bool]

#: The services that do not say AccessDeniedException.
_FAULTS: Mapping[str, type[Fault]] = {
    "s3": AccessDenied,
    "iam": AccessDenied,
    "sts": AccessDenied,
    "sns": AuthorizationError,
}


class Authorizer:
    """Raises AWS's refusal, naming caller, action and resource, where a role's policies do not allow a call."""

    def __init__(self, *, needs: Needs, policies_of: PoliciesOf, allowed: Allowed) -> None:
        self._needs = needs
        self._policies_of = policies_of
        self._allowed = allowed

    def __call__(self, call: Call, given: Members) -> None:
        if call.principal.kind in ("root", "service"):
            return
        policies = self._policies_of(call.principal.role) if call.principal.role else ()
        context = {"aws:SourceIp": call.source_ip, "aws:PrincipalArn": call.principal.arn}
        for action, resource in self._needs(call.service, call.operation, given):
            if not self._allowed(policies, action, resource, context):
                raise self._refusal(call, action, resource)

    def _refusal(self, call: Call, action: str, resource: str) -> Fault:
        fault = _FAULTS.get(call.service, AccessDeniedException)
        return fault(
            f"User: {call.principal.arn} is not authorized to perform: {action} on resource: {resource} "
            f"because no identity-based policy allows the {action} action"
        )
