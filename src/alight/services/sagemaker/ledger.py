"""What SageMaker's three nouns are written down as: one record each, its tags in another, every change one transaction.

Tags are apart, so that who tags an endpoint neither changes when it was modified nor meets its deployment.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

from alight.calls import Members
from alight.errors.sagemaker import ValidationException
from alight.names import Arn
from alight.store.database import Database, Tx
from alight.store.records import Record, Records

MODEL, CONFIGURATION, ENDPOINT = "sagemaker:model", "sagemaker:endpoint-config", "sagemaker:endpoint"
#: By the ARN of what is tagged.
TAGS = "sagemaker:tags"
_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
_WORDS = {MODEL: "model", CONFIGURATION: "endpoint configuration", ENDPOINT: "endpoint"}
_PATHS = {MODEL: "model", CONFIGURATION: "endpoint-config", ENDPOINT: "endpoint"}
_MEMBERS = {MODEL: "modelName", CONFIGURATION: "endpointConfigName", ENDPOINT: "endpointName"}
ALL = 10_000
MOST_TAGS = 50


class Ledger:
    """Read freely, change by its methods; each of them is durable when it returns."""

    def __init__(self, database: Database, records: Records) -> None:
        self._database = database
        self._records = records

    def find(self, kind: str, name: str) -> Record | None:
        return self._records.get(kind, name)

    def revision(self, kind: str, name: str) -> object | None:
        """The same object, by `is`, until the record changes; None where there is none."""
        return self._records.revision(kind, name)

    def known(self, kind: str, name: str, tx: Tx | None = None) -> Record:
        """Raises `ValidationException` in AWS's words where there is none."""
        record = self._records.get(kind, name, tx)
        if record is None:
            raise ValidationException(f'Could not find {_WORDS[kind]} "{arn(kind, name)}".')
        return record

    def all(self, kind: str, tx: Tx | None = None) -> list[Record]:
        return self._records.list(kind, limit=ALL, tx=tx)

    def check_new(self, kind: str, name: str, tx: Tx | None = None) -> None:
        """Raises `ValidationException` where the name is not allowed or taken."""
        if not _NAME.fullmatch(name):
            raise ValidationException(
                f"1 validation error detected: Value '{name}' at '{_MEMBERS[kind]}' failed to satisfy constraint: "
                "Member must satisfy regular expression pattern: ^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"
            )
        if self._records.get(kind, name, tx) is not None:
            raise ValidationException(f'Cannot create already existing {_WORDS[kind]} "{arn(kind, name)}".')

    async def create(self, kind: str, name: str, given: Members) -> None:
        """Write down what is new, its tags apart. Raises as `check_new` does."""
        body = {member: value for member, value in given.items() if member != "Tags"}
        tags = merged([], given.get("Tags") or [])

        def job(tx: Tx) -> None:
            self.check_new(kind, name, tx)
            self._records.put(tx, kind, name, body)
            self._records.put(tx, TAGS, arn(kind, name), {"Tags": tags})

        await self._database.write(job)

    async def amend(self, kind: str, name: str, change: Callable[[Members], Members]) -> None:
        """Write down the body that `change` makes of the latest. Raises `ValidationException` where it has gone
        meanwhile, and whatever `change` raises."""

        def job(tx: Tx) -> None:
            self._records.put(tx, kind, name, change(self.known(kind, name, tx).body))

        await self._database.write(job)

    async def remove(self, kind: str, name: str) -> None:
        """Raises `ValidationException` where there is none."""

        def job(tx: Tx) -> None:
            self.known(kind, name, tx)
            self._records.delete(tx, kind, name)
            self._records.delete(tx, TAGS, arn(kind, name))

        await self._database.write(job)

    def tags(self, resource: str, tx: Tx | None = None) -> list[Members]:
        """The tags of what an ARN names. Raises `ValidationException` where that is nothing of ours."""
        owner = self._tagged(resource, tx)
        kept = self._records.get(TAGS, resource, tx)
        return list((kept or owner).body.get("Tags") or [])

    async def change_tags(self, resource: str, change: Callable[[list[Members]], list[Members]]) -> list[Members]:
        """The tags as `change` leaves them."""

        def job(tx: Tx) -> list[Members]:
            tags = change(self.tags(resource, tx))
            self._records.put(tx, TAGS, resource, {"Tags": tags})
            return tags

        return await self._database.write(job)

    def _tagged(self, resource: str, tx: Tx | None) -> Record:
        path = resource.partition(":sagemaker:")[2].rpartition(":")[2]
        kind = next((kind for kind, word in _PATHS.items() if path.startswith(f"{word}/")), None)
        if kind is None:
            raise ValidationException(f"Value '{resource}' at 'resourceArn' names nothing that can be tagged here.")
        for record in self.all(kind, tx):
            if arn(kind, record.name) == resource:
                return record
        raise ValidationException(f'Could not find {_WORDS[kind]} "{resource}".')


def merged(tags: list[Members], given: list[Members]) -> list[Members]:
    """`given` over `tags`, by key. Raises `ValidationException` where they become too many."""
    both = {tag["Key"]: tag["Value"] for tag in [*tags, *given]}
    if len(both) > MOST_TAGS:
        raise ValidationException(f"A resource has {MOST_TAGS} tags at most; these are {len(both)}.")
    return [{"Key": key, "Value": value} for key, value in both.items()]


def arn(kind: str, name: str) -> str:
    """SageMaker spells its resources in lower case in their ARNs."""
    return str(Arn("sagemaker", f"{_PATHS[kind]}/{name.lower()}"))


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
