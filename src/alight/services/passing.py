"""Roles that a request hands to a service: the caller needs iam:PassRole for them, the service must be trusted by them.

One table says which operations do so. Permissions and condition keys are made from it, and `checked` asks before the
operation runs, so that nothing is ever described with a role that could not be taken.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from alight import names
from alight.calls import Call, Handler, Members, Operations
from alight.errors import Fault
from alight.errors.apigateway import BadRequestException
from alight.errors.common import ValidationError
from alight.errors.lambda_ import InvalidParameterValueException
from alight.errors.sagemaker import ValidationException

ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::(?P<account>\d{12}):role(?P<path>/(?:[\w+=,.@/-]*/)?)(?P<name>[\w+=,.@-]+)")


class Standing(Enum):
    """How a role stands to a service that is to take it."""

    TRUSTS = "trusts the service"
    TRUSTS_NOT = "does not trust the service"
    MISSING = "is not there"


#: (a role's ARN, a service) -> whether there is such a role and its trust policy lets the service take it.
Judge = Callable[[str, str], Standing]


@dataclass(frozen=True, slots=True)
class Passed:
    """Which member of an operation names the role, and the service that takes it."""

    member: str
    service: str


_LAMBDA, _SAGEMAKER = "lambda.amazonaws.com", "sagemaker.amazonaws.com"
_CLOUDFORMATION = "cloudformation.amazonaws.com"
_OF_STACKS = ("ContinueUpdateRollback", "CreateChangeSet", "CreateStack", "DeleteStack", "RollbackStack", "UpdateStack")
PASSED: Mapping[tuple[str, str], Passed] = {
    ("apigateway", "UpdateAccount"): Passed("patchOperations", "apigateway.amazonaws.com"),
    **{("cloudformation", operation): Passed("RoleARN", _CLOUDFORMATION) for operation in _OF_STACKS},
    ("lambda", "CreateFunction"): Passed("Role", _LAMBDA),
    ("lambda", "UpdateFunctionConfiguration"): Passed("Role", _LAMBDA),
    ("sagemaker", "CreateEndpointConfig"): Passed("ExecutionRoleArn", _SAGEMAKER),
    ("sagemaker", "CreateModel"): Passed("ExecutionRoleArn", _SAGEMAKER),
}


def passed_role(service: str, operation: str, given: Members) -> tuple[str, str] | None:
    """The ARN of the role and the service that gets it; None where the request hands none over."""
    row = PASSED.get((service, operation))
    value = given.get(row.member) if row else None
    if row is None or not value:
        return None
    if row.member == "patchOperations":
        value = next((one.get("value") for one in value if one.get("path") == "/cloudwatchRoleArn"), None)
    return (str(value), row.service) if value else None


def checked(operations: Operations, judge: Judge) -> dict[tuple[str, str], Handler]:
    """The same table; those operations of `PASSED` refuse a role that the service could not take."""
    return {
        place: _checked(place, handler, judge) if place in PASSED else handler for place, handler in operations.items()
    }


def _checked(place: tuple[str, str], handler: Handler, judge: Judge) -> Handler:
    def asking_first(call: Call, given: Members) -> Awaitable[Members]:
        passed = passed_role(*place, given)
        if passed is not None:
            check(place[0], *passed, judge)
        return handler(call, given)

    return asking_first


def check(asked: str, role: str, taker: str, judge: Judge) -> None:
    """Raises what the service `asked` answers where `taker` may not take `role`."""
    if asked == "sagemaker" and not ROLE_ARN.fullmatch(role):
        raise ValidationException(
            f"1 validation error detected: Value '{role}' at 'executionRoleArn' failed to satisfy constraint: Member "
            "must satisfy regular expression pattern: ^arn:aws[a-z\\-]*:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+$"
        )
    standing = judge(role, taker)
    if standing is not Standing.TRUSTS:
        raise _refusal(asked, role, taker, _hint(role, taker, standing))


def _refusal(asked: str, role: str, taker: str, hint: str) -> Fault:
    match asked:
        case "lambda":
            text = "The role defined for the function cannot be assumed by Lambda."
            return InvalidParameterValueException(f"{text} {hint}", Type="User")
        case "apigateway":
            text = "The role ARN does not have required permissions configured. Please grant trust permission for API "
            return BadRequestException(f"{text}Gateway and add the required role policy. {hint}")
        case "cloudformation":
            return ValidationError(f"Role {role} is invalid or cannot be assumed. {hint}")
    return ValidationException(
        f"Could not assume role {role}. Please ensure that the role exists and allows principal '{taker}' to assume "
        f"the role. {hint}"
    )


def _hint(role: str, taker: str, standing: Standing) -> str:
    """What is wrong and the command that puts it right."""
    found = ROLE_ARN.fullmatch(role)
    if found is None:
        return f"{role!r} is not the ARN of a role."
    if found["account"] != names.ACCOUNT:
        return f"Roles here are of account {names.ACCOUNT}, this one is of {found['account']}."
    statement = {"Effect": "Allow", "Principal": {"Service": taker}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    if standing is Standing.TRUSTS_NOT:
        return (
            f"It does not trust {taker}; to let it: aws iam update-assume-role-policy --role-name {found['name']} "
            f"--policy-document '{trust}'"
        )
    path = f"--path {found['path']} " if found["path"] != "/" else ""
    return (
        f"There is no such role; to make it: aws iam create-role {path}--role-name {found['name']} "
        f"--assume-role-policy-document '{trust}'"
    )
