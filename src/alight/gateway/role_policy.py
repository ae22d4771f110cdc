"""What a role may do where a service acts with it: Lambda that tells a destination, or reads a queue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from alight.calls import Members, Principal
from alight.clock import Clock
from alight.gateway.authorize import PoliciesOf
from alight.gateway.policy import Verdict, verdict, who
from alight.names import ACCOUNT, role_arn

#: (role's name, action, resource's ARN) -> may it.
RoleMay = Callable[[str, str, str], bool]


def _says_nothing(resource: str) -> Sequence[Members]:
    return ()


def roles(policies_of: PoliciesOf, clock: Clock, resource_policies_of: PoliciesOf = _says_nothing) -> RoleMay:
    """Judges by the policies of the role and of the resource, as they are now: either may allow, either may deny."""

    def may(role: str, action: str, resource: str) -> bool:
        now = int(clock.now())
        context = {
            "aws:CurrentTime": datetime.fromtimestamp(now, UTC).isoformat(),
            "aws:EpochTime": str(now),
            "aws:PrincipalAccount": ACCOUNT,
            "aws:PrincipalArn": role_arn(role),
            "aws:PrincipalType": "AssumedRole",
            "aws:SecureTransport": "true",
        }
        caller = who(Principal("role", role_arn(role), role, role=role))
        said = {
            verdict(policies_of(role), action, resource, context),
            verdict(resource_policies_of(resource), action, resource, context, caller),
        }
        return Verdict.ALLOWED in said and Verdict.DENIED not in said

    return may
