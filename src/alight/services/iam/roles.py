"""Roles: who a worker is, and who may take them.

Record body (kind `iam:role`, by name): `Path`, `RoleId`, `Trust` (document as text), `Description`,
`MaxSessionDuration`, and what `holders` keeps.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

from alight.calls import Call, Members
from alight.errors.iam import DeleteConflict
from alight.services.iam.documents import shown, trust_policy
from alight.services.iam.holders import Holders
from alight.services.iam.kinds import ROLE, new_id
from alight.services.iam.pages import page
from alight.services.iam.policies import Policies
from alight.store.database import Database, Tx
from alight.store.records import Record, Records


class Roles(Holders):
    """The operations on roles."""

    def __init__(self, database: Database, records: Records, policies: Policies) -> None:
        super().__init__(ROLE, database, records, policies)

    def trust_of(self, arn: str) -> Members | None:
        """The trust policy of the role with this ARN; None where there is none."""
        record = self.by_arn(arn)
        if record is None:
            return None
        trust: Members = json.loads(record.body["Trust"])
        return trust

    def by_arn(self, arn: str) -> Record | None:
        record = self.find(arn.rpartition("/")[2])
        return record if record is not None and self.arn(record) == arn else None

    async def create_role(self, call: Call, given: Members) -> Members:
        body = {
            "RoleId": new_id(ROLE.id_prefix),
            "Trust": trust_policy(given["AssumeRolePolicyDocument"]),
            "Description": given.get("Description", ""),
            "MaxSessionDuration": given.get("MaxSessionDuration", 3600),
            "Tags": given.get("Tags", []),
        }
        return {"Role": self._shown(await self.create(given["RoleName"], given.get("Path", "/"), body))}

    async def get_role(self, call: Call, given: Members) -> Members:
        return {"Role": self._shown(self.found(given["RoleName"])) | {"RoleLastUsed": {}}}

    async def list_roles(self, call: Call, given: Members) -> Members:
        prefix = given.get("PathPrefix", "/")
        roles = [self._shown(record) for record in self.listed() if record.body["Path"].startswith(prefix)]
        return page(roles, given, "Roles", "RoleName")

    async def delete_role(self, call: Call, given: Members) -> Members:
        def job(tx: Tx) -> None:
            record = self.found(given["RoleName"], tx)
            if record.body["Attached"]:
                raise DeleteConflict("Cannot delete entity, must detach all policies first.")
            if record.body["Policies"]:
                raise DeleteConflict("Cannot delete entity, must delete policies first.")
            self._records.delete(tx, ROLE.record, record.name)

        await self._database.write(job)
        return {}

    async def update_role(self, call: Call, given: Members) -> Members:
        changed = {name: given[name] for name in ("Description", "MaxSessionDuration") if name in given}
        await self.change(given["RoleName"], lambda body: body | changed)
        return {}

    async def update_role_description(self, call: Call, given: Members) -> Members:
        await self.change(given["RoleName"], lambda body: body | {"Description": given["Description"]})
        return {"Role": self._shown(self.found(given["RoleName"]))}

    async def update_assume_role_policy(self, call: Call, given: Members) -> Members:
        trust = trust_policy(given["PolicyDocument"])
        await self.change(given["RoleName"], lambda body: body | {"Trust": trust})
        return {}

    async def list_instance_profiles_for_role(self, call: Call, given: Members) -> Members:
        """There are none here; those who tear a role down ask first."""
        self.found(given["RoleName"])
        return {"InstanceProfiles": [], "IsTruncated": False}

    def _shown(self, record: Record) -> Members:
        role = {
            "Path": record.body["Path"],
            "RoleName": record.name,
            "RoleId": record.body["RoleId"],
            "Arn": self.arn(record),
            "CreateDate": datetime.fromtimestamp(record.created, UTC),
            "AssumeRolePolicyDocument": shown(record.body["Trust"]),
            "MaxSessionDuration": record.body["MaxSessionDuration"],
        }
        optional = {"Description": record.body["Description"], "Tags": record.body["Tags"]}
        return role | {member: value for member, value in optional.items() if value}
