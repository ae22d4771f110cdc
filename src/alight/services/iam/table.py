"""IAM's operations and their members: what is honoured, and what is neutral here."""

from __future__ import annotations

from alight.services.members import Table, support

_PAGE = "Marker MaxItems"

ROLES: Table = {
    "CreateRole": support("RoleName AssumeRolePolicyDocument Path Description MaxSessionDuration", neutral="Tags"),
    "GetRole": support("RoleName"),
    "ListRoles": support(f"PathPrefix {_PAGE}"),
    "DeleteRole": support("RoleName"),
    "UpdateRole": support("RoleName Description MaxSessionDuration"),
    "UpdateRoleDescription": support("RoleName Description"),
    "UpdateAssumeRolePolicy": support("RoleName PolicyDocument"),
    "ListInstanceProfilesForRole": support(f"RoleName {_PAGE}"),
}
USERS: Table = {
    "CreateUser": support("UserName Path", neutral="Tags"),
    "GetUser": support("UserName"),
    "ListUsers": support(f"PathPrefix {_PAGE}"),
    "UpdateUser": support("UserName NewUserName NewPath"),
    "DeleteUser": support("UserName"),
    "CreateLoginProfile": support("UserName", neutral="Password PasswordResetRequired"),
    "GetLoginProfile": support("UserName"),
    "UpdateLoginProfile": support("UserName", neutral="Password PasswordResetRequired"),
    "DeleteLoginProfile": support("UserName"),
    "CreateAccessKey": support("UserName"),
    "UpdateAccessKey": support("UserName AccessKeyId Status"),
    "DeleteAccessKey": support("UserName AccessKeyId"),
    "ListAccessKeys": support(f"UserName {_PAGE}"),
    "GetAccessKeyLastUsed": support("AccessKeyId"),
}
GROUPS: Table = {
    "CreateGroup": support("GroupName Path"),
    "GetGroup": support(f"GroupName {_PAGE}"),
    "ListGroups": support(f"PathPrefix {_PAGE}"),
    "UpdateGroup": support("GroupName NewGroupName NewPath"),
    "DeleteGroup": support("GroupName"),
    "AddUserToGroup": support("GroupName UserName"),
    "RemoveUserFromGroup": support("GroupName UserName"),
    "ListGroupsForUser": support(f"UserName {_PAGE}"),
}
POLICIES: Table = {
    "CreatePolicy": support("PolicyName Path PolicyDocument Description", neutral="Tags"),
    "GetPolicy": support("PolicyArn"),
    "ListPolicies": support(f"Scope OnlyAttached PathPrefix {_PAGE}", neutral="PolicyUsageFilter"),
    "DeletePolicy": support("PolicyArn"),
    "CreatePolicyVersion": support("PolicyArn PolicyDocument SetAsDefault"),
    "GetPolicyVersion": support("PolicyArn VersionId"),
    "ListPolicyVersions": support(f"PolicyArn {_PAGE}"),
    "SetDefaultPolicyVersion": support("PolicyArn VersionId"),
    "DeletePolicyVersion": support("PolicyArn VersionId"),
    "ListEntitiesForPolicy": support(f"PolicyArn EntityFilter PathPrefix {_PAGE}", neutral="PolicyUsageFilter"),
}


def held(word: str) -> Table:
    """The operations on the policies of roles (`Role`), users or groups."""
    name = f"{word}Name"
    return {
        f"Put{word}Policy": support(f"{name} PolicyName PolicyDocument"),
        f"Get{word}Policy": support(f"{name} PolicyName"),
        f"List{word}Policies": support(f"{name} {_PAGE}"),
        f"Delete{word}Policy": support(f"{name} PolicyName"),
        f"Attach{word}Policy": support(f"{name} PolicyArn"),
        f"Detach{word}Policy": support(f"{name} PolicyArn"),
        f"ListAttached{word}Policies": support(f"{name} PathPrefix {_PAGE}"),
    }


def tagged(word: str) -> Table:
    """The operations on the tags of roles and users; nothing here reads them, but they are kept."""
    name = f"{word}Name"
    return {
        f"Tag{word}": support(name, neutral="Tags"),
        f"Untag{word}": support(name, neutral="TagKeys"),
        f"List{word}Tags": support(f"{name} {_PAGE}"),
    }


TABLE: Table = {
    **ROLES,
    **USERS,
    **GROUPS,
    **POLICIES,
    **held("Role"),
    **held("User"),
    **held("Group"),
    **tagged("Role"),
    **tagged("User"),
}
