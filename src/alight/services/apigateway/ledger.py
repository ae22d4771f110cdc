"""The records of one kind of API: the API as it is described, and a snapshot for each deployment.

A record `KIND/id` holds the whole API as it is being edited; a deployment's content is a record of its own
(`KIND:deployment/id/deployment`), written with the change that deploys and never changed. What is served is a
snapshot, so half-done edits are never seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from alight import names
from alight.clock import Clock
from alight.errors.apigateway import NotFoundException
from alight.store.database import Database, Tx
from alight.store.records import Records

T = TypeVar("T")

REST = "apigateway:restapi"
HTTP = "apigatewayv2:api"
#: More APIs than anybody has in one account.
MOST = 100_000


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of one API, inside its transaction: `body` is to be changed in place."""

    id: str
    body: dict[str, Any]
    now: float
    _records: Records
    _tx: Tx
    _kind: str

    def snapshot(self, deployment_id: str, content: dict[str, Any]) -> None:
        self._records.put(self._tx, f"{self._kind}:deployment", f"{self.id}/{deployment_id}", content)

    def forget_snapshot(self, deployment_id: str) -> None:
        self._records.delete(self._tx, f"{self._kind}:deployment", f"{self.id}/{deployment_id}")


class Ledger:
    """Every API of one kind. Faults are API Gateway's."""

    def __init__(self, database: Database, records: Records, clock: Clock, kind: str) -> None:
        self._database = database
        self._records = records
        self._clock = clock
        self._kind = kind

    def find(self, api_id: str, tx: Tx | None = None) -> dict[str, Any] | None:
        record = self._records.get(self._kind, api_id, tx)
        return record.body if record else None

    def body(self, api_id: str, tx: Tx | None = None) -> dict[str, Any]:
        """The API as it is described now. Raises `NotFoundException`."""
        found = self.find(api_id, tx)
        if found is None:
            raise NotFoundException(f"Invalid API identifier specified {names.ACCOUNT}:{api_id}")
        return found

    def all(self) -> list[dict[str, Any]]:
        """Every API in the order of creation."""
        found = [(record.created, record.name, record.body) for record in self._records.list(self._kind, limit=MOST)]
        return [body for _, _, body in sorted(found, key=lambda item: item[:2])]

    def deployed(self, api_id: str, deployment_id: str) -> dict[str, Any] | None:
        record = self._records.get(f"{self._kind}:deployment", f"{api_id}/{deployment_id}")
        return record.body if record else None

    def revision(self, api_id: str) -> object | None:
        """The same object until the API changes; to be compared by `is`."""
        return self._records.revision(self._kind, api_id)

    def now(self) -> float:
        return self._clock.now()

    async def create(self, api_id: str, body: dict[str, Any], then: Callable[[Edit], None] | None = None) -> None:
        """Write a new API; `then` goes on with it in the same transaction."""

        def job(tx: Tx) -> None:
            if then is not None:
                then(self._edit(api_id, body, tx))
            self._records.put(tx, self._kind, api_id, body)

        await self._database.write(job)

    async def change(self, api_id: str, change: Callable[[Edit], T]) -> T:
        """Run `change` over the API and write what it made of it, in one transaction; returns its answer."""

        def job(tx: Tx) -> T:
            edit = self._edit(api_id, self.body(api_id, tx), tx)
            answer = change(edit)
            self._records.put(tx, self._kind, api_id, edit.body)
            return answer

        return await self._database.write(job)

    async def delete(self, api_id: str) -> None:
        """Forget the API and everything that was deployed of it."""

        def job(tx: Tx) -> None:
            edit = self._edit(api_id, self.body(api_id, tx), tx)
            for deployment_id in edit.body["Deployments"]:
                edit.forget_snapshot(deployment_id)
            self._records.delete(tx, self._kind, api_id)

        await self._database.write(job)

    def _edit(self, api_id: str, body: dict[str, Any], tx: Tx) -> Edit:
        return Edit(api_id, body, self._clock.now(), self._records, tx, self._kind)


def stage_of(body: dict[str, Any], name: str) -> dict[str, Any]:
    """One stage of an API of either kind, as it is kept. Raises `NotFoundException`."""
    found: dict[str, Any] | None = body["Stages"].get(name)
    if found is None:
        raise NotFoundException("Invalid stage identifier specified")
    return found
