"""The log service: groups, streams and events of functions, read from telemetry (`aws logs tail` and friends)."""

from __future__ import annotations

import base64

from alight.calls import Call, Handler, Members
from alight.clock import Clock
from alight.errors.logs import (
    InvalidParameterException,
    ResourceAlreadyExistsException,
    ResourceNotFoundException,
)
from alight.names import log_group_arn
from alight.services.log_patterns import compile_pattern
from alight.services.members import Table, guarded, support
from alight.store.records import Record, Records
from alight.store.rows import Row
from alight.store.telemetry import FOREVER, Telemetry

KIND = "logs:group"
#: Events that one answer holds at the most, as AWS.
PAGE = 10_000
#: Places (time, id) before and behind every event.
START, END = (-FOREVER, 0), (FOREVER, 0)

TABLE: Table = {
    "CreateLogGroup": support("logGroupName", "tags"),
    "DeleteLogGroup": support("logGroupName"),
    "PutRetentionPolicy": support("logGroupName retentionInDays"),
    "DeleteRetentionPolicy": support("logGroupName"),
    "DescribeLogGroups": support("logGroupNamePrefix nextToken limit"),
    "DescribeLogStreams": support(
        "logGroupName logGroupIdentifier logStreamNamePrefix orderBy descending nextToken limit"
    ),
    "GetLogEvents": support(
        "logGroupName logGroupIdentifier logStreamName startTime endTime nextToken limit startFromHead"
    ),
    "FilterLogEvents": support(
        "logGroupName logGroupIdentifier logStreamNames logStreamNamePrefix startTime endTime filterPattern nextToken "
        "limit",
        "interleaved",
    ),
}


class Logs:
    """The handlers. Functions' groups are there as soon as something was logged to them."""

    def __init__(self, records: Records, telemetry: Telemetry, clock: Clock) -> None:
        self._records = records
        self._telemetry = telemetry
        self._clock = clock

    def operations(self) -> dict[tuple[str, str], Handler]:
        return guarded(
            "logs",
            TABLE,
            {
                "CreateLogGroup": self.create_log_group,
                "DeleteLogGroup": self.delete_log_group,
                "PutRetentionPolicy": self.put_retention_policy,
                "DeleteRetentionPolicy": self.delete_retention_policy,
                "DescribeLogGroups": self.describe_log_groups,
                "DescribeLogStreams": self.describe_log_streams,
                "GetLogEvents": self.get_log_events,
                "FilterLogEvents": self.filter_log_events,
            },
        )

    async def create_log_group(self, call: Call, given: Members) -> Members:
        name = given["logGroupName"]
        if self._records.get(KIND, name) is not None:
            raise ResourceAlreadyExistsException("The specified log group already exists")
        await self._records.save(KIND, name, {})
        return {}

    async def delete_log_group(self, call: Call, given: Members) -> Members:
        group = self._group(given)
        await self._records.remove(KIND, group)
        await self._telemetry.delete_logs(group)
        return {}

    async def put_retention_policy(self, call: Call, given: Members) -> Members:
        await self._records.save(KIND, self._group(given), {"retentionInDays": given["retentionInDays"]})
        return {}

    async def delete_retention_policy(self, call: Call, given: Members) -> Members:
        await self._records.save(KIND, self._group(given), {})
        return {}

    async def describe_log_groups(self, call: Call, given: Members) -> Members:
        await self._telemetry.flush()
        prefix, limit = given.get("logGroupNamePrefix", ""), given.get("limit", 50)
        records = {record.name: record for record in self._records.list(KIND, prefix=prefix)}
        written = {row["log_group"]: row for row in self._telemetry.groups(prefix)}
        names = [name for name in sorted({*records, *written}) if name > given.get("nextToken", "")]
        answer: Members = {"logGroups": [_group(name, records.get(name), written.get(name)) for name in names[:limit]]}
        if len(names) > limit:
            answer["nextToken"] = names[limit - 1]
        return answer

    async def describe_log_streams(self, call: Call, given: Members) -> Members:
        await self._telemetry.flush()
        group, limit = self._group(given), given.get("limit", 50)
        streams = self._telemetry.streams(group, given.get("logStreamNamePrefix", ""))
        by = "last_ts" if given.get("orderBy") == "LastEventTime" else "stream"
        streams.sort(key=lambda row: row[by] or 0.0, reverse=given.get("descending", False))
        start = _whole(given.get("nextToken", "0"))
        answer: Members = {"logStreams": [_stream(row) for row in streams[start : start + limit]]}
        if len(streams) > start + limit:
            answer["nextToken"] = str(start + limit)
        return answer

    async def get_log_events(self, call: Call, given: Members) -> Members:
        await self._telemetry.flush()
        group, limit = self._group(given), min(given.get("limit", PAGE), PAGE)
        kind, place = _position(given.get("nextToken"))
        stretch = {
            "stream": given["logStreamName"],
            "start": _seconds(given.get("startTime"), 0.0),
            "end": _seconds(given.get("endTime"), FOREVER),
            "limit": limit,
        }
        if kind == "f" or (not kind and given.get("startFromHead")):
            rows = self._telemetry.logs(group, **stretch, after=place or START)
        else:
            rows = self._telemetry.logs_back(group, **stretch, before=place or END)[::-1]
        standing = place or (0.0, 0)
        first = (rows[0]["ts"], rows[0]["id"]) if rows else standing
        last = (rows[-1]["ts"], rows[-1]["id"]) if rows else standing
        return {
            "events": [
                {"timestamp": _millis(row["ts"]), "message": row["message"], "ingestionTime": _millis(row["ingested"])}
                for row in rows
            ],
            "nextForwardToken": _token("f", last),
            "nextBackwardToken": _token("b", first),
        }

    async def filter_log_events(self, call: Call, given: Members) -> Members:
        await self._telemetry.flush()
        group, limit = self._group(given), min(given.get("limit", PAGE), PAGE)
        wants = compile_pattern(given.get("filterPattern"))
        streams, prefix = set(given.get("logStreamNames", ())), given.get("logStreamNamePrefix", "")
        _, place = _position(given.get("nextToken"))
        rows = self._telemetry.logs(
            group,
            start=_seconds(given.get("startTime"), 0.0),
            end=_seconds(given.get("endTime"), FOREVER),
            limit=PAGE,
            after=place or START,
        )
        found = [
            row
            for row in rows
            if wants(row["message"]) and (not streams or row["stream"] in streams) and row["stream"].startswith(prefix)
        ]
        answer: Members = {"events": [_event(row) for row in found[:limit]], "searchedLogStreams": []}
        further = found[limit - 1] if len(found) > limit else rows[-1] if len(rows) == PAGE else None
        if further:
            answer["nextToken"] = _token("f", (further["ts"], further["id"]))
        return answer

    def _group(self, given: Members) -> str:
        name: str = given.get("logGroupName") or given.get("logGroupIdentifier", "").rpartition("log-group:")[2]
        if not name:
            raise InvalidParameterException("A log group name is needed.")
        if self._records.get(KIND, name) is None and not self._written(name):
            raise ResourceNotFoundException("The specified log group does not exist.")
        return name

    def _written(self, name: str) -> bool:
        return any(row["log_group"] == name for row in self._telemetry.groups(name, limit=1))


def _group(name: str, record: Record | None, written: Row | None) -> Members:
    created = record.created if record else written["created"] if written else 0.0
    described: Members = {
        "logGroupName": name,
        "creationTime": _millis(created),
        "metricFilterCount": 0,
        "arn": f"{log_group_arn(name)}:*",
        "logGroupArn": log_group_arn(name),
        "storedBytes": written["bytes"] if written else 0,
        "logGroupClass": "STANDARD",
    }
    return described | (record.body if record else {})


def _stream(row: Row) -> Members:
    described: Members = {
        "logStreamName": row["stream"],
        "creationTime": _millis(row["created"]),
        "arn": f"{log_group_arn(row['log_group'])}:log-stream:{row['stream']}",
        "uploadSequenceToken": "0",
        "storedBytes": 0,
    }
    if row["last_ts"] is not None:
        described["firstEventTimestamp"] = _millis(row["first_ts"])
        described["lastEventTimestamp"] = _millis(row["last_ts"])
        described["lastIngestionTime"] = _millis(row["last_ingested"])
    return described


def _event(row: Row) -> Members:
    return {
        "logStreamName": row["stream"],
        "timestamp": _millis(row["ts"]),
        "message": row["message"],
        "ingestionTime": _millis(row["ingested"]),
        "eventId": f"{row['id']:056d}",
    }


def _token(kind: str, place: tuple[float, int]) -> str:
    """Where the next page starts: direction, time and id of the last event."""
    return base64.urlsafe_b64encode(f"{kind}/{place[0]!r}/{place[1]}".encode()).decode()


def _position(token: str | None) -> tuple[str, tuple[float, int] | None]:
    if not token:
        return "", None
    try:
        kind, moment, number = base64.urlsafe_b64decode(token).decode().split("/")
        return kind, (float(moment), int(number))
    except ValueError:
        raise InvalidParameterException("The specified nextToken is invalid.") from None


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise InvalidParameterException("The specified nextToken is invalid.")
    return int(text)


def _millis(seconds: float) -> int:
    return int(seconds * 1000)


def _seconds(millis: int | None, default: float) -> float:
    return default if millis is None else millis / 1000
