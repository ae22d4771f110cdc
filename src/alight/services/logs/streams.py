"""Streams: made, described, deleted."""

from __future__ import annotations

from alight.calls import Call, Members
from alight.errors.logs import InvalidParameterException, ResourceAlreadyExistsException
from alight.names import log_group_arn
from alight.services.logs.places import Places, check_stream_name, limit, millis, whole
from alight.store.rows import Row
from alight.store.telemetry import Telemetry

PAGE = 50
#: Streams of one group that can be put in the order of their last event.
MOST = 100_000


class Streams:
    """The handlers. Functions make theirs by logging."""

    def __init__(self, telemetry: Telemetry, places: Places) -> None:
        self._telemetry = telemetry
        self._places = places

    async def create_log_stream(self, call: Call, given: Members) -> Members:
        """Kept once this returns."""
        await self._telemetry.flush()
        group, name = await self._places.group(given), check_stream_name(given["logStreamName"])
        if not await self._telemetry.create_stream(group, name):
            raise ResourceAlreadyExistsException("The specified log stream already exists")
        return {}

    async def delete_log_stream(self, call: Call, given: Members) -> Members:
        await self._telemetry.flush()
        group, name = await self._places.group(given), given["logStreamName"]
        self._places.stream(group, name)
        await self._telemetry.delete_logs(group, name)
        return {}

    async def describe_log_streams(self, call: Call, given: Members) -> Members:
        await self._telemetry.flush()
        group = await self._places.group(given)
        count, prefix = limit(given, PAGE), given.get("logStreamNamePrefix") or ""
        by_time = given.get("orderBy") == "LastEventTime"
        if by_time and prefix:
            raise InvalidParameterException("Cannot order by LastEventTime with a logStreamNamePrefix.")
        streams = self._telemetry.streams(group, prefix, limit=MOST)
        by = "last_ts" if by_time else "stream"
        streams.sort(key=lambda row: row[by] or 0.0, reverse=given.get("descending", False))
        start = whole(given.get("nextToken") or "0")
        answer: Members = {"logStreams": [_stream(row) for row in streams[start : start + count]]}
        return answer | ({"nextToken": str(start + count)} if len(streams) > start + count else {})


def _stream(row: Row) -> Members:
    described: Members = {
        "logStreamName": row["stream"],
        "creationTime": millis(row["created"]),
        "arn": f"{log_group_arn(row['log_group'])}:log-stream:{row['stream']}",
        "uploadSequenceToken": "0",
        "storedBytes": 0,
    }
    if row["last_ts"] is not None:
        described["firstEventTimestamp"] = millis(row["first_ts"])
        described["lastEventTimestamp"] = millis(row["last_ts"])
        described["lastIngestionTime"] = millis(row["last_ingested"])
    return described
