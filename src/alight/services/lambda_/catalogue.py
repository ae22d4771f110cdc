"""The records of functions: found by name or ARN, changed one at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from alight import names
from alight.services.lambda_ import definitions
from alight.store.database import Database, Tx
from alight.store.records import Records

Change = Callable[[dict[str, Any]], dict[str, Any]]


class Catalogue:
    """Every function of the account. Faults are Lambda's."""

    def __init__(self, database: Database, records: Records) -> None:
        self._database = database
        self._records = records

    @property
    def version(self) -> int:
        """As long as this is the same, so are all functions."""
        return self._records.version

    def find(self, function: str, tx: Tx | None = None) -> dict[str, Any] | None:
        """The record body behind a name or ARN, or None; inside a write job, as the job sees it."""
        name, _ = definitions.parse_name(function)
        record = self._records.get(definitions.KIND, name, tx)
        return record.body if record else None

    def body(self, function: str, qualifier: str | None = None, tx: Tx | None = None) -> dict[str, Any]:
        """Raises ResourceNotFoundException where there is no such function or version."""
        name, own = definitions.parse_name(function)
        definitions.check_qualifier(name, qualifier or own)
        found = self.find(name, tx)
        if found is None:
            raise definitions.not_found(names.function_arn(name))
        return found

    def arn(self, function: str) -> str:
        return names.function_arn(definitions.parse_name(function)[0])

    def page(self, after: str, limit: int) -> list[dict[str, Any]]:
        return [record.body for record in self._records.list(definitions.KIND, after=after, limit=limit)]

    async def create(self, body: dict[str, Any]) -> None:
        name = body["Configuration"]["FunctionName"]

        def job(tx: Tx) -> None:
            if self.find(name, tx) is not None:
                raise definitions.exists(name)
            self._records.put(tx, definitions.KIND, name, body)

        await self._database.write(job)

    async def change(self, function: str, change: Change) -> dict[str, Any]:
        """Replace the body by `change(body)` in one transaction; returns the new one."""
        name, _ = definitions.parse_name(function)

        def job(tx: Tx) -> dict[str, Any]:
            changed = change(self.body(name, tx=tx))
            self._records.put(tx, definitions.KIND, name, changed)
            return changed

        return await self._database.write(job)

    async def delete(self, function: str) -> None:
        name, _ = definitions.parse_name(function)
        self.body(name)
        await self._database.write(lambda tx: self._records.delete(tx, definitions.KIND, name))
