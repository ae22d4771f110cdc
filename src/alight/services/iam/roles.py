"""Roles: who a worker is, and what it may do.

Record body (kind `iam:role`, by name): `Path`, `RoleId`, `Trust` (document as text), `Description`,
`MaxSessionDuration`, `Tags`, `Policies` (inline: name → document as text) and `Attached` (ARNs, in order).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime

from alight import names
from alight.calls import Call, Members
from alight.errors.common import ValidationError
from alight.errors.iam import DeleteConflict, EntityAlreadyExists, LimitExceeded, NoSuchEntity
from alight.services.iam.documents import identity_policy, shown, trust_policy
from alight.services.iam.pages import page
from alight.services.iam.policies import ROLE_KIND as KIND
from alight.services.iam.policies import Policies, new_id
from alight.store.database import Database, Tx
from alight.store.records import Record, Records

_NAME = re.compile(r"[\w+=,.@-]{1,64}")
_PATH = re.compile(r"/|/[\x21-\x7e]{1,510}/")
MOST_ATTACHED = 20


class Roles:
    """The operations on roles, and the policies that the gateway enforces."""

    def __init__(self, database: Database, records: Records, policies: Policies) -> None:
        self._database = database
        self._records = records
        self._policies = policies
        #: Documents of roles as they were read, for as long as no definition changes.
        self._known: dict[str, list[Members]] = {}
        self._version = -1

    def exists(self, role_name: str) -> bool:
        return self._records.get(KIND, role_name) is not None

    def trust_of(self, arn: str) -> Members | None:
        """The trust policy of the role with this ARN; None where there is none."""
        record = self._records.get(KIND, arn.rpartition("/")[2])
        if record is None or names.role_arn(record.name, record.body["Path"]) != arn:
            return None
        trust: Members = json.loads(record.body["Trust"])
        return trust

    def policies_of(self, role_name: str) -> list[Members]:
        """The documents of all inline and attached policies, to be read only; none for a role that is not there
        (nothing is allowed)."""
        if self._version != self._records.version:
            self._known, self._version = {}, self._records.version
        if role_name not in self._known:
            self._known[role_name] = self._documents(role_name)
        return self._known[role_name]

    def _documents(self, role_name: str) -> list[Members]:
        record = self._records.get(KIND, role_name)
        if record is None:
            return []
        inline = [json.loads(text) for text in record.body["Policies"].values()]
        attached = (self._policies.document(arn) for arn in record.body["Attached"])
        return [*inline, *(document for document in attached if document is not None)]

    async def create_role(self, call: Call, given: Members) -> Members:
        name, path = given["RoleName"], given.get("Path", "/")
        if not _NAME.fullmatch(name) or not _PATH.fullmatch(path):
            raise ValidationError(f"The specified value for roleName or path is invalid: {path}{name}")
        body = {
            "Path": path,
            "RoleId": new_id("AROA"),
            "Trust": trust_policy(given["AssumeRolePolicyDocument"]),
            "Description": given.get("Description", ""),
            "MaxSessionDuration": given.get("MaxSessionDuration", 3600),
            "Tags": given.get("Tags", []),
            "Policies": {},
            "Attached": [],
        }

        def job(tx: Tx) -> Record:
            if self._records.get(KIND, name, tx) is not None:
                raise EntityAlreadyExists(f"Role with name {name} already exists.")
            return self._records.put(tx, KIND, name, body)

        return {"Role": _shown(await self._database.write(job))}

    async def get_role(self, call: Call, given: Members) -> Members:
        return {"Role": _shown(self._found(given["RoleName"])) | {"RoleLastUsed": {}}}

    async def list_roles(self, call: Call, given: Members) -> Members:
        prefix = given.get("PathPrefix", "/")
        roles = [_shown(record) for record in self._records.list(KIND) if record.body["Path"].startswith(prefix)]
        return page(roles, given, "Roles", "RoleName")

    async def delete_role(self, call: Call, given: Members) -> Members:
        record = self._found(given["RoleName"])
        if record.body["Attached"]:
            raise DeleteConflict("Cannot delete entity, must detach all policies first.")
        if record.body["Policies"]:
            raise DeleteConflict("Cannot delete entity, must delete policies first.")
        await self._records.remove(KIND, record.name)
        return {}

    async def update_role(self, call: Call, given: Members) -> Members:
        changed = {name: given[name] for name in ("Description", "MaxSessionDuration") if name in given}
        await self._change(given["RoleName"], lambda body: body | changed)
        return {}

    async def update_assume_role_policy(self, call: Call, given: Members) -> Members:
        trust = trust_policy(given["PolicyDocument"])
        await self._change(given["RoleName"], lambda body: body | {"Trust": trust})
        return {}

    async def put_role_policy(self, call: Call, given: Members) -> Members:
        new = {given["PolicyName"]: identity_policy(given["PolicyDocument"])}
        await self._change(given["RoleName"], lambda body: body | {"Policies": body["Policies"] | new})
        return {}

    async def get_role_policy(self, call: Call, given: Members) -> Members:
        text = self._inline(self._found(given["RoleName"]), given["PolicyName"])
        return {"RoleName": given["RoleName"], "PolicyName": given["PolicyName"], "PolicyDocument": shown(text)}

    async def list_role_policies(self, call: Call, given: Members) -> Members:
        return page(sorted(self._found(given["RoleName"]).body["Policies"]), given, "PolicyNames", "")

    async def delete_role_policy(self, call: Call, given: Members) -> Members:
        name = given["PolicyName"]
        self._inline(self._found(given["RoleName"]), name)

        def without(body: Members) -> Members:
            return body | {"Policies": {known: text for known, text in body["Policies"].items() if known != name}}

        await self._change(given["RoleName"], without)
        return {}

    async def attach_role_policy(self, call: Call, given: Members) -> Members:
        arn = given["PolicyArn"]
        if not self._policies.exists(arn):
            raise NoSuchEntity(f"Policy {arn} does not exist or is not attachable.")
        if len(set(self._found(given["RoleName"]).body["Attached"]) | {arn}) > MOST_ATTACHED:
            raise LimitExceeded(f"Cannot exceed quota for PoliciesPerRole: {MOST_ATTACHED}")

        def attached(body: Members) -> Members:
            return body | {"Attached": [*(known for known in body["Attached"] if known != arn), arn]}

        await self._change(given["RoleName"], attached)
        return {}

    async def detach_role_policy(self, call: Call, given: Members) -> Members:
        arn = given["PolicyArn"]
        if arn not in self._found(given["RoleName"]).body["Attached"]:
            raise NoSuchEntity(f"Policy {arn} was not found.")

        def detached(body: Members) -> Members:
            return body | {"Attached": [known for known in body["Attached"] if known != arn]}

        await self._change(given["RoleName"], detached)
        return {}

    async def list_attached_role_policies(self, call: Call, given: Members) -> Members:
        arns = self._found(given["RoleName"]).body["Attached"]
        attached = [{"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn} for arn in arns]
        return page(attached, given, "AttachedPolicies", "PolicyArn")

    def _found(self, name: str, tx: Tx | None = None) -> Record:
        record = self._records.get(KIND, name, tx)
        if record is None:
            raise NoSuchEntity(f"The role with name {name} cannot be found.")
        return record

    def _inline(self, record: Record, name: str) -> str:
        if name not in record.body["Policies"]:
            raise NoSuchEntity(f"The role policy with name {name} cannot be found.")
        return str(record.body["Policies"][name])

    async def _change(self, name: str, change: Callable[[Members], Members]) -> None:
        # Reading and writing are one job of the writer: of two changes at a time, both stay.
        def job(tx: Tx) -> None:
            record = self._found(name, tx)
            self._records.put(tx, KIND, name, change(record.body))

        await self._database.write(job)


def _shown(record: Record) -> Members:
    role = {
        "Path": record.body["Path"],
        "RoleName": record.name,
        "RoleId": record.body["RoleId"],
        "Arn": names.role_arn(record.name, record.body["Path"]),
        "CreateDate": datetime.fromtimestamp(record.created, UTC),
        "AssumeRolePolicyDocument": shown(record.body["Trust"]),
        "MaxSessionDuration": record.body["MaxSessionDuration"],
    }
    optional = {"Description": record.body["Description"], "Tags": record.body["Tags"]}
    return role | {member: value for member, value in optional.items() if value}
