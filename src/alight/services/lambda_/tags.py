"""Tags of functions and event source mappings: TagResource, UntagResource and ListTags. Those of a function are not its
versions'."""

from __future__ import annotations

from collections.abc import Callable

from alight import names
from alight.calls import Call, Members
from alight.errors.common import NotImplemented_
from alight.errors.lambda_ import InvalidParameterValueException, ResourceNotFoundException
from alight.services.lambda_.catalogue import FUNCTION
from alight.services.lambda_.definitions import not_found
from alight.services.lambda_.mapping_rules import KIND as MAPPING
from alight.services.lambda_.qualifiers import split
from alight.store.database import Database, Tx
from alight.store.records import Record, Records

MOST = 50


class Tags:
    """Tags are kept in the record of what they are for. They change neither its configuration nor its revision."""

    def __init__(self, database: Database, records: Records) -> None:
        self._database = database
        self._records = records

    async def tag_resource(self, call: Call, given: Members) -> Members:
        check_tags(given["Tags"])
        return await self._change(given, lambda tags: tags | given["Tags"])

    async def untag_resource(self, call: Call, given: Members) -> Members:
        gone = set(given["TagKeys"])
        return await self._change(given, lambda tags: {key: value for key, value in tags.items() if key not in gone})

    async def list_tags(self, call: Call, given: Members) -> Members:
        return {"Tags": self._tagged(given, None).body["Tags"]}

    async def _change(self, given: Members, change: Callable[[dict[str, str]], dict[str, str]]) -> Members:
        def job(tx: Tx) -> None:
            found = self._tagged(given, tx)
            self._records.put(tx, found.kind, found.name, found.body | {"Tags": check_tags(change(found.body["Tags"]))})

        await self._database.write(job)
        return {}

    def _tagged(self, given: Members, tx: Tx | None) -> Record:
        kind, name = _place(given["Resource"])
        found = self._records.get(kind, name, tx)
        if found is not None:
            return found
        if kind == FUNCTION:
            raise not_found(given["Resource"])
        raise ResourceNotFoundException("The resource you requested does not exist.", Type="User")


def check_tags(tags: dict[str, str]) -> dict[str, str]:
    """The tags of a function, as long as they are not too many and none is AWS's own."""
    if len(tags) > MOST:
        raise InvalidParameterValueException("Number of tags exceeds resource tag limit.", Type="User")
    if any(key.lower().startswith("aws:") for key in tags):
        raise InvalidParameterValueException("System tags cannot be added/updated by requester.", Type="User")
    return tags


def _place(arn: str) -> tuple[str, str]:
    """Kind and name of the record that an ARN means."""
    try:
        kind, _, name = names.parse_arn(arn).resource.partition(":")
    except ValueError:
        kind, name = "", ""
    if kind == "event-source-mapping":
        return MAPPING, name
    if kind != "function":
        raise NotImplemented_("Alight keeps tags of functions and event source mappings: Resource is the ARN of one.")
    name, qualifier = split(arn)
    if qualifier:
        raise InvalidParameterValueException(
            "Tags on function aliases and versions are not supported. Please specify a function ARN.", Type="User"
        )
    return FUNCTION, name
