from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any
from unittest.mock import Mock

import pytest

from alight.assembly.formation import build_formation
from alight.calls import Call, Members, Principal
from alight.credentials import Credentials, SessionClaims, derived_secret, mint
from alight.errors.common import AccessDenied, ValidationError
from alight.errors.iam import DeleteConflict, EntityAlreadyExists, InvalidInput, LimitExceeded, NoSuchEntity
from alight.gateway.keyring import Keyring
from alight.services.iam.service import Iam
from alight.services.sts import Sts
from tests.unit.services.iam.conftest import KEYS

Ask = Callable[..., Awaitable[Members]]
READ = {"Statement": {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}}
BASIC = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"


async def test_a_user_goes_only_when_nothing_hangs_on_it(ask: Ask) -> None:
    user = (await ask("CreateUser", UserName="ann", Path="/course/", Tags=[{"Key": "a", "Value": "b"}]))["User"]
    assert user["Arn"] == "arn:aws:iam::000000000000:user/course/ann"
    assert user["UserId"].startswith("AIDA")
    await ask("CreateGroup", GroupName="birds")
    key = (await ask("CreateAccessKey", UserName="ann"))["AccessKey"]["AccessKeyId"]
    await ask("CreateLoginProfile", UserName="ann", Password="secret", PasswordResetRequired=True)
    await ask("AddUserToGroup", GroupName="birds", UserName="ann")
    await ask("PutUserPolicy", UserName="ann", PolicyName="read", PolicyDocument=json.dumps(READ))
    await ask("AttachUserPolicy", UserName="ann", PolicyArn=BASIC)
    undo: list[tuple[str, str, Members]] = [
        ("must remove users from group first", "RemoveUserFromGroup", {"GroupName": "birds"}),
        ("must detach all policies first", "DetachUserPolicy", {"PolicyArn": BASIC}),
        ("must delete policies first", "DeleteUserPolicy", {"PolicyName": "read"}),
        ("must delete login profile first", "DeleteLoginProfile", {}),
        ("must delete access keys first", "DeleteAccessKey", {"AccessKeyId": key}),
    ]
    for why, operation, given in undo:
        with pytest.raises(DeleteConflict, match=why):
            await ask("DeleteUser", UserName="ann")
        await ask(operation, UserName="ann", **given)
    await ask("DeleteUser", UserName="ann")
    assert (await ask("ListUsers"))["Users"] == []


async def test_groups(ask: Ask, iam: Iam) -> None:
    await ask("CreateUser", UserName="ann")
    await ask("CreateGroup", GroupName="birds")
    await ask("PutGroupPolicy", GroupName="birds", PolicyName="read", PolicyDocument=json.dumps(READ))
    await ask("AddUserToGroup", GroupName="birds", UserName="ann")
    ann = iam.user_called("ann")
    assert ann is not None
    assert iam.policies_of(ann) == [READ]
    assert [user["UserName"] for user in (await ask("GetGroup", GroupName="birds"))["Users"]] == ["ann"]
    await ask("UpdateGroup", GroupName="birds", NewGroupName="flock")
    assert [group["GroupName"] for group in (await ask("ListGroupsForUser", UserName="ann"))["Groups"]] == ["flock"]
    assert iam.policies_of(ann) == [READ]
    with pytest.raises(DeleteConflict, match="must remove users from group first"):
        await ask("DeleteGroup", GroupName="flock")
    await ask("RemoveUserFromGroup", GroupName="flock", UserName="ann")
    assert iam.policies_of(ann) == []
    with pytest.raises(DeleteConflict, match="must delete policies first"):
        await ask("DeleteGroup", GroupName="flock")


async def test_names_are_taken_once_and_must_be_there(ask: Ask) -> None:
    await ask("CreateUser", UserName="ann")
    with pytest.raises(EntityAlreadyExists, match="User with name ann already exists"):
        await ask("CreateUser", UserName="ann")
    with pytest.raises(ValidationError):
        await ask("CreateUser", UserName="a b")
    with pytest.raises(InvalidInput, match="Duplicate tag keys"):
        await ask("CreateUser", UserName="eve", Tags=[{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}])
    with pytest.raises(NoSuchEntity, match=r"The user with name bob cannot be found\."):
        await ask("GetUser", UserName="bob")
    with pytest.raises(NoSuchEntity, match=r"The group with name bob cannot be found\."):
        await ask("AddUserToGroup", GroupName="bob", UserName="ann")
    with pytest.raises(NoSuchEntity, match="Login Profile for User ann cannot be found"):
        await ask("GetLoginProfile", UserName="ann")
    with pytest.raises(ValidationError, match="Must specify userName when calling with non-User credentials"):
        await ask("CreateAccessKey")


async def test_a_key_is_shown_once_and_opens_as_long_as_it_is_active(ask: Ask, iam: Iam) -> None:
    await ask("CreateUser", UserName="ann")
    made = (await ask("CreateAccessKey", UserName="ann"))["AccessKey"]
    assert len(made["SecretAccessKey"]) == 40
    assert made["SecretAccessKey"] == derived_secret(KEYS, made["AccessKeyId"])
    listed = (await ask("ListAccessKeys", UserName="ann"))["AccessKeyMetadata"]
    assert listed == [{name: value for name, value in made.items() if name != "SecretAccessKey"}]
    keyring = Keyring(KEYS, iam.keys.principal, iam.user_called)
    one = {"UserName": "ann", "AccessKeyId": made["AccessKeyId"]}
    opened = keyring(made["AccessKeyId"], None)
    assert opened is not None
    assert (opened.secret, opened.principal.user) == (made["SecretAccessKey"], "ann")
    await ask("UpdateAccessKey", **one, Status="Inactive")
    assert keyring(made["AccessKeyId"], None) is None
    await ask("UpdateAccessKey", **one, Status="Active")
    await ask("UpdateUser", UserName="ann", NewUserName="anna", NewPath="/x/")
    opened = keyring(made["AccessKeyId"], None)
    assert opened is not None
    assert opened.principal.arn == "arn:aws:iam::000000000000:user/x/anna"
    await ask("CreateAccessKey", UserName="anna")
    with pytest.raises(LimitExceeded, match="Cannot exceed quota for AccessKeysPerUser: 2"):
        await ask("CreateAccessKey", UserName="anna")
    with pytest.raises(NoSuchEntity):
        await ask("DeleteAccessKey", **one)
    await ask("DeleteAccessKey", UserName="anna", AccessKeyId=made["AccessKeyId"])
    assert keyring(made["AccessKeyId"], None) is None


async def test_whoever_asked_earlier_is_known_by_the_id(ask: Ask, iam: Iam) -> None:
    """A stack's work goes on as the same user under another name, and never as another user under the same name."""
    await ask("CreateUser", UserName="ann")
    await ask("PutUserPolicy", UserName="ann", PolicyName="read", PolicyDocument=json.dumps(READ))
    ann = iam.user_called("ann")
    assert ann is not None
    asked: list[Principal] = []

    async def note(call: Call, given: Members) -> Members:
        asked.append(call.principal)
        return {}

    doors = Mock(iam=iam, operations={("sns", "CreateTopic"): note})
    acting = build_formation(Mock(), doors, Mock(), lambda call, given: None)._making._ground.acting(ann)
    await ask("UpdateUser", UserName="ann", NewUserName="anna", NewPath="/x/")
    await acting("sns", "CreateTopic", {})
    assert (asked[-1].user, asked[-1].arn) == ("anna", "arn:aws:iam::000000000000:user/x/anna")
    assert iam.policies_of(asked[-1]) == [READ]
    await ask("CreateUser", UserName="ann")
    await ask("PutUserPolicy", UserName="ann", PolicyName="read", PolicyDocument=json.dumps(READ))
    assert iam.policies_of(ann) == [], "another user has that name now"
    await ask("DeleteUserPolicy", UserName="anna", PolicyName="read")
    await ask("DeleteUser", UserName="anna")
    await acting("sns", "CreateTopic", {})
    assert (asked[-1].user, asked[-1].arn) == (None, ann.user_id)
    assert iam.policies_of(asked[-1]) == []


async def test_tags(ask: Ask) -> None:
    await ask("CreateUser", UserName="ann", Tags=[{"Key": "a", "Value": "1"}])
    await ask("TagUser", UserName="ann", Tags=[{"Key": "a", "Value": "2"}, {"Key": "b", "Value": "3"}])
    await ask("UntagUser", UserName="ann", TagKeys=["a"])
    assert (await ask("ListUserTags", UserName="ann"))["Tags"] == [{"Key": "b", "Value": "3"}]


async def test_who_has_a_policy(ask: Ask) -> None:
    await ask("CreateUser", UserName="ann")
    await ask("CreateGroup", GroupName="birds", Path="/x/")
    await ask("AttachUserPolicy", UserName="ann", PolicyArn=BASIC)
    await ask("AttachGroupPolicy", GroupName="birds", PolicyArn=BASIC)
    answer = await ask("ListEntitiesForPolicy", PolicyArn=BASIC)
    named = [
        [one[key] for one in answer[f"Policy{word}s"]] for word, key in (("User", "UserName"), ("Group", "GroupName"))
    ]
    assert named == [["ann"], ["birds"]]
    only = await ask("ListEntitiesForPolicy", PolicyArn=BASIC, EntityFilter="Group", PathPrefix="/x/")
    assert (len(only["PolicyGroups"]), only["PolicyUsers"], only["PolicyRoles"]) == (1, [], [])
    assert (await ask("GetPolicy", PolicyArn=BASIC))["Policy"]["AttachmentCount"] == 2


# Temporary credentials -----------------------------------------------------------------------------------------------

ROOT = Principal("root", "arn:aws:iam::000000000000:root", "000000000000")


async def asked(iam: Iam, operation: str, principal: Principal, trusted: bool = True, **given: Any) -> Members:
    operations = Sts(iam, KEYS, iam.policies._clock, lambda trust, role, call, given: trusted).operations()
    return await operations["sts", operation](Call("sts", operation, "id", principal), given)


async def role_of(ask: Ask, **more: Any) -> str:
    trust = {"Effect": "Allow", "Principal": {"AWS": "000000000000"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Statement": [trust]})
    role = (await ask("CreateRole", RoleName="r", Path="/p/", AssumeRolePolicyDocument=document, **more))["Role"]
    return str(role["Arn"])


def opened(iam: Iam, credentials: Members) -> Principal | None:
    keyring = Keyring(KEYS, iam.keys.principal, iam.user_called)
    key = keyring(credentials["AccessKeyId"], credentials["SessionToken"])
    assert key is None or key.secret == credentials["SecretAccessKey"]
    return key.principal if key else None


async def test_a_role_that_is_taken_is_that_role_narrowed(ask: Ask, iam: Iam) -> None:
    arn = await role_of(ask)
    await ask("PutRolePolicy", RoleName="r", PolicyName="read", PolicyDocument=json.dumps(READ))
    given: Any = {"RoleArn": arn, "RoleSessionName": "me"}
    answer = await asked(iam, "AssumeRole", ROOT, **given, Policy=json.dumps(READ), PolicyArns=[{"arn": BASIC}])
    assert answer["AssumedRoleUser"]["Arn"] == "arn:aws:sts::000000000000:assumed-role/r/me"
    assert answer["PackedPolicySize"] >= 1
    principal = opened(iam, answer["Credentials"])
    assert principal is not None
    assert principal.user_id == answer["AssumedRoleUser"]["AssumedRoleId"]
    assert (principal.role, principal.path, principal.worker) == ("r", "/p/", None)
    assert iam.policies_of(principal) == [READ]
    limits = iam.limits_of(principal)
    assert limits is not None
    assert (limits[0], len(limits)) == (READ, 2)
    wide = opened(iam, (await asked(iam, "AssumeRole", ROOT, **given))["Credentials"])
    assert wide is not None
    assert iam.limits_of(wide) is None
    # The role goes, and another comes under its name: old sessions are not of that one.
    await ask("DeleteRolePolicy", RoleName="r", PolicyName="read")
    await ask("DeleteRole", RoleName="r")
    await role_of(ask)
    await ask("PutRolePolicy", RoleName="r", PolicyName="read", PolicyDocument=json.dumps(READ))
    assert iam.policies_of(wide) == []


async def test_what_assume_role_refuses(ask: Ask, iam: Iam) -> None:
    arn = await role_of(ask, MaxSessionDuration=7200)
    given: Any = {"RoleArn": arn, "RoleSessionName": "me"}
    message = f"User: {ROOT.arn} is not authorized to perform: sts:AssumeRole on resource: {arn}"
    with pytest.raises(AccessDenied, match=message):
        await asked(iam, "AssumeRole", ROOT, trusted=False, **given)
    with pytest.raises(AccessDenied):
        await asked(iam, "AssumeRole", ROOT, **given | {"RoleArn": arn.replace("/p/", "/")})
    with pytest.raises(ValidationError, match="exceeds the MaxSessionDuration set for this role"):
        await asked(iam, "AssumeRole", ROOT, **given, DurationSeconds=7201)
    with pytest.raises(ValidationError, match="greater than or equal to 900"):
        await asked(iam, "AssumeRole", ROOT, **given, DurationSeconds=899)
    with pytest.raises(ValidationError, match="roleSessionName"):
        await asked(iam, "AssumeRole", ROOT, **given | {"RoleSessionName": "a b"})
    chained = opened(iam, (await asked(iam, "AssumeRole", ROOT, **given, DurationSeconds=7200))["Credentials"])
    assert chained is not None
    with pytest.raises(ValidationError, match="role chaining"):
        await asked(iam, "AssumeRole", chained, **given, DurationSeconds=7200)


async def test_session_tokens_are_of_the_same_user_for_a_while(ask: Ask, iam: Iam) -> None:
    await ask("CreateUser", UserName="ann")
    ann = iam.user_called("ann")
    assert ann is not None
    credentials = (await asked(iam, "GetSessionToken", ann, DurationSeconds=900))["Credentials"]
    assert credentials["Expiration"].timestamp() == 1_700_000_900
    principal = opened(iam, credentials)
    assert principal is not None
    assert (principal.arn, principal.session is not None) == (ann.arn, True)
    with pytest.raises(AccessDenied, match="Cannot call GetSessionToken with session credentials"):
        await asked(iam, "GetSessionToken", principal)
    await ask("DeleteUser", UserName="ann")
    assert opened(iam, credentials) is None
    await ask("CreateUser", UserName="ann")
    assert opened(iam, credentials) is None, "somebody else of the same name"
    roots = opened(iam, (await asked(iam, "GetSessionToken", ROOT))["Credentials"])
    assert roots is not None
    assert (roots.kind, roots.session is not None) == ("root", True)


def test_a_token_of_another_folder_opens_nothing() -> None:
    other = Credentials("AKIAROOT", "root-secret", "admin", "cd" * 32)
    key = mint(other, SessionClaims("ASIAX", "", "", "", 2_000_000_000, kind="root"))
    assert Keyring(KEYS)(key.access_key_id, key.session_token) is None
