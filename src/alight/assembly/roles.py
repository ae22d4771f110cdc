"""Who may take a role: the roles' records are IAM's, the judging of their trust policies is the gateway's."""

from __future__ import annotations

from alight.calls import Call, Members
from alight.clock import Clock
from alight.gateway.authorize import request_context
from alight.gateway.trust import caller_may_assume, service_may_assume
from alight.names import ACCOUNT
from alight.services.iam.roles import Roles
from alight.services.passing import Judge, Standing
from alight.services.permissions import condition_keys
from alight.services.sts import Takes


def services_that_take(roles: Roles) -> Judge:
    """Whether a service may take a role: asked before anything is described with it."""

    def judge(role: str, service: str) -> Standing:
        trust = roles.trust_of(role)
        if trust is None:
            return Standing.MISSING
        trusts = service_may_assume(trust, service, role, {"aws:SourceAccount": ACCOUNT})
        return Standing.TRUSTS if trusts else Standing.TRUSTS_NOT

    return judge


def callers_that_take(clock: Clock) -> Takes:
    """Whether a caller may take a role, as AssumeRole asks it."""

    def takes(trust: Members, role: str, call: Call, given: Members) -> bool:
        keys = request_context(call, clock.now()) | condition_keys(call.service, call.operation, given)
        return caller_may_assume(trust, call.principal, role, keys)

    return takes
