"""Groups: users that have policies in common.

Record body (kind `iam:group`, by name): `Path`, `GroupId` and what `holders` keeps; who is in a group stands in the
users' records.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from alight.calls import Call, Members
from alight.errors.iam import DeleteConflict, EntityAlreadyExists
from alight.services.iam.holders import Holders, since
from alight.services.iam.kinds import GROUP, USER, new_id
from alight.services.iam.pages import page
from alight.services.iam.policies import Policies
from alight.services.iam.users import Users, shown_user
from alight.store.database import Database, Tx
from alight.store.records import Record, Records

#: (the groups of a user, a group) -> the groups afterwards.
Membership = Callable[[list[str], str], list[str]]


class Groups(Holders):
    """The operations on groups and on who is in them."""

    def __init__(self, database: Database, records: Records, policies: Policies, users: Users) -> None:
        super().__init__(GROUP, database, records, policies)
        self._users = users

    async def create_group(self, call: Call, given: Members) -> Members:
        body = {"GroupId": new_id(GROUP.id_prefix), "Tags": []}
        return {"Group": self._shown(await self.create(given["GroupName"], given.get("Path", "/"), body))}

    async def get_group(self, call: Call, given: Members) -> Members:
        record = self.found(given["GroupName"])
        users = [shown_user(user) for user in self._members(record.name)]
        return {"Group": self._shown(record)} | page(users, given, "Users", "UserName")

    async def list_groups(self, call: Call, given: Members) -> Members:
        prefix = given.get("PathPrefix", "/")
        groups = [self._shown(record) for record in self.listed() if record.body["Path"].startswith(prefix)]
        return page(groups, given, "Groups", "GroupName")

    async def update_group(self, call: Call, given: Members) -> Members:
        """Another name or path: the same group with the same users."""
        old, new = given["GroupName"], given.get("NewGroupName") or given["GroupName"]

        def job(tx: Tx) -> None:
            record = self.found(old, tx)
            path = given.get("NewPath") or record.body["Path"]
            self.kind.check_name(new, path)
            if new != old:
                if self.find(new, tx) is not None:
                    raise EntityAlreadyExists(f"Group with name {new} already exists.")
                self._records.delete(tx, GROUP.record, old)
                for user in self._members(old, tx):
                    groups = [new if name == old else name for name in user.body["Groups"]]
                    self._records.put(tx, USER.record, user.name, user.body | {"Groups": groups})
            self._records.put(tx, GROUP.record, new, record.body | {"Path": path, "Created": since(record)})

        await self._database.write(job)
        return {}

    async def delete_group(self, call: Call, given: Members) -> Members:
        def job(tx: Tx) -> None:
            record = self.found(given["GroupName"], tx)
            if self._members(record.name, tx):
                raise DeleteConflict("Cannot delete entity, must remove users from group first.")
            if record.body["Attached"]:
                raise DeleteConflict("Cannot delete entity, must detach all policies first.")
            if record.body["Policies"]:
                raise DeleteConflict("Cannot delete entity, must delete policies first.")
            self._records.delete(tx, GROUP.record, record.name)

        await self._database.write(job)
        return {}

    async def add_user_to_group(self, call: Call, given: Members) -> Members:
        return await self._put(given, lambda groups, name: [*(one for one in groups if one != name), name])

    async def remove_user_from_group(self, call: Call, given: Members) -> Members:
        return await self._put(given, lambda groups, name: [one for one in groups if one != name])

    async def _put(self, given: Members, changed: Membership) -> Members:
        def job(tx: Tx) -> None:
            group, user = self.found(given["GroupName"], tx), self._users.found(given["UserName"], tx)
            body = user.body | {"Groups": changed(user.body["Groups"], group.name)}
            self._records.put(tx, USER.record, user.name, body)

        await self._database.write(job)
        return {}

    async def list_groups_for_user(self, call: Call, given: Members) -> Members:
        found = (self.find(name) for name in self._users.found(given["UserName"]).body["Groups"])
        return page([self._shown(group) for group in found if group is not None], given, "Groups", "GroupName")

    def _members(self, name: str, tx: Tx | None = None) -> list[Record]:
        return [user for user in self._users.listed(tx) if name in user.body["Groups"]]

    def _shown(self, record: Record) -> Members:
        return {
            "Path": record.body["Path"],
            "GroupName": record.name,
            "GroupId": record.body["GroupId"],
            "Arn": self.arn(record),
            "CreateDate": datetime.fromtimestamp(since(record), UTC),
        }
