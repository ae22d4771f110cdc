from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import pytest

from alight.calls import Members, Principal
from alight.errors.common import NotImplemented_, ValidationError
from alight.errors.iam import DeleteConflict, EntityAlreadyExists, MalformedPolicyDocument, NoSuchEntity
from alight.services.iam.managed import managed_policies
from alight.services.iam.service import Iam

Ask = Callable[..., Awaitable[Members]]

TRUST = json.dumps(
    {"Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
)
READ = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}}
BASIC = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"


def caller(role: str) -> Principal:
    return Principal("role", f"arn:aws:sts::000000000000:assumed-role/{role}/f", "AROA:f", role=role, worker="w")


async def make_role(ask: Ask, name: str = "worker", **members: Any) -> Members:
    made: Members = (await ask("CreateRole", RoleName=name, AssumeRolePolicyDocument=TRUST, **members))["Role"]
    return made


async def test_a_role_is_what_was_asked_for(ask: Ask) -> None:
    role = await make_role(ask, Path="/service-role/", Description="does work", Tags=[{"Key": "a", "Value": "b"}])
    assert role["Arn"] == "arn:aws:iam::000000000000:role/service-role/worker"
    assert role["RoleId"].startswith("AROA")
    assert len(role["RoleId"]) == 21
    assert role["CreateDate"] == datetime.fromtimestamp(1_700_000_000, UTC)
    assert unquote(role["AssumeRolePolicyDocument"]) == TRUST
    found = (await ask("GetRole", RoleName="worker"))["Role"]
    assert found == role | {"RoleLastUsed": {}}


async def test_policies_of_a_role_are_inline_and_attached(ask: Ask, iam: Iam) -> None:
    await make_role(ask)
    await ask("PutRolePolicy", RoleName="worker", PolicyName="read", PolicyDocument=json.dumps(READ))
    await ask("AttachRolePolicy", RoleName="worker", PolicyArn=BASIC)
    own = await ask("CreatePolicy", PolicyName="own", PolicyDocument=json.dumps(READ))
    await ask("AttachRolePolicy", RoleName="worker", PolicyArn=own["Policy"]["Arn"])
    assert iam.policies_of(caller("worker")) == [READ, managed_policies()[BASIC].document, READ]
    await ask("DetachRolePolicy", RoleName="worker", PolicyArn=BASIC)
    await ask("DeleteRolePolicy", RoleName="worker", PolicyName="read")
    assert iam.policies_of(caller("worker")) == [READ]


def test_an_unknown_role_may_do_nothing(iam: Iam) -> None:
    assert iam.policies_of(caller("nobody")) == []


async def test_lists(ask: Ask) -> None:
    for name in ("c", "a", "b"):
        await make_role(ask, name, Path="/x/" if name == "b" else "/")
    await ask("PutRolePolicy", RoleName="a", PolicyName="p", PolicyDocument=json.dumps(READ))
    await ask("AttachRolePolicy", RoleName="a", PolicyArn=BASIC)
    assert [role["RoleName"] for role in (await ask("ListRoles"))["Roles"]] == ["a", "b", "c"]
    assert [role["RoleName"] for role in (await ask("ListRoles", PathPrefix="/x/"))["Roles"]] == ["b"]
    first = await ask("ListRoles", MaxItems=2)
    assert (first["IsTruncated"], first["Marker"]) == (True, "b")
    rest = await ask("ListRoles", MaxItems=2, Marker="b")
    assert ([role["RoleName"] for role in rest["Roles"]], rest["IsTruncated"]) == (["c"], False)
    assert (await ask("ListRolePolicies", RoleName="a"))["PolicyNames"] == ["p"]
    attached = (await ask("ListAttachedRolePolicies", RoleName="a"))["AttachedPolicies"]
    assert attached == [{"PolicyName": "AWSLambdaBasicExecutionRole", "PolicyArn": BASIC}]


async def test_changes(ask: Ask) -> None:
    await make_role(ask)
    other = TRUST.replace("lambda", "sagemaker")
    await ask("UpdateAssumeRolePolicy", RoleName="worker", PolicyDocument=other)
    await ask("UpdateRole", RoleName="worker", Description="new")
    await ask("PutRolePolicy", RoleName="worker", PolicyName="p", PolicyDocument=json.dumps(READ))
    role = (await ask("GetRole", RoleName="worker"))["Role"]
    assert (unquote(role["AssumeRolePolicyDocument"]), role["Description"]) == (other, "new")
    shown = (await ask("GetRolePolicy", RoleName="worker", PolicyName="p"))["PolicyDocument"]
    assert json.loads(unquote(shown)) == READ


async def test_a_role_with_policies_is_not_deleted(ask: Ask) -> None:
    await make_role(ask)
    await ask("AttachRolePolicy", RoleName="worker", PolicyArn=BASIC)
    with pytest.raises(DeleteConflict, match="detach"):
        await ask("DeleteRole", RoleName="worker")
    await ask("DetachRolePolicy", RoleName="worker", PolicyArn=BASIC)
    await ask("DeleteRole", RoleName="worker")
    with pytest.raises(NoSuchEntity):
        await ask("GetRole", RoleName="worker")


@pytest.mark.parametrize(
    ("operation", "given"),
    [
        ("GetRole", {}),
        ("DeleteRole", {}),
        ("PutRolePolicy", {"PolicyName": "p", "PolicyDocument": json.dumps(READ)}),
        ("AttachRolePolicy", {"PolicyArn": BASIC}),
        ("ListRolePolicies", {}),
        ("ListAttachedRolePolicies", {}),
    ],
)
async def test_nobody_is_not_found(ask: Ask, operation: str, given: Members) -> None:
    with pytest.raises(NoSuchEntity, match="nobody cannot be found"):
        await ask(operation, RoleName="nobody", **given)


async def test_refusals(ask: Ask) -> None:
    await make_role(ask)
    with pytest.raises(EntityAlreadyExists, match="worker already exists"):
        await make_role(ask)
    with pytest.raises(NoSuchEntity, match="does not exist or is not attachable"):
        await ask("AttachRolePolicy", RoleName="worker", PolicyArn="arn:aws:iam::aws:policy/Nonsense")
    with pytest.raises(NoSuchEntity):
        await ask("DetachRolePolicy", RoleName="worker", PolicyArn=BASIC)
    with pytest.raises(NoSuchEntity):
        await ask("DeleteRolePolicy", RoleName="worker", PolicyName="p")
    with pytest.raises(ValidationError):
        await make_role(ask, "a/b")
    with pytest.raises(NotImplemented_, match="PermissionsBoundary"):
        await make_role(ask, "other", PermissionsBoundary="arn")


def statement(**members: Any) -> str:
    full = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", **members}
    return json.dumps({"Statement": [{name: value for name, value in full.items() if value is not None}]})


@pytest.mark.parametrize(
    "document",
    [
        "{half",
        "[]",
        "{}",
        '{"Statement": []}',
        '{"Statement": [], "Colour": 1}',
        '{"Version": "2020-01-01", "Statement": [{}]}',
        statement(Effect="Maybe"),
        statement(Action=None),
        statement(NotAction="x"),
        statement(Resource=None),
        statement(Action=3),
        statement(Principal="*"),
        statement(Condition={"StringNearly": {"a": "b"}}),
        statement(Condition=[]),
        statement(Colour="red"),
    ],
)
async def test_malformed_documents_are_refused(ask: Ask, document: str) -> None:
    await make_role(ask)
    with pytest.raises(MalformedPolicyDocument):
        await ask("PutRolePolicy", RoleName="worker", PolicyName="p", PolicyDocument=document)


@pytest.mark.parametrize(
    "document",
    [
        statement(),
        statement(Action=["s3:*", "sns:Publish"], Resource=None, NotResource=["a"]),
        statement(Condition={"ForAnyValue:StringLikeIfExists": {"a": ["b"]}, "Null": {"a": True}}),
    ],
)
async def test_well_formed_documents_are_taken(ask: Ask, document: str) -> None:
    await make_role(ask)
    await ask("PutRolePolicy", RoleName="worker", PolicyName="p", PolicyDocument=document)


async def test_a_trust_policy_names_somebody(ask: Ask) -> None:
    with pytest.raises(MalformedPolicyDocument, match="Principal"):
        await ask("CreateRole", RoleName="x", AssumeRolePolicyDocument=statement(Resource=None))
