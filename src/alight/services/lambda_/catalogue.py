"""The records of functions, their versions and aliases: found by name or ARN, changed one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from alight import names
from alight.errors.lambda_ import ResourceConflictException
from alight.services.lambda_ import definitions, qualifiers
from alight.services.lambda_.qualifiers import LATEST
from alight.store.database import Database, Tx
from alight.store.records import Records

FUNCTION, VERSION, ALIAS = definitions.KIND, "lambda:version", "lambda:alias"
#: Function URLs, named as what they belong to: `name:alias`, `name:` for the function itself.
URL = "lambda:url"
#: The last number that was given to a version: it outlives the function, as no number is given twice.
NUMBER = "lambda:number"
#: Records read at a time, and the most that one function may have of versions and aliases in a listing.
_MANY = 10_000

Body = dict[str, Any]
Change = Callable[[Body], Body]


class Catalogue:
    """Every function of the account. Faults are Lambda's."""

    def __init__(self, database: Database, records: Records) -> None:
        self._database = database
        self._records = records
        #: What functions say of their events, in jobs; for as long as a definition is the same object.
        self._event_settings: dict[str, tuple[object, Body]] = {}

    @property
    def version(self) -> int:
        """As long as this is the same, so are all functions."""
        return self._records.version

    def find(self, function: str, tx: Tx | None = None, qualifier: str | None = None) -> Body | None:
        """The function as its name or ARN, with its qualifier, shows it, or None; inside a write job, as the job sees
        it."""
        name, qualifier = qualifiers.split(function, qualifier)
        own = self._get(FUNCTION, name, tx)
        if own is None or not qualifier:
            return own
        arn = names.function_arn(name, qualifier)
        if qualifier == LATEST:
            return qualifiers.seen(own, own, arn)
        if qualifiers.is_version(qualifier):
            version = self._get(VERSION, qualifiers.place(name, qualifier), tx)
            return None if version is None else qualifiers.seen(own, version, arn)
        alias = self._get(ALIAS, qualifiers.place(name, qualifier), tx)
        return None if alias is None else self._through(own, alias, alias["Configuration"]["FunctionVersion"], tx)

    def event_settings(self, function: str, tx: Tx) -> Body:
        """How the function wants its events tried, as the job sees it; empty where it does not say or is not there."""
        name, qualifier = qualifiers.split(function)
        if qualifier:
            return (self.find(function, tx) or {}).get("EventInvoke") or {}
        revision = self._records.revision(FUNCTION, name, tx)
        known = self._event_settings.get(name)
        if known is None or known[0] is not revision:
            if len(self._event_settings) >= _MANY:
                self._event_settings.clear()
            settings = (self._get(FUNCTION, name, tx) or {}).get("EventInvoke") or {}
            known = self._event_settings[name] = revision, settings
        return known[1]

    def routed(self, body: Body, lot: float) -> Body:
        """What one call of `body` runs: where it was found by an alias with weights, the lot chooses the version."""
        version = qualifiers.drawn(body.get("Routes", {}), lot)
        if not version:
            return body
        name, qualifier = qualifiers.split(body["Configuration"]["FunctionArn"])
        own, alias = self._get(FUNCTION, name, None), self._get(ALIAS, qualifiers.place(name, qualifier), None)
        found = self._through(own, alias, version, None) if own and alias else None
        return body if found is None else found

    def body(self, function: str, qualifier: str | None = None, tx: Tx | None = None) -> Body:
        """Raises ResourceNotFoundException where there is no such function, version or alias."""
        found = self.find(function, tx, qualifier)
        if found is None:
            raise definitions.not_found(self.arn(function, qualifier))
        return found

    def arn(self, function: str, qualifier: str | None = None) -> str:
        """The ARN by which the function is called, with its qualifier where one is given."""
        return names.function_arn(*qualifiers.split(function, qualifier))

    def page(self, after: str, limit: int) -> list[Body]:
        """Functions in the order of their names."""
        return [record.body for record in self._records.list(FUNCTION, after=after, limit=limit)]

    def page_of_all(self, after: str, limit: int) -> list[Body]:
        """Functions as `$LATEST`, each followed by its versions; `after` is a name with the qualifier of the last."""
        name, _, qualifier = after.partition(":")
        found: list[Body] = []
        if name:
            found += self.versions(name, after="" if qualifier == LATEST else qualifier, limit=limit)
        while len(found) < limit and (page := self.page(name, limit)):
            for own in page:
                name = own["Configuration"]["FunctionName"]
                found += [qualifiers.seen(own, own, names.function_arn(name, LATEST)), *self.versions(name)]
        return found[:limit]

    def versions(self, function: str, after: str = "", limit: int = _MANY) -> list[Body]:
        """Published versions of one function in the order of their numbers, those behind `after`."""
        name = definitions.parse_name(function)[0]
        start = qualifiers.place(name, after) if after else ""
        found = self._records.list(VERSION, prefix=f"{name}:", after=start, limit=limit)
        return [record.body for record in found]

    def aliases(self, function: str, after: str = "", limit: int = _MANY, tx: Tx | None = None) -> list[Body]:
        """Aliases of one function by name, those behind `after`, as they are kept."""
        name = definitions.parse_name(function)[0]
        start = qualifiers.place(name, after) if after else ""
        found = self._records.list(ALIAS, prefix=f"{name}:", after=start, limit=limit, tx=tx)
        return [record.body for record in found]

    def alias(self, function: str, alias: str) -> Body | None:
        """One alias as it is kept."""
        return self._get(ALIAS, qualifiers.place(definitions.parse_name(function)[0], alias), None)

    def kept(self, function: str, qualifier: str | None = None) -> Body:
        """What is kept under that name itself: an alias' own policy and revision, not those of what it leads to."""
        name, qualifier = qualifiers.split(function, qualifier)
        kind, place = _home(name, qualifier)
        found = self._get(kind, place, None)
        if found is None:
            raise definitions.not_found(names.function_arn(name, qualifier))
        return found

    def everything(self) -> Iterator[Body]:
        """Functions, each followed by its published versions."""
        for body in self.page("", 100_000):
            yield body
            yield from self.versions(body["Configuration"]["FunctionName"])

    async def create(self, body: Body, *, publish: bool = False) -> Body:
        """Returns the version that was published, else the function."""
        name = body["Configuration"]["FunctionName"]

        def job(tx: Tx) -> Body:
            if self.find(name, tx) is not None:
                raise definitions.exists(name)
            self._records.put(tx, FUNCTION, name, body)
            return self._publish(tx, body, None) if publish else body

        return await self._database.write(job)

    async def change(self, function: str, change: Change) -> Body:
        """Replace a function's body by `change(body)` in one transaction; returns the new one."""
        return await self.change_kept(qualifiers.whole(function), None, change)

    async def change_kept(self, function: str, qualifier: str | None, change: Change) -> Body:
        """The same for what is kept under a name with its qualifier: see `kept`."""
        name, qualifier = qualifiers.split(function, qualifier)

        def job(tx: Tx) -> Body:
            return self._change(tx, name, qualifier, change)

        return await self._database.write(job)

    async def publish(self, function: str, change: Change, description: str | None = None) -> Body:
        """Change a function and publish it, in one transaction; returns the version, which is the last one where
        nothing has changed since."""
        name = qualifiers.whole(function)

        def job(tx: Tx) -> Body:
            return self._publish(tx, self._change(tx, name, "", change), description)

        return await self._database.write(job)

    async def create_alias(self, name: str, alias: str, make: Callable[[Tx], Body]) -> Body:
        def job(tx: Tx) -> Body:
            place = qualifiers.place(name, alias)
            made = make(tx)
            if self._get(ALIAS, place, tx) is not None:
                raise ResourceConflictException(f"Alias already exists: {names.function_arn(name, alias)}", Type="User")
            self._records.put(tx, ALIAS, place, made)
            return made

        return await self._database.write(job)

    async def change_alias(self, name: str, alias: str, change: Callable[[Tx, Body], Body]) -> Body:
        def job(tx: Tx) -> Body:
            return self._change(tx, name, alias, lambda body: change(tx, body))

        return await self._database.write(job)

    async def delete_alias(self, name: str, alias: str) -> None:
        """With its URL. One that is not there is as gone as it should be."""

        def job(tx: Tx) -> None:
            for kind in (ALIAS, URL):
                self._records.delete(tx, kind, qualifiers.place(name, alias))

        await self._database.write(job)

    async def delete_version(self, name: str, version: str) -> None:
        """Raises ResourceConflictException where an alias leads to it; one that is not there is gone."""

        def job(tx: Tx) -> None:
            configurations = [alias["Configuration"] for alias in self.aliases(name, tx=tx)]
            held = [
                alias["Name"]
                for alias in configurations
                if version in (alias["FunctionVersion"], *qualifiers.weights(alias))
            ]
            if held:
                raise ResourceConflictException(
                    f"Unable to delete version because the following aliases reference it: [{', '.join(held)}]",
                    Type="User",
                )
            self._records.delete(tx, VERSION, qualifiers.place(name, version))

        await self._database.write(job)

    async def delete(self, function: str) -> None:
        """The function with all its versions, aliases and URLs."""
        name, _ = definitions.parse_name(function)

        def job(tx: Tx) -> None:
            self.body(name, tx=tx)
            self._records.delete(tx, FUNCTION, name)
            for kind in (VERSION, ALIAS, URL):
                while found := self._records.list(kind, prefix=f"{name}:", tx=tx):
                    for record in found:
                        self._records.delete(tx, kind, record.name)

        await self._database.write(job)

    def _get(self, kind: str, name: str, tx: Tx | None) -> Body | None:
        record = self._records.get(kind, name, tx)
        return record.body if record else None

    def _through(self, function: Body, alias: Body, version: str, tx: Tx | None) -> Body | None:
        """The function by an alias that leads to `version`."""
        name = function["Configuration"]["FunctionName"]
        target = function if version == LATEST else self._get(VERSION, qualifiers.place(name, version), tx)
        arn = alias["Configuration"]["AliasArn"]
        return None if target is None else qualifiers.seen(function, target, arn, alias)

    def _change(self, tx: Tx, name: str, qualifier: str, change: Change) -> Body:
        kind, place = _home(name, qualifier)
        before = self._get(kind, place, tx)
        if before is None:
            raise definitions.not_found(names.function_arn(name, qualifier))
        after = change(before)
        self._records.put(tx, kind, place, after)
        return after

    def _publish(self, tx: Tx, body: Body, description: str | None) -> Body:
        name = body["Configuration"]["FunctionName"]
        number = (self._get(NUMBER, name, tx) or {"Last": 0})["Last"]
        last = self._get(VERSION, qualifiers.place(name, str(number)), tx)
        if last is not None and last["Of"] == qualifiers.content(body):
            return last
        made = qualifiers.published(body, number + 1, description)
        self._records.put(tx, NUMBER, name, {"Last": number + 1})
        self._records.put(tx, VERSION, qualifiers.place(name, str(number + 1)), made)
        return made


def _home(name: str, qualifier: str) -> tuple[str, str]:
    """Kind and name of the record behind a function's name with its qualifier."""
    if qualifier in ("", LATEST):
        return FUNCTION, name
    return VERSION if qualifiers.is_version(qualifier) else ALIAS, qualifiers.place(name, qualifier)
