"""Who may take a role: the roles' records are IAM's, the judging of their trust policies is the gateway's."""

from __future__ import annotations

from alight.gateway.trust import service_may_assume
from alight.names import ACCOUNT
from alight.services.iam.roles import Roles
from alight.services.passing import Judge, Standing


def services_that_take(roles: Roles) -> Judge:
    """Whether a service may take a role: asked before anything is described with it."""

    def judge(role: str, service: str) -> Standing:
        trust = roles.trust_of(role)
        if trust is None:
            return Standing.MISSING
        trusts = service_may_assume(trust, service, role, {"aws:SourceAccount": ACCOUNT})
        return Standing.TRUSTS if trusts else Standing.TRUSTS_NOT

    return judge
