"""Who may take a role, and what it may do: roles' records are IAM's, the judging of policies is the gateway's."""

from __future__ import annotations

from alight.assembly.store import Store
from alight.calls import Call, Members
from alight.clock import Clock
from alight.gateway.authorize import PoliciesOf, request_context, strangers
from alight.gateway.role_policy import RoleMay, roles
from alight.gateway.trust import caller_may_assume, service_may_assume
from alight.names import ACCOUNT
from alight.services.iam.roles import Roles
from alight.services.passing import Judge, Standing
from alight.services.permissions import condition_keys
from alight.services.resource_policies import ResourcePolicies
from alight.services.s3.public import Access
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
        own = condition_keys(call.service, call.operation, given)
        keys = {**request_context(call, clock.now()), **own}
        return caller_may_assume(trust, call.principal, role, keys)

    return takes


def what_roles_may(store: Store, policies_of: PoliciesOf, resources: ResourcePolicies) -> RoleMay:
    """What a role may do where a service acts with it: by its own policies, and by the policies of what it acts on."""
    buckets = Access(store.objects, strangers(store.clock))
    return roles(policies_of, store.clock, lambda arn: (*buckets.policies_of(arn), *resources.policies_of(arn)))
