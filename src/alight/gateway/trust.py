"""A role's trust policy: who may take the role. Pure.

A trust policy is a resource's policy whose resource is the role itself, which is why its statements name none.
"""

from __future__ import annotations

from alight.calls import Members
from alight.gateway.policy import Context
from alight.gateway.service_policy import service_may

ASSUME = "sts:AssumeRole"


def service_may_assume(trust: Members, service: str, role: str, context: Context) -> bool:
    """Whether a service of AWS (`lambda.amazonaws.com`) may take `role`, an ARN."""
    return service_may(about(trust), service, ASSUME, role, context)


def about(trust: Members) -> Members:
    """The same policy with a resource in each statement, as `gateway.policy` wants it."""
    found = trust.get("Statement", [])
    statements = found if isinstance(found, list) else [found]
    return {"Statement": [{**item, "Resource": "*"} for item in statements if isinstance(item, dict)]}
