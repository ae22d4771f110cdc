"""Roles that are handed to a service: which requests do so, and what is answered where it could not take them."""

from __future__ import annotations

import pytest

from alight.calls import Call, Members, Principal
from alight.errors import Fault
from alight.services.passing import Standing, checked, passed_role
from alight.services.permissions import condition_keys

ROLE = "arn:aws:iam::000000000000:role/service-role/r"
ACCOUNT = [{"op": "replace", "path": "/cloudwatchRoleArn", "value": ROLE}]


async def asked(service: str, operation: str, given: Members, standing: Standing) -> str:
    """`Code: message` of the refusal; nothing where the operation ran."""

    async def handler(call: Call, given: Members) -> Members:
        return {}

    table = checked({(service, operation): handler}, lambda role, taker: standing)
    try:
        await table[service, operation](Call(service, operation, "id", Principal("root", "arn", "id")), given)
    except Fault as fault:
        return f"{fault.code}: {fault.message}"
    return ""


@pytest.mark.parametrize(
    ("service", "operation", "given", "starts"),
    [
        (
            "lambda",
            "CreateFunction",
            {"Role": ROLE},
            "InvalidParameterValueException: The role defined for the functio",
        ),
        ("lambda", "UpdateFunctionConfiguration", {"Role": ROLE}, "InvalidParameterValueException: The role defined"),
        ("sagemaker", "CreateModel", {"ExecutionRoleArn": ROLE}, f"ValidationException: Could not assume role {ROLE}."),
        ("sagemaker", "CreateModel", {"ExecutionRoleArn": "me"}, "ValidationException: 1 validation error detected"),
        ("sagemaker", "CreateEndpointConfig", {"ExecutionRoleArn": ROLE}, "ValidationException: Could not assume"),
        (
            "apigateway",
            "UpdateAccount",
            {"patchOperations": ACCOUNT},
            "BadRequestException: The role ARN does not have",
        ),
    ],
)
async def test_a_role_that_cannot_be_taken(service: str, operation: str, given: Members, starts: str) -> None:
    for standing in (Standing.MISSING, Standing.TRUSTS_NOT):
        assert (await asked(service, operation, given, standing)).startswith(starts)
    if given.get("ExecutionRoleArn") != "me":
        assert await asked(service, operation, given, Standing.TRUSTS) == ""


async def test_the_refusal_says_what_puts_it_right() -> None:
    create = ("lambda", "CreateFunction")
    missing = await asked(*create, {"Role": ROLE}, Standing.MISSING)
    assert "aws iam create-role --path /service-role/ --role-name r --assume-role-policy-document '{" in missing
    assert '"Principal": {"Service": "lambda.amazonaws.com"}' in missing
    closed = await asked(*create, {"Role": ROLE}, Standing.TRUSTS_NOT)
    assert "aws iam update-assume-role-policy --role-name r --policy-document '{" in closed
    foreign = await asked(*create, {"Role": ROLE.replace("0" * 12, "1" * 12)}, Standing.MISSING)
    assert "Roles here are of account 000000000000, this one is of 111111111111." in foreign


async def test_requests_that_hand_no_role_over() -> None:
    assert await asked("lambda", "UpdateFunctionConfiguration", {"Timeout": 3}, Standing.MISSING) == ""
    assert await asked("sagemaker", "CreateModel", {"ModelName": "m"}, Standing.MISSING) == ""
    assert await asked("lambda", "GetFunction", {"Role": ROLE}, Standing.MISSING) == ""
    assert passed_role("apigateway", "UpdateAccount", {"patchOperations": [{"path": "/other", "value": "x"}]}) is None


def test_policies_may_ask_to_whom_a_role_is_handed() -> None:
    assert condition_keys("lambda", "CreateFunction", {"Role": ROLE}) == {"iam:PassedToService": "lambda.amazonaws.com"}
    assert condition_keys("lambda", "GetFunction", {"FunctionName": "f"}) == {}


def test_policies_may_ask_for_tags() -> None:
    listed = condition_keys("iam", "CreateUser", {"UserName": "u", "Tags": [{"Key": "team", "Value": "birds"}]})
    assert listed == {"aws:RequestTag/team": "birds", "aws:TagKeys": ("team",)}
    assert condition_keys("lambda", "CreateFunction", {"Tags": {"team": "birds"}}) == listed
    assert condition_keys("iam", "UntagUser", {"TagKeys": ["a", "b"]}) == {"aws:TagKeys": ("a", "b")}
