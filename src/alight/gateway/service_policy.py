"""A resource's policy and another service of AWS that acts by itself: API Gateway that invokes a function."""

from __future__ import annotations

from typing import Any

from alight.calls import Members
from alight.gateway.policy import Context, allowed


def service_may(policy: Members, service: str, action: str, resource: str, context: Context) -> bool:
    """Whether `policy` lets `service` (`apigateway.amazonaws.com`) do this: only statements that name it, or
    everybody, speak of that."""
    statements = [item for item in _listed(policy.get("Statement")) if isinstance(item, dict) and _names(item, service)]
    return allowed([{"Statement": statements}], action, resource, context)


def _names(statement: Members, service: str) -> bool:
    principal = statement.get("Principal")
    if not isinstance(principal, dict):
        return principal == "*"
    return service in _listed(principal.get("Service")) or "*" in _listed(principal.get("AWS"))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
