"""AWS::IAM::Role, ::User, ::Group, ::UserToGroupAddition, ::Policy and ::ManagedPolicy."""

from __future__ import annotations

from alight import names
from alight.calls import Members
from alight.stacks.provider import Named, Naming, Provider, Work
from alight.stacks.resources.values import as_document, given, tag_list

#: Versions that a managed policy keeps, as on AWS.
_MOST_VERSIONS = 5


async def _create_role(work: Work) -> Members:
    trust = as_document(work.properties["AssumeRolePolicyDocument"])
    members = given(work.properties, "Path") | _described(work.properties) | tag_list(work.properties)
    made = await work.call("iam", "CreateRole", RoleName=work.name, AssumeRolePolicyDocument=trust, **members)
    await _permit(work, "Role")
    return {"RoleId": made["Role"]["RoleId"]}


async def _update_role(work: Work) -> None:
    if work.changed("AssumeRolePolicyDocument"):
        trust = as_document(work.properties["AssumeRolePolicyDocument"])
        await work.call("iam", "UpdateAssumeRolePolicy", RoleName=work.name, PolicyDocument=trust)
    if work.changed("Description", "MaxSessionDuration"):
        members = {"Description": "", "MaxSessionDuration": 3600} | _described(work.properties)
        await work.call("iam", "UpdateRole", RoleName=work.name, **members)
    await _permit(work, "Role")


def _described(properties: Members) -> Members:
    return given(properties, "Description", "MaxSessionDuration")


async def _permit(work: Work, word: str) -> None:
    """Inline and attached policies of a role, user or group (`word`) as they are wanted; those of the last apply that
    are not, go."""
    one = {f"{word}Name": work.name}
    wanted, before = _inline(work.properties), _inline(work.before)
    for name in wanted:
        await work.call("iam", f"Put{word}Policy", **one, PolicyName=name, PolicyDocument=wanted[name])
    for name in before.keys() - wanted.keys():
        await work.quietly("iam", f"Delete{word}Policy", **one, PolicyName=name)
    arns, old = work.properties.get("ManagedPolicyArns") or [], work.before.get("ManagedPolicyArns") or []
    for arn in arns:
        await work.call("iam", f"Attach{word}Policy", **one, PolicyArn=arn)
    for arn in set(old) - set(arns):
        await work.quietly("iam", f"Detach{word}Policy", **one, PolicyArn=arn)


async def _strip(work: Work, word: str) -> None:
    """Everything that `_permit` gave, before what has it goes."""
    one = {f"{word}Name": work.name}
    for name in _inline(work.properties):
        await work.quietly("iam", f"Delete{word}Policy", **one, PolicyName=name)
    for arn in work.properties.get("ManagedPolicyArns") or []:
        await work.quietly("iam", f"Detach{word}Policy", **one, PolicyArn=arn)


def _inline(properties: Members) -> dict[str, str]:
    return {one["PolicyName"]: as_document(one["PolicyDocument"]) for one in properties.get("Policies") or []}


async def _delete_role(work: Work) -> None:
    await _strip(work, "Role")
    await work.quietly("iam", "DeleteRole", RoleName=work.name)


def _role(one: Named) -> Members:
    return {"Ref": one.name, "Arn": names.role_arn(one.name, one.properties.get("Path", "/"))}


# Users and groups ----------------------------------------------------------------------------------------------------


async def _create_user(work: Work) -> None:
    await work.call(
        "iam", "CreateUser", UserName=work.name, **given(work.properties, "Path"), **tag_list(work.properties)
    )
    await _update_user(work)


async def _update_user(work: Work) -> None:
    login, before = work.properties.get("LoginProfile"), work.before.get("LoginProfile")
    if login and not before:
        await work.call("iam", "CreateLoginProfile", UserName=work.name, **login)
    elif login and login != before:
        await work.call("iam", "UpdateLoginProfile", UserName=work.name, **login)
    elif before and not login:
        await work.quietly("iam", "DeleteLoginProfile", UserName=work.name)
    groups, old = work.properties.get("Groups") or [], work.before.get("Groups") or []
    for group in groups:
        await work.call("iam", "AddUserToGroup", UserName=work.name, GroupName=group)
    for group in set(old) - set(groups):
        await work.quietly("iam", "RemoveUserFromGroup", UserName=work.name, GroupName=group)
    await _permit(work, "User")


async def _delete_user(work: Work) -> None:
    await _strip(work, "User")
    for group in work.properties.get("Groups") or []:
        await work.quietly("iam", "RemoveUserFromGroup", UserName=work.name, GroupName=group)
    if work.properties.get("LoginProfile"):
        await work.quietly("iam", "DeleteLoginProfile", UserName=work.name)
    await work.quietly("iam", "DeleteUser", UserName=work.name)


async def _create_group(work: Work) -> None:
    await work.call("iam", "CreateGroup", GroupName=work.name, **given(work.properties, "Path"))
    await _permit(work, "Group")


async def _update_group(work: Work) -> None:
    await _permit(work, "Group")


async def _delete_group(work: Work) -> None:
    await _strip(work, "Group")
    await work.quietly("iam", "DeleteGroup", GroupName=work.name)


async def _put_members(work: Work) -> None:
    group, users = work.properties["GroupName"], work.properties["Users"]
    for user in users:
        await work.call("iam", "AddUserToGroup", GroupName=group, UserName=user)
    for user in set(work.before.get("Users") or []) - set(users):
        await work.quietly("iam", "RemoveUserFromGroup", GroupName=group, UserName=user)


async def _delete_members(work: Work) -> None:
    for user in work.properties["Users"]:
        await work.quietly("iam", "RemoveUserFromGroup", GroupName=work.properties["GroupName"], UserName=user)


# Policies ------------------------------------------------------------------------------------------------------------

#: Whom a policy names: the property, and IAM's word for one of them.
_HOLDERS = (("Roles", "Role"), ("Users", "User"), ("Groups", "Group"))


async def _put_policy(work: Work) -> None:
    document = as_document(work.properties["PolicyDocument"])
    for member, word in _HOLDERS:
        wanted = work.properties.get(member) or []
        for name in wanted:
            one = {f"{word}Name": name, "PolicyName": work.name}
            await work.call("iam", f"Put{word}Policy", **one, PolicyDocument=document)
        for name in set(work.before.get(member) or []) - set(wanted):
            await work.quietly("iam", f"Delete{word}Policy", **{f"{word}Name": name}, PolicyName=work.name)


async def _delete_policy(work: Work) -> None:
    for member, word in _HOLDERS:
        for name in work.properties.get(member) or []:
            await work.quietly("iam", f"Delete{word}Policy", **{f"{word}Name": name}, PolicyName=work.name)


def _group_arn(one: Named) -> str:
    return str(names.Arn("iam", f"group{one.properties.get('Path', '/')}{one.name}", region=""))


def _policy_arn(one: Named) -> str:
    path = one.properties.get("Path", "/")
    return str(names.Arn("iam", f"policy{path}{one.name}", region=""))


async def _create_managed(work: Work) -> Members:
    document = as_document(work.properties["PolicyDocument"])
    members = given(work.properties, "Path", "Description") | tag_list(work.properties)
    made = await work.call("iam", "CreatePolicy", PolicyName=work.name, PolicyDocument=document, **members)
    await _attach(work)
    return {"PolicyId": made["Policy"]["PolicyId"]}


async def _update_managed(work: Work) -> None:
    if work.changed("PolicyDocument"):
        arn, document = _policy_arn(work), as_document(work.properties["PolicyDocument"])
        versions = (await work.call("iam", "ListPolicyVersions", PolicyArn=arn))["Versions"]
        spare = [version["VersionId"] for version in versions if not version["IsDefaultVersion"]]
        if len(versions) >= _MOST_VERSIONS:
            await work.call("iam", "DeletePolicyVersion", PolicyArn=arn, VersionId=spare[-1])
        await work.call("iam", "CreatePolicyVersion", PolicyArn=arn, PolicyDocument=document, SetAsDefault=True)
    await _attach(work)


async def _attach(work: Work) -> None:
    arn = _policy_arn(work)
    for member, word in _HOLDERS:
        wanted = work.properties.get(member) or []
        for name in wanted:
            await work.call("iam", f"Attach{word}Policy", **{f"{word}Name": name}, PolicyArn=arn)
        for name in set(work.before.get(member) or []) - set(wanted):
            await work.quietly("iam", f"Detach{word}Policy", **{f"{word}Name": name}, PolicyArn=arn)


async def _delete_managed(work: Work) -> None:
    arn = _policy_arn(work)
    for member, word in _HOLDERS:
        for name in work.properties.get(member) or []:
            await work.quietly("iam", f"Detach{word}Policy", **{f"{word}Name": name}, PolicyArn=arn)
    await work.quietly("iam", "DeletePolicy", PolicyArn=arn)


PROVIDERS = (
    Provider(
        type="AWS::IAM::Role",
        naming=Naming("RoleName", 64),
        create=_create_role,
        update=_update_role,
        delete=_delete_role,
        attributes=_role,
        replaced_by=frozenset({"RoleName", "Path"}),
        late=frozenset({"RoleId"}),
        needs=(("iam", "CreateRole"), ("iam", "PutRolePolicy"), ("iam", "AttachRolePolicy"), ("iam", "DeleteRole")),
    ),
    Provider(
        type="AWS::IAM::User",
        naming=Naming("UserName", 64),
        create=_create_user,
        update=_update_user,
        delete=_delete_user,
        attributes=lambda one: {"Ref": one.name, "Arn": names.user_arn(one.name, one.properties.get("Path", "/"))},
        replaced_by=frozenset({"UserName", "Path"}),
        needs=(("iam", "CreateUser"), ("iam", "AddUserToGroup"), ("iam", "DeleteUser")),
    ),
    Provider(
        type="AWS::IAM::Group",
        naming=Naming("GroupName", 128),
        create=_create_group,
        update=_update_group,
        delete=_delete_group,
        attributes=lambda one: {"Ref": one.name, "Arn": _group_arn(one)},
        replaced_by=frozenset({"GroupName", "Path"}),
        needs=(("iam", "CreateGroup"), ("iam", "PutGroupPolicy"), ("iam", "DeleteGroup")),
    ),
    Provider(
        type="AWS::IAM::UserToGroupAddition",
        naming=Naming(limit=128),
        create=_put_members,
        update=_put_members,
        delete=_delete_members,
        attributes=lambda one: {"Ref": one.name},
        replaced_by=frozenset({"GroupName"}),
        needs=(("iam", "AddUserToGroup"), ("iam", "RemoveUserFromGroup")),
    ),
    Provider(
        type="AWS::IAM::Policy",
        naming=Naming("PolicyName", 128),
        create=_put_policy,
        update=_put_policy,
        delete=_delete_policy,
        attributes=lambda one: {"Ref": one.name, "Id": one.name},
        replaced_by=frozenset({"PolicyName"}),
        needs=(("iam", "PutRolePolicy"), ("iam", "DeleteRolePolicy")),
    ),
    Provider(
        type="AWS::IAM::ManagedPolicy",
        naming=Naming("ManagedPolicyName", 128),
        create=_create_managed,
        update=_update_managed,
        delete=_delete_managed,
        attributes=lambda one: {"Ref": _policy_arn(one), "PolicyArn": _policy_arn(one)},
        replaced_by=frozenset({"ManagedPolicyName", "Path"}),
        late=frozenset({"PolicyId"}),
        needs=(("iam", "CreatePolicy"), ("iam", "AttachRolePolicy"), ("iam", "DeletePolicy")),
    ),
)
