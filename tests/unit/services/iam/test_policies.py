from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from urllib.parse import unquote

import pytest

from alight.calls import Call, Members, Principal
from alight.errors.iam import DeleteConflict, EntityAlreadyExists, LimitExceeded, NoSuchEntity
from alight.services.iam.documents import identity_policy
from alight.services.iam.managed import managed_policies, managed_policy_arns
from alight.services.iam.service import Iam
from alight.services.sts import get_caller_identity

Ask = Callable[..., Awaitable[Members]]
ARN = "arn:aws:iam::000000000000:policy/own"
TRUST = '{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}}'


def document(action: str) -> str:
    return json.dumps({"Statement": {"Effect": "Allow", "Action": action, "Resource": "*"}})


async def test_versions_of_a_policy(ask: Ask, iam: Iam) -> None:
    made = (await ask("CreatePolicy", PolicyName="own", PolicyDocument=document("a:A")))["Policy"]
    assert (made["Arn"], made["DefaultVersionId"], made["AttachmentCount"]) == (ARN, "v1", 0)
    await ask("CreatePolicyVersion", PolicyArn=ARN, PolicyDocument=document("b:B"), SetAsDefault=True)
    second = await ask("GetPolicyVersion", PolicyArn=ARN, VersionId="v2")
    assert unquote(second["PolicyVersion"]["Document"]) == document("b:B")
    assert iam.policies.document(ARN) == json.loads(document("b:B"))
    await ask("CreatePolicyVersion", PolicyArn=ARN, PolicyDocument=document("c:C"))
    versions = (await ask("ListPolicyVersions", PolicyArn=ARN))["Versions"]
    shown = [(one["VersionId"], one["IsDefaultVersion"]) for one in versions]
    assert shown == [("v3", False), ("v2", True), ("v1", False)]
    await ask("SetDefaultPolicyVersion", PolicyArn=ARN, VersionId="v3")
    await ask("DeletePolicyVersion", PolicyArn=ARN, VersionId="v2")
    with pytest.raises(DeleteConflict, match="default"):
        await ask("DeletePolicyVersion", PolicyArn=ARN, VersionId="v3")
    with pytest.raises(NoSuchEntity):
        await ask("GetPolicyVersion", PolicyArn=ARN, VersionId="v2")


async def test_five_versions_and_no_more(ask: Ask) -> None:
    await ask("CreatePolicy", PolicyName="own", PolicyDocument=document("a:A"))
    for _ in range(4):
        await ask("CreatePolicyVersion", PolicyArn=ARN, PolicyDocument=document("b:B"))
    with pytest.raises(LimitExceeded):
        await ask("CreatePolicyVersion", PolicyArn=ARN, PolicyDocument=document("b:B"))


async def test_an_attached_policy_is_not_deleted(ask: Ask) -> None:
    await ask("CreatePolicy", PolicyName="own", PolicyDocument=document("a:A"))
    await ask("CreateRole", RoleName="worker", AssumeRolePolicyDocument=TRUST)
    await ask("AttachRolePolicy", RoleName="worker", PolicyArn=ARN)
    assert [role["RoleName"] for role in (await ask("ListEntitiesForPolicy", PolicyArn=ARN))["PolicyRoles"]] == [
        "worker"
    ]
    with pytest.raises(DeleteConflict, match="attached"):
        await ask("DeletePolicy", PolicyArn=ARN)
    await ask("DetachRolePolicy", RoleName="worker", PolicyArn=ARN)
    await ask("DeletePolicy", PolicyArn=ARN)
    with pytest.raises(NoSuchEntity):
        await ask("GetPolicy", PolicyArn=ARN)


async def test_a_name_is_taken_once(ask: Ask) -> None:
    await ask("CreatePolicy", PolicyName="own", PolicyDocument=document("a:A"))
    with pytest.raises(EntityAlreadyExists):
        await ask("CreatePolicy", PolicyName="own", PolicyDocument=document("a:A"))


async def test_lists_tell_whose_a_policy_is(ask: Ask) -> None:
    await ask("CreatePolicy", PolicyName="own", PolicyDocument=document("a:A"))
    local = (await ask("ListPolicies", Scope="Local"))["Policies"]
    aws = (await ask("ListPolicies", Scope="AWS"))["Policies"]
    assert [one["PolicyName"] for one in local] == ["own"]
    assert len(aws) == len(managed_policies())
    assert (await ask("ListPolicies", OnlyAttached=True))["Policies"] == []


@pytest.mark.parametrize("arn", sorted(managed_policies()))
async def test_aws_policies_are_whole_and_read_only(ask: Ask, arn: str) -> None:
    policy = (await ask("GetPolicy", PolicyArn=arn))["Policy"]
    version = await ask("GetPolicyVersion", PolicyArn=arn, VersionId=policy["DefaultVersionId"])
    identity_policy(unquote(version["PolicyVersion"]["Document"]))
    assert managed_policy_arns()[policy["PolicyName"]] == arn
    with pytest.raises(NoSuchEntity):
        await ask("DeletePolicy", PolicyArn=arn)


async def test_who_am_i() -> None:
    worker = Principal("role", "arn:aws:sts::000000000000:assumed-role/r/f", "AROAX:f", role="r")
    answer = await get_caller_identity(Call("sts", "GetCallerIdentity", "id", worker), {})
    assert answer == {"UserId": "AROAX:f", "Account": "000000000000", "Arn": worker.arn}
