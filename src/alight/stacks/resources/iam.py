"""AWS::IAM::Role, ::Policy and ::ManagedPolicy."""

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
    await _permit_role(work)
    return {"RoleId": made["Role"]["RoleId"]}


async def _update_role(work: Work) -> None:
    if work.changed("AssumeRolePolicyDocument"):
        trust = as_document(work.properties["AssumeRolePolicyDocument"])
        await work.call("iam", "UpdateAssumeRolePolicy", RoleName=work.name, PolicyDocument=trust)
    if work.changed("Description", "MaxSessionDuration"):
        members = {"Description": "", "MaxSessionDuration": 3600} | _described(work.properties)
        await work.call("iam", "UpdateRole", RoleName=work.name, **members)
    await _permit_role(work)


def _described(properties: Members) -> Members:
    return given(properties, "Description", "MaxSessionDuration")


async def _permit_role(work: Work) -> None:
    """Inline and attached policies as they are wanted; those of the last apply that are not, go."""
    wanted, before = _inline(work.properties), _inline(work.before)
    for name in wanted:
        await work.call("iam", "PutRolePolicy", RoleName=work.name, PolicyName=name, PolicyDocument=wanted[name])
    for name in before.keys() - wanted.keys():
        await work.quietly("iam", "DeleteRolePolicy", RoleName=work.name, PolicyName=name)
    arns, old = work.properties.get("ManagedPolicyArns") or [], work.before.get("ManagedPolicyArns") or []
    for arn in arns:
        await work.call("iam", "AttachRolePolicy", RoleName=work.name, PolicyArn=arn)
    for arn in set(old) - set(arns):
        await work.quietly("iam", "DetachRolePolicy", RoleName=work.name, PolicyArn=arn)


def _inline(properties: Members) -> dict[str, str]:
    return {one["PolicyName"]: as_document(one["PolicyDocument"]) for one in properties.get("Policies") or []}


async def _delete_role(work: Work) -> None:
    for name in _inline(work.properties):
        await work.quietly("iam", "DeleteRolePolicy", RoleName=work.name, PolicyName=name)
    for arn in work.properties.get("ManagedPolicyArns") or []:
        await work.quietly("iam", "DetachRolePolicy", RoleName=work.name, PolicyArn=arn)
    await work.quietly("iam", "DeleteRole", RoleName=work.name)


def _role(one: Named) -> Members:
    return {"Ref": one.name, "Arn": names.role_arn(one.name, one.properties.get("Path", "/"))}


async def _put_policy(work: Work) -> None:
    document = as_document(work.properties["PolicyDocument"])
    for role in work.properties.get("Roles") or []:
        await work.call("iam", "PutRolePolicy", RoleName=role, PolicyName=work.name, PolicyDocument=document)
    for role in set(work.before.get("Roles") or []) - set(work.properties.get("Roles") or []):
        await work.quietly("iam", "DeleteRolePolicy", RoleName=role, PolicyName=work.name)


async def _delete_policy(work: Work) -> None:
    for role in work.properties.get("Roles") or []:
        await work.quietly("iam", "DeleteRolePolicy", RoleName=role, PolicyName=work.name)


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
    roles, old = work.properties.get("Roles") or [], work.before.get("Roles") or []
    for role in roles:
        await work.call("iam", "AttachRolePolicy", RoleName=role, PolicyArn=_policy_arn(work))
    for role in set(old) - set(roles):
        await work.quietly("iam", "DetachRolePolicy", RoleName=role, PolicyArn=_policy_arn(work))


async def _delete_managed(work: Work) -> None:
    arn = _policy_arn(work)
    for role in work.properties.get("Roles") or []:
        await work.quietly("iam", "DetachRolePolicy", RoleName=role, PolicyArn=arn)
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
