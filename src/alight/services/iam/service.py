"""IAM as a whole: its operations, and what the gateway asks it before it lets a call through."""

from __future__ import annotations

import json
from dataclasses import replace

from alight.calls import Call, Handler, Members, Principal
from alight.credentials import Credentials
from alight.services.iam.access_keys import AccessKeys, user_principal
from alight.services.iam.groups import Groups
from alight.services.iam.holders import Holders
from alight.services.iam.policies import Policies
from alight.services.iam.roles import Roles
from alight.services.iam.table import TABLE
from alight.services.iam.users import Users, own_name
from alight.services.members import guarded
from alight.store.database import Database
from alight.store.records import Records

__all__ = ["TABLE", "Iam"]

#: Callers whose policies are kept read; more than that and all are read anew.
REMEMBERED = 1_024


class Iam:
    """Roles, users, groups, keys and policies of the account."""

    def __init__(self, database: Database, records: Records, keys: Credentials) -> None:
        self._records = records
        self.policies = Policies(database, records, database.clock)
        self.roles = Roles(database, records, self.policies)
        self.keys = AccessKeys(database, records, keys)
        self.users = Users(database, records, self.policies, self.keys)
        self.groups = Groups(database, records, self.policies, self.users)
        #: Documents of callers as they were read, for as long as no definition changes.
        self._known: dict[tuple[str, str], list[Members]] = {}
        self._version = -1

    def policies_of(self, principal: Principal) -> list[Members]:
        """The documents of all policies of a caller, to be read only; none for a caller that is not there (any more):
        nothing is allowed."""
        if self._version != self._records.version or len(self._known) >= REMEMBERED:
            self._known, self._version = {}, self._records.version
        place = ("role", principal.user_id if principal.worker is None else principal.role or "")
        if principal.user:
            place = ("user", principal.user_id)
        if place not in self._known:
            self._known[place] = self._documents(principal)
        return self._known[place]

    def policies_of_role(self, name: str) -> list[Members]:
        """The same of a role that a service acts with."""
        return self.policies_of(Principal("service", "", "", role=name, worker=""))

    def named_policies_of_role(self, name: str) -> list[tuple[str, Members]]:
        """The same with the names of inline policies and the ARNs of attached ones."""
        role = self.roles.find(name)
        if role is None:
            return []
        inline = [(policy, json.loads(text)) for policy, text in role.body["Policies"].items()]
        attached = ((arn, self.policies.document(arn)) for arn in role.body["Attached"])
        return [*inline, *((arn, document) for arn, document in attached if document is not None)]

    def _documents(self, principal: Principal) -> list[Members]:
        if principal.user:
            user = self.users.find(principal.user)
            if user is not None and user.body["UserId"] != principal.user_id:
                # One who came later under the same name is somebody else.
                user = None
            groups = [self.groups.find(name) for name in user.body["Groups"]] if user is not None else []
            own = self.users.documents(user) if user is not None else []
            return [*own, *(one for group in groups if group is not None for one in self.groups.documents(group))]
        role = self.roles.find(principal.role) if principal.role else None
        if role is None:
            return []
        # A session is of one role: one that came later under the same name is another. Workers follow their function.
        same = principal.worker is not None or principal.user_id.partition(":")[0] == role.body["RoleId"]
        return self.roles.documents(role) if same else []

    def limits_of(self, principal: Principal) -> list[Members] | None:
        """The documents that narrow a caller's session; None where nothing does."""
        session = principal.session
        if session is None or not (session.policies or session.policy_arns):
            return None
        managed = (self.policies.document(arn) for arn in session.policy_arns)
        return [*map(json.loads, session.policies), *(document for document in managed if document is not None)]

    def trusts(self, arn: str) -> list[Members]:
        """The trust policy of the role with this ARN, as a resource's policies."""
        trust = self.roles.trust_of(arn) if ":role/" in arn else None
        return [] if trust is None else [trust]

    def user_called(self, name: str) -> Principal | None:
        user = self.users.find(name)
        return None if user is None else user_principal(user)

    def as_now(self, principal: Principal) -> Principal:
        """A caller of earlier, as they are called now: a user is the id, whatever name and path it has. One who has
        gone is nobody: no name, and an ARN that no policy speaks of."""
        if principal.kind != "user":
            return principal
        found = next((one for one in self.users.listed() if one.body["UserId"] == principal.user_id), None)
        if found is None:
            return replace(principal, user=None, arn=principal.user_id)
        return replace(user_principal(found, principal.key_id), session=principal.session)

    def filled(self, call: Call, given: Members) -> Members:
        """A request with what it leaves unsaid: the caller's own name, and the path of whom it names."""
        if call.service != "iam":
            return given
        if call.operation in _OWN and call.principal.user and not given.get("UserName"):
            given = given | {"UserName": call.principal.user}
        for holders in (self.groups, self.roles, self.users):
            name = given.get(holders.kind.member)
            record = holders.find(name) if name else None
            if record is not None:
                return given | {"Path": record.body["Path"]}
        return given

    def operations(self) -> dict[tuple[str, str], Handler]:
        handlers = {
            **self._of_roles(),
            **self._of_users(),
            **self._of_groups(),
            **self._of_policies(),
            **_held(self.roles),
            **_held(self.users),
            **_held(self.groups),
            **_tagged(self.roles),
            **_tagged(self.users),
        }
        return guarded("iam", TABLE, handlers)

    def _of_roles(self) -> dict[str, Handler]:
        roles = self.roles
        return {
            "CreateRole": roles.create_role,
            "GetRole": roles.get_role,
            "ListRoles": roles.list_roles,
            "DeleteRole": roles.delete_role,
            "UpdateRole": roles.update_role,
            "UpdateRoleDescription": roles.update_role_description,
            "UpdateAssumeRolePolicy": roles.update_assume_role_policy,
            "ListInstanceProfilesForRole": roles.list_instance_profiles_for_role,
        }

    def _of_users(self) -> dict[str, Handler]:
        users, keys = self.users, self.keys
        return {
            "CreateUser": users.create_user,
            "GetUser": users.get_user,
            "ListUsers": users.list_users,
            "UpdateUser": users.update_user,
            "DeleteUser": users.delete_user,
            "CreateLoginProfile": users.create_login_profile,
            "GetLoginProfile": users.get_login_profile,
            "UpdateLoginProfile": users.update_login_profile,
            "DeleteLoginProfile": users.delete_login_profile,
            "CreateAccessKey": lambda call, given: keys.create(own_name(call, given)),
            "UpdateAccessKey": lambda call, given: keys.update(given, own_name(call, given)),
            "DeleteAccessKey": lambda call, given: keys.delete(given, own_name(call, given)),
            "ListAccessKeys": lambda call, given: keys.list_keys(given, own_name(call, given)),
            "GetAccessKeyLastUsed": keys.get_access_key_last_used,
        }

    def _of_groups(self) -> dict[str, Handler]:
        groups = self.groups
        return {
            "CreateGroup": groups.create_group,
            "GetGroup": groups.get_group,
            "ListGroups": groups.list_groups,
            "UpdateGroup": groups.update_group,
            "DeleteGroup": groups.delete_group,
            "AddUserToGroup": groups.add_user_to_group,
            "RemoveUserFromGroup": groups.remove_user_from_group,
            "ListGroupsForUser": groups.list_groups_for_user,
        }

    def _of_policies(self) -> dict[str, Handler]:
        policies = self.policies
        return {
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


#: Operations that are about the caller where they name nobody.
_OWN = frozenset(
    {"CreateAccessKey", "UpdateAccessKey", "DeleteAccessKey", "ListAccessKeys", "GetUser"}
    | {"CreateLoginProfile", "GetLoginProfile", "DeleteLoginProfile"}
)


def _held(holders: Holders) -> dict[str, Handler]:
    word = holders.kind.word
    return {
        f"Put{word}Policy": holders.put_policy,
        f"Get{word}Policy": holders.get_policy,
        f"List{word}Policies": holders.list_policies,
        f"Delete{word}Policy": holders.delete_policy,
        f"Attach{word}Policy": holders.attach_policy,
        f"Detach{word}Policy": holders.detach_policy,
        f"ListAttached{word}Policies": holders.list_attached_policies,
    }


def _tagged(holders: Holders) -> dict[str, Handler]:
    word = holders.kind.word
    return {f"Tag{word}": holders.tag, f"Untag{word}": holders.untag, f"List{word}Tags": holders.list_tags}
