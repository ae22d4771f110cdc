"""Managed policies: AWS's own, which are read-only, and the customer's, with up to five versions each.

Record body (kind `iam:policy`, by name): `Path`, `PolicyId`, `Description`, `Default` (version id) and `Versions`,
version id → `{"Document": text, "Created": seconds}`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime

from alight import names
from alight.calls import Call, Members
from alight.clock import Clock
from alight.errors.iam import DeleteConflict, EntityAlreadyExists, LimitExceeded, NoSuchEntity
from alight.services.iam.documents import identity_policy, shown
from alight.services.iam.kinds import GROUP, KINDS, ROLE, USER, Kind, new_id
from alight.services.iam.managed import ManagedPolicy, managed_policies
from alight.services.iam.pages import page
from alight.store.database import Database, Tx
from alight.store.records import Record, Records

KIND = "iam:policy"
MOST_VERSIONS = 5
_AWS_EPOCH = datetime(2015, 2, 6, 18, 40, 58, tzinfo=UTC)


class Policies:
    """The operations on managed policies, and the documents behind an ARN."""

    def __init__(self, database: Database, records: Records, clock: Clock) -> None:
        self._database = database
        self._records = records
        self._clock = clock

    def document(self, arn: str) -> Members | None:
        """The default version's document, or None where there is no such policy."""
        if arn in managed_policies():
            return managed_policies()[arn].document
        record = self._record(arn)
        if record is None:
            return None
        document: Members = json.loads(record.body["Versions"][record.body["Default"]]["Document"])
        return document

    def exists(self, arn: str) -> bool:
        return arn in managed_policies() or self._record(arn) is not None

    async def create_policy(self, call: Call, given: Members) -> Members:
        name, path = given["PolicyName"], given.get("Path", "/")
        first = {"Document": identity_policy(given["PolicyDocument"]), "Created": self._clock.now()}
        body = {
            "Path": path,
            "PolicyId": new_id("ANPA"),
            "Description": given.get("Description", ""),
            "Tags": given.get("Tags", []),
            "Default": "v1",
            "Next": 2,
            "Versions": {"v1": first},
        }

        def job(tx: Tx) -> Record:
            if self._records.get(KIND, name, tx) is not None:
                raise EntityAlreadyExists(f"A policy called {name} already exists. Duplicate names are not allowed.")
            return self._records.put(tx, KIND, name, body)

        return {"Policy": self._shown(await self._database.write(job))}

    async def get_policy(self, call: Call, given: Members) -> Members:
        arn = given["PolicyArn"]
        if arn in managed_policies():
            return {"Policy": self._shown_managed(managed_policies()[arn])}
        record = self._found(arn)
        return {"Policy": self._shown(record) | {"Description": record.body["Description"]}}

    async def list_policies(self, call: Call, given: Members) -> Members:
        scope, prefix = given.get("Scope", "All"), given.get("PathPrefix", "/")
        local = [] if scope == "AWS" else [self._shown(record) for record in self._records.list(KIND)]
        aws = [] if scope == "Local" else [self._shown_managed(policy) for policy in managed_policies().values()]
        found = [policy for policy in (*local, *aws) if policy["Path"].startswith(prefix)]
        if given.get("OnlyAttached"):
            found = [policy for policy in found if policy["AttachmentCount"]]
        return page(found, given, "Policies", "Arn")

    async def delete_policy(self, call: Call, given: Members) -> Members:
        arn = given["PolicyArn"]

        def job(tx: Tx) -> None:
            record = self._record(arn, tx)
            if record is None:
                raise _missing(arn)
            if self._attached_to(arn, tx):
                raise DeleteConflict("Cannot delete a policy attached to entities.")
            if len(record.body["Versions"]) > 1:
                raise DeleteConflict("This policy has more than one version. Delete the other versions first.")
            self._records.delete(tx, KIND, record.name)

        await self._database.write(job)
        return {}

    async def create_policy_version(self, call: Call, given: Members) -> Members:
        document = identity_policy(given["PolicyDocument"])

        def change(body: Members) -> Members:
            if len(body["Versions"]) >= MOST_VERSIONS:
                raise LimitExceeded(f"A managed policy can have up to {MOST_VERSIONS} versions.")
            version = f"v{body['Next']}"
            versions = body["Versions"] | {version: {"Document": document, "Created": self._clock.now()}}
            default = version if given.get("SetAsDefault") else body["Default"]
            return body | {"Next": body["Next"] + 1, "Versions": versions, "Default": default}

        body = await self._change(given["PolicyArn"], change)
        return {"PolicyVersion": _version(body, f"v{body['Next'] - 1}")}

    async def get_policy_version(self, call: Call, given: Members) -> Members:
        arn, version = given["PolicyArn"], given["VersionId"]
        if arn in managed_policies():
            policy = managed_policies()[arn]
            if version != policy.version:
                raise NoSuchEntity(f"Policy {arn} version {version} does not exist.")
            document = shown(json.dumps(policy.document))
            return {"PolicyVersion": _managed_version(policy) | {"Document": document}}
        body = self._found(arn).body
        _require_version(body, arn, version)
        document = shown(body["Versions"][version]["Document"])
        return {"PolicyVersion": _version(body, version) | {"Document": document}}

    async def list_policy_versions(self, call: Call, given: Members) -> Members:
        arn = given["PolicyArn"]
        if arn in managed_policies():
            return page([_managed_version(managed_policies()[arn])], given, "Versions", "VersionId")
        body = self._found(arn).body
        versions = [_version(body, version) for version in reversed(body["Versions"])]
        return page(versions, given, "Versions", "VersionId")

    async def set_default_policy_version(self, call: Call, given: Members) -> Members:
        arn, version = given["PolicyArn"], given["VersionId"]

        def change(body: Members) -> Members:
            _require_version(body, arn, version)
            return body | {"Default": version}

        await self._change(arn, change)
        return {}

    async def delete_policy_version(self, call: Call, given: Members) -> Members:
        arn, version = given["PolicyArn"], given["VersionId"]

        def change(body: Members) -> Members:
            _require_version(body, arn, version)
            if version == body["Default"]:
                raise DeleteConflict("Cannot delete the default version of a policy.")
            return body | {"Versions": {known: kept for known, kept in body["Versions"].items() if known != version}}

        await self._change(arn, change)
        return {}

    async def list_entities_for_policy(self, call: Call, given: Members) -> Members:
        if not self.exists(given["PolicyArn"]):
            raise _missing(given["PolicyArn"])
        prefix, only = given.get("PathPrefix", "/"), given.get("EntityFilter")
        found = [
            (kind, record)
            for kind, record in self._attached_to(given["PolicyArn"])
            if record.body["Path"].startswith(prefix) and only in (None, kind.word)
        ]
        shown = page([{"Arn": kind.arn(record.name, record.body["Path"])} for kind, record in found], given, "", "Arn")
        listed = {one["Arn"] for one in shown.pop("")}
        here = [one for one in found if one[0].arn(one[1].name, one[1].body["Path"]) in listed]
        return shown | {f"Policy{kind.word}s": _named(kind, here) for kind in (GROUP, USER, ROLE)}

    async def _change(self, arn: str, change: Callable[[Members], Members]) -> Members:
        """Replace the body by `change(body)` in one transaction; returns the new one."""

        def job(tx: Tx) -> Members:
            record = self._record(arn, tx)
            if record is None:
                raise _missing(arn)
            return self._records.put(tx, KIND, record.name, change(record.body)).body

        return await self._database.write(job)

    def _record(self, arn: str, tx: Tx | None = None) -> Record | None:
        record = self._records.get(KIND, arn.rpartition("/")[2], tx)
        return record if record is not None and _arn(record) == arn else None

    def _found(self, arn: str) -> Record:
        record = self._record(arn)
        if record is None:
            raise _missing(arn)
        return record

    def _attached_to(self, arn: str, tx: Tx | None = None) -> list[tuple[Kind, Record]]:
        return [
            (kind, record)
            for kind in KINDS
            for record in self._records.list(kind.record, limit=10_000, tx=tx)
            if arn in record.body["Attached"]
        ]

    def _shown(self, record: Record) -> Members:
        return {
            "PolicyName": record.name,
            "PolicyId": record.body["PolicyId"],
            "Arn": _arn(record),
            "Path": record.body["Path"],
            "DefaultVersionId": record.body["Default"],
            "AttachmentCount": len(self._attached_to(_arn(record))),
            "PermissionsBoundaryUsageCount": 0,
            "IsAttachable": True,
            "CreateDate": datetime.fromtimestamp(record.created, UTC),
            "UpdateDate": datetime.fromtimestamp(record.modified, UTC),
        }

    def _shown_managed(self, policy: ManagedPolicy) -> Members:
        return {
            "PolicyName": policy.name,
            "PolicyId": "ANPA" + base64.b32encode(policy.name.encode()).decode().rstrip("=")[:17].ljust(17, "A"),
            "Arn": policy.arn,
            "Path": policy.path,
            "DefaultVersionId": policy.version,
            "AttachmentCount": len(self._attached_to(policy.arn)),
            "PermissionsBoundaryUsageCount": 0,
            "IsAttachable": True,
            "CreateDate": _AWS_EPOCH,
            "UpdateDate": _AWS_EPOCH,
        }


def _named(kind: Kind, found: list[tuple[Kind, Record]]) -> list[Members]:
    return [
        {kind.member: record.name, f"{kind.word}Id": record.body[f"{kind.word}Id"]}
        for one, record in found
        if one is kind
    ]


def _arn(record: Record) -> str:
    return str(names.Arn("iam", f"policy{record.body['Path']}{record.name}", region=""))


def _missing(arn: str) -> NoSuchEntity:
    return NoSuchEntity(f"Policy {arn} does not exist or is not attachable.")


def _require_version(body: Members, arn: str, version: str) -> None:
    if version not in body["Versions"]:
        raise NoSuchEntity(f"Policy {arn} version {version} does not exist or is not attachable.")


def _version(body: Members, version: str) -> Members:
    return {
        "VersionId": version,
        "IsDefaultVersion": version == body["Default"],
        "CreateDate": datetime.fromtimestamp(body["Versions"][version]["Created"], UTC),
    }


def _managed_version(policy: ManagedPolicy) -> Members:
    return {"VersionId": policy.version, "IsDefaultVersion": True, "CreateDate": _AWS_EPOCH}
