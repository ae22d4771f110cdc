"""CloudFormation over the whole table of operations: a stack's work may do what whoever asked for it may do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from alight.assembly.doors import Doors
from alight.assembly.roles import services_that_take
from alight.assembly.store import Store
from alight.assembly.templates import Templates
from alight.calls import Call, Members, Principal
from alight.errors.common import ValidationError
from alight.gateway.keyring import assumed
from alight.names import new_request_id
from alight.services.iam.roles import Roles
from alight.services.iam.uses import noted
from alight.services.passing import Standing, checked
from alight.services.tracing import traced
from alight.stacks.provider import CallOperation
from alight.stacks.service.ground import Ground
from alight.stacks.service.service import CloudFormation

SERVICE = "cloudformation.amazonaws.com"
_SESSION = "AWSCloudFormation"
Authorize = Callable[[Call, Members], None]


def build_formation(store: Store, doors: Doors, templates: Templates, authorize: Authorize) -> CloudFormation:
    def acting(principal: Principal) -> CallOperation:
        async def call(service: str, operation: str, given: Members) -> Members:
            now = doors.iam.as_now(principal)
            asked = Call(service, operation, new_request_id(), now, base_url=store.address.local())
            authorize(asked, given)
            return await doors.operations[service, operation](asked, given)

        return call

    return CloudFormation(Ground(templates.means, acting, assuming(doors.iam.roles)))


def with_formation(doors: Doors, formation: CloudFormation, store: Store) -> Doors:
    """The doors with CloudFormation's among them."""
    own = noted(checked(formation.operations(), services_that_take(doors.iam.roles)), doors.iam.keys)
    return replace(doors, operations={**doors.operations, **traced(own, store.telemetry, store.clock)})


def assuming(roles: Roles) -> Callable[[str], Principal]:
    """The principal of a role that CloudFormation takes; asked again before each piece of work."""
    judge = services_that_take(roles)

    def assume(arn: str) -> Principal:
        role = roles.by_arn(arn)
        if role is None or judge(arn, SERVICE) is not Standing.TRUSTS:
            raise ValidationError(f"Role {arn} is invalid or cannot be assumed")
        return assumed(role.name, _SESSION, role.body["RoleId"], role.body["Path"])

    return assume
