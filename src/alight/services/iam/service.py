"""IAM's operations, one table."""

from __future__ import annotations

from alight.calls import Handler, Members
from alight.clock import Clock
from alight.services.iam.policies import Policies
from alight.services.iam.roles import Roles
from alight.services.members import Table, guarded, support
from alight.store.database import Database
from alight.store.records import Records

_PAGE = "Marker MaxItems"

TABLE: Table = {
    "CreateRole": support("RoleName AssumeRolePolicyDocument Path Description MaxSessionDuration", neutral="Tags"),
    "GetRole": support("RoleName"),
    "ListRoles": support(f"PathPrefix {_PAGE}"),
    "DeleteRole": support("RoleName"),
    "UpdateRole": support("RoleName Description MaxSessionDuration"),
    "UpdateAssumeRolePolicy": support("RoleName PolicyDocument"),
    "PutRolePolicy": support("RoleName PolicyName PolicyDocument"),
    "GetRolePolicy": support("RoleName PolicyName"),
    "ListRolePolicies": support(f"RoleName {_PAGE}"),
    "DeleteRolePolicy": support("RoleName PolicyName"),
    "AttachRolePolicy": support("RoleName PolicyArn"),
    "DetachRolePolicy": support("RoleName PolicyArn"),
    "ListAttachedRolePolicies": support(f"RoleName PathPrefix {_PAGE}"),
    "CreatePolicy": support("PolicyName Path PolicyDocument Description", neutral="Tags"),
    "GetPolicy": support("PolicyArn"),
    "ListPolicies": support(f"Scope OnlyAttached PathPrefix {_PAGE}", neutral="PolicyUsageFilter"),
    "DeletePolicy": support("PolicyArn"),
    "CreatePolicyVersion": support("PolicyArn PolicyDocument SetAsDefault"),
    "GetPolicyVersion": support("PolicyArn VersionId"),
    "ListPolicyVersions": support(f"PolicyArn {_PAGE}"),
    "SetDefaultPolicyVersion": support("PolicyArn VersionId"),
    "DeletePolicyVersion": support("PolicyArn VersionId"),
    "ListEntitiesForPolicy": support(f"PolicyArn {_PAGE}", neutral="EntityFilter PathPrefix PolicyUsageFilter"),
}


class Iam:
    """Roles and policies of the account."""

    def __init__(self, database: Database, records: Records, clock: Clock) -> None:
        self.policies = Policies(database, records, clock)
        self.roles = Roles(database, records, self.policies)

    def policies_of(self, role_name: str) -> list[Members]:
        """What the gateway asks before it lets a worker's call through."""
        return self.roles.policies_of(role_name)

    def operations(self) -> dict[tuple[str, str], Handler]:
        roles, policies = self.roles, self.policies
        handlers: dict[str, Handler] = {
            "CreateRole": roles.create_role,
            "GetRole": roles.get_role,
            "ListRoles": roles.list_roles,
            "DeleteRole": roles.delete_role,
            "UpdateRole": roles.update_role,
            "UpdateAssumeRolePolicy": roles.update_assume_role_policy,
            "PutRolePolicy": roles.put_role_policy,
            "GetRolePolicy": roles.get_role_policy,
            "ListRolePolicies": roles.list_role_policies,
            "DeleteRolePolicy": roles.delete_role_policy,
            "AttachRolePolicy": roles.attach_role_policy,
            "DetachRolePolicy": roles.detach_role_policy,
            "ListAttachedRolePolicies": roles.list_attached_role_policies,
            "CreatePolicy": policies.create_policy,
            "GetPolicy": policies.get_policy,
            "ListPolicies": policies.list_policies,
            "DeletePolicy": policies.delete_policy,
            "CreatePolicyVersion": policies.create_policy_version,
            "GetPolicyVersion": policies.get_policy_version,
            "ListPolicyVersions": policies.list_policy_versions,
            "SetDefaultPolicyVersion": policies.set_default_policy_version,
            "DeletePolicyVersion": policies.delete_policy_version,
            "ListEntitiesForPolicy": policies.list_entities_for_policy,
        }
        return guarded("iam", TABLE, handlers)
