"""Groups: made, described, tagged, deleted; how long they keep their lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from alight.calls import Call, Members
from alight.errors.common import NotImplemented_
from alight.errors.logs import (
    InvalidParameterException,
    ResourceAlreadyExistsException,
    ResourceNotFoundException,
)
from alight.names import log_group_arn
from alight.services.logs.places import KIND, Places, check_group_name, group_of, limit, millis
from alight.store.database import Database, Tx
from alight.store.records import Record, Records
from alight.store.rows import Row
from alight.store.telemetry import Telemetry

PAGE = 50
#: Days for which a group may keep its lines, by AWS.
RETENTIONS = frozenset(
    {1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}
)
_KEPT = ("retentionInDays",)


class Groups:
    """The handlers. Functions' groups are there as soon as something was logged to them."""

    def __init__(self, database: Database, records: Records, telemetry: Telemetry, places: Places) -> None:
        self._database = database
        self._records = records
        self._telemetry = telemetry
        self._places = places

    async def create_log_group(self, call: Call, given: Members) -> Members:
        name = check_group_name(given["logGroupName"])
        if given.get("logGroupClass", "STANDARD") != "STANDARD":
            raise NotImplemented_(f"Alight does not offer the log group class {given['logGroupClass']}.")

        def job(tx: Tx) -> None:
            if self._records.get(KIND, name, tx) is not None:
                raise ResourceAlreadyExistsException("The specified log group already exists")
            tags = dict(given.get("tags") or {})
            self._records.put(tx, KIND, name, {"tags": tags} if tags else {})

        await self._database.write(job)
        return {}

    async def delete_log_group(self, call: Call, given: Members) -> Members:
        group = await self._places.group(given)
        await self._records.remove(KIND, group)
        await self._telemetry.delete_logs(group)
        return {}

    async def put_retention_policy(self, call: Call, given: Members) -> Members:
        days = given["retentionInDays"]
        if days not in RETENTIONS:
            raise InvalidParameterException(
                f"1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy constraint: "
                f"Member must satisfy enum value set: {sorted(RETENTIONS)}"
            )
        return await self._change(await self._places.group(given), lambda body: body | {"retentionInDays": days})

    async def delete_retention_policy(self, call: Call, given: Members) -> Members:
        return await self._change(await self._places.group(given), lambda body: _without(body, "retentionInDays"))

    async def describe_log_groups(self, call: Call, given: Members) -> Members:
        await self._telemetry.flush()
        prefix, part = given.get("logGroupNamePrefix") or "", given.get("logGroupNamePattern") or ""
        if prefix and part:
            raise InvalidParameterException("logGroupNamePrefix and logGroupNamePattern are mutually exclusive.")
        count = limit(given, PAGE)
        records = {record.name: record for record in self._records.list(KIND, prefix=prefix, limit=100_000)}
        written = {row["log_group"]: row for row in self._telemetry.groups(prefix, limit=100_000)}
        names = [
            name
            for name in sorted({*records, *written})
            if name > given.get("nextToken", "") and part.lower() in name.lower()
        ]
        answer: Members = {"logGroups": [_group(name, records.get(name), written.get(name)) for name in names[:count]]}
        return answer | ({"nextToken": names[count - 1]} if len(names) > count else {})

    # Tags: by ARN, and by name as they were asked for before -----------------------------------------------------

    async def tag_resource(self, call: Call, given: Members) -> Members:
        return await self._tag(await self._named(given["resourceArn"]), given["tags"])

    async def untag_resource(self, call: Call, given: Members) -> Members:
        return await self._untag(await self._named(given["resourceArn"]), given["tagKeys"])

    async def list_tags_for_resource(self, call: Call, given: Members) -> Members:
        return self._tags(await self._named(given["resourceArn"]))

    async def tag_log_group(self, call: Call, given: Members) -> Members:
        return await self._tag(await self._places.group(given), given["tags"])

    async def untag_log_group(self, call: Call, given: Members) -> Members:
        return await self._untag(await self._places.group(given), given["tags"])

    async def list_tags_log_group(self, call: Call, given: Members) -> Members:
        return self._tags(await self._places.group(given))

    async def _named(self, arn: str) -> str:
        name = group_of(arn)
        if name == arn:
            raise ResourceNotFoundException("The specified resource does not exist.")
        await self._places.check(name)
        return name

    async def _tag(self, group: str, tags: dict[str, str]) -> Members:
        return await self._change(group, lambda body: body | {"tags": body.get("tags", {}) | tags})

    async def _untag(self, group: str, keys: list[str]) -> Members:
        return await self._change(group, lambda body: body | {"tags": _without(body.get("tags", {}), *keys)})

    def _tags(self, group: str) -> Members:
        record = self._records.get(KIND, group)
        return {"tags": record.body.get("tags", {}) if record else {}}

    async def _change(self, group: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Members:
        def job(tx: Tx) -> None:
            known = self._records.get(KIND, group, tx)
            self._records.put(tx, KIND, group, change(known.body if known else {}))

        await self._database.write(job)
        return {}


def _without(body: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in names}


def _group(name: str, record: Record | None, written: Row | None) -> Members:
    # A group is as old as its first line, where that came before its record.
    moments = [record.created] if record else []
    moments += [written["created"]] if written else []
    described: Members = {
        "logGroupName": name,
        "creationTime": millis(min(moments, default=0.0)),
        "metricFilterCount": 0,
        "arn": f"{log_group_arn(name)}:*",
        "logGroupArn": log_group_arn(name),
        "storedBytes": written["bytes"] if written else 0,
        "logGroupClass": "STANDARD",
    }
    return described | {member: record.body[member] for member in _KEPT if record and member in record.body}
