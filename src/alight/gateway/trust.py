"""A role's trust policy: who may take the role. Pure.

A trust policy is a resource's policy whose resource is the role itself, which is why its statements name none.
"""

from __future__ import annotations

from alight.calls import Members, Principal
from alight.gateway.policy import Context, Verdict, Who, verdict, who
from alight.gateway.service_policy import service_may

ASSUME = "sts:AssumeRole"


def service_may_assume(trust: Members, service: str, role: str, context: Context) -> bool:
    """Whether a service of AWS (`lambda.amazonaws.com`) may take `role`, an ARN."""
    return service_may(about(trust), service, ASSUME, role, context)


def caller_may_assume(trust: Members, principal: Principal, role: str, context: Context) -> bool:
    """Whether a caller may take `role`, an ARN, as far as the role is concerned: it names them, or their account, which
    leaves it to the caller's own policies."""
    caller = who(principal)
    meant = Who(caller.names | {caller.account}, caller.account)
    return verdict([about(trust)], ASSUME, role, context, meant) is Verdict.ALLOWED


def about(trust: Members) -> Members:
    """The same policy with a resource in each statement, as `gateway.policy` wants it."""
    found = trust.get("Statement", [])
    statements = found if isinstance(found, list) else [found]
    return {"Statement": [{**item, "Resource": "*"} for item in statements if isinstance(item, dict)]}
