"""What a role may do where a service acts with it: Lambda that tells a destination, or reads a queue."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from alight.clock import Clock
from alight.gateway.authorize import PoliciesOf
from alight.gateway.policy import allowed
from alight.names import ACCOUNT, role_arn

#: (role's name, action, resource's ARN) -> may it.
RoleMay = Callable[[str, str, str], bool]


def roles(policies_of: PoliciesOf, clock: Clock) -> RoleMay:
    """Judges by the policies of the role, as they are now."""

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
        return allowed(policies_of(role), action, resource, context)

    return may
