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
    if "Principal" not in statement:
        # As for callers: one that names nobody, or all but some, can keep a service out and lets none in.
        return statement.get("Effect") == "Deny" and service not in _services(statement.get("NotPrincipal"))
    principal: object = statement["Principal"]
    if not isinstance(principal, dict):
        return principal == "*"
    return service in _services(principal) or "*" in _listed(principal.get("AWS"))


def _services(principal: Any) -> list[Any]:
    return _listed(principal.get("Service")) if isinstance(principal, dict) else []


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
