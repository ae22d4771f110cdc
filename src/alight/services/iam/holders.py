"""What roles, users and groups have in common: a record with inline policies (`Policies`: name → document as text),
attached ones (`Attached`: ARNs, in order) and tags, and the operations on these."""

from __future__ import annotations

import json
from collections.abc import Callable

from alight.calls import Call, Members
from alight.errors.iam import EntityAlreadyExists, InvalidInput, LimitExceeded, NoSuchEntity
from alight.services.iam.documents import identity_policy, shown
from alight.services.iam.kinds import Kind
from alight.services.iam.pages import page
from alight.services.iam.policies import Policies
from alight.store.database import Database, Tx
from alight.store.records import Record, Records

MOST_TAGS = 50


class Holders:
    """The records of one kind of identity, and the operations on their policies and tags."""

    def __init__(self, kind: Kind, database: Database, records: Records, policies: Policies) -> None:
        self.kind = kind
        self._database = database
        self._records = records
        self._policies = policies

    # Records ---------------------------------------------------------------------------------------------------------

    def find(self, name: str, tx: Tx | None = None) -> Record | None:
        return self._records.get(self.kind.record, name, tx)

    def found(self, name: str, tx: Tx | None = None) -> Record:
        """Raises `NoSuchEntity`."""
        record = self.find(name, tx)
        if record is None:
            raise NoSuchEntity(f"The {self.kind.noun} with name {name} cannot be found.")
        return record

    def listed(self, tx: Tx | None = None) -> list[Record]:
        return self._records.list(self.kind.record, limit=10_000, tx=tx)

    def arn(self, record: Record) -> str:
        return self.kind.arn(record.name, record.body["Path"])

    def documents(self, record: Record) -> list[Members]:
        """All inline and attached policies, read."""
        inline = [json.loads(text) for text in record.body["Policies"].values()]
        attached = (self._policies.document(arn) for arn in record.body["Attached"])
        return [*inline, *(document for document in attached if document is not None)]

    async def create(self, name: str, path: str, body: Members) -> Record:
        """A new record. Raises `ValidationError`, `EntityAlreadyExists`."""
        self.kind.check_name(name, path)
        check_tags(body.get("Tags", []))

        def job(tx: Tx) -> Record:
            if self.find(name, tx) is not None:
                raise EntityAlreadyExists(f"{self.kind.word} with name {name} already exists.")
            return self._records.put(tx, self.kind.record, name, {**body, "Path": path, "Policies": {}, "Attached": []})

        return await self._database.write(job)

    async def change(self, name: str, change: Callable[[Members], Members]) -> None:
        # Reading and writing are one job of the writer: of two changes at a time, both stay.
        def job(tx: Tx) -> None:
            self._records.put(tx, self.kind.record, name, change(self.found(name, tx).body))

        await self._database.write(job)

    # Inline policies -------------------------------------------------------------------------------------------------

    async def put_policy(self, call: Call, given: Members) -> Members:
        new = {given["PolicyName"]: identity_policy(given["PolicyDocument"])}
        await self.change(given[self.kind.member], lambda body: body | {"Policies": body["Policies"] | new})
        return {}

    async def get_policy(self, call: Call, given: Members) -> Members:
        record, name = self.found(given[self.kind.member]), given["PolicyName"]
        self._require(record.body, name)
        document = shown(record.body["Policies"][name])
        return {self.kind.member: record.name, "PolicyName": name, "PolicyDocument": document}

    async def list_policies(self, call: Call, given: Members) -> Members:
        return page(sorted(self.found(given[self.kind.member]).body["Policies"]), given, "PolicyNames", "")

    async def delete_policy(self, call: Call, given: Members) -> Members:
        name = given["PolicyName"]

        def without(body: Members) -> Members:
            self._require(body, name)
            return body | {"Policies": {known: text for known, text in body["Policies"].items() if known != name}}

        await self.change(given[self.kind.member], without)
        return {}

    def _require(self, body: Members, name: str) -> None:
        if name not in body["Policies"]:
            raise NoSuchEntity(f"The {self.kind.noun} policy with name {name} cannot be found.")

    # Attached policies -----------------------------------------------------------------------------------------------

    async def attach_policy(self, call: Call, given: Members) -> Members:
        arn = given["PolicyArn"]
        if not self._policies.exists(arn):
            raise NoSuchEntity(f"Policy {arn} does not exist or is not attachable.")

        def attached(body: Members) -> Members:
            if len({*body["Attached"], arn}) > self.kind.most_attached:
                raise LimitExceeded(f"Cannot exceed quota for PoliciesPer{self.kind.word}: {self.kind.most_attached}")
            return body | {"Attached": [*(known for known in body["Attached"] if known != arn), arn]}

        await self.change(given[self.kind.member], attached)
        return {}

    async def detach_policy(self, call: Call, given: Members) -> Members:
        arn = given["PolicyArn"]

        def detached(body: Members) -> Members:
            if arn not in body["Attached"]:
                raise NoSuchEntity(f"Policy {arn} was not found.")
            return body | {"Attached": [known for known in body["Attached"] if known != arn]}

        await self.change(given[self.kind.member], detached)
        return {}

    async def list_attached_policies(self, call: Call, given: Members) -> Members:
        arns, prefix = self.found(given[self.kind.member]).body["Attached"], given.get("PathPrefix", "/")
        attached = [
            {"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn}
            for arn in arns
            if arn.partition(":policy")[2].startswith(prefix)
        ]
        return page(attached, given, "AttachedPolicies", "PolicyArn")

    # Tags ------------------------------------------------------------------------------------------------------------

    async def tag(self, call: Call, given: Members) -> Members:
        new = {tag["Key"]: tag["Value"] for tag in given["Tags"]}

        def tagged(body: Members) -> Members:
            tags = {tag["Key"]: tag["Value"] for tag in body["Tags"]} | new
            listed = [{"Key": key, "Value": value} for key, value in tags.items()]
            check_tags(listed)
            return body | {"Tags": listed}

        await self.change(given[self.kind.member], tagged)
        return {}

    async def untag(self, call: Call, given: Members) -> Members:
        gone = set(given["TagKeys"])
        await self.change(
            given[self.kind.member],
            lambda body: body | {"Tags": [tag for tag in body["Tags"] if tag["Key"] not in gone]},
        )
        return {}

    async def list_tags(self, call: Call, given: Members) -> Members:
        return page(self.found(given[self.kind.member]).body["Tags"], given, "Tags", "Key")


def since(record: Record) -> float:
    """When an identity was made, in seconds: one that got another name is a new record and still as old."""
    return float(record.body.get("Created", record.created))


def check_tags(tags: list[Members]) -> None:
    """Raises `InvalidInput`, `LimitExceeded`."""
    keys = [tag["Key"].lower() for tag in tags]
    if len(set(keys)) != len(keys):
        raise InvalidInput("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    if len(keys) > MOST_TAGS:
        raise LimitExceeded(f"The number of tags has reached the maximum limit: {MOST_TAGS}.")
