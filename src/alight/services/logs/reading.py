"""GetLogEvents and FilterLogEvents. Pages end after so many events or so many bytes, whichever comes first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from alight.calls import Call, Members
from alight.errors.logs import InvalidParameterException
from alight.services.logs.patterns import compile_pattern
from alight.services.logs.places import Places, limit, millis, position, seconds, token
from alight.store.rows import Row
from alight.store.telemetry import FOREVER, Telemetry

#: Events and bytes of one answer, at the most.
PAGE, MOST_BYTES = 10_000, 1_048_576
#: Events that are read at a time, and looked at for one answer of a search.
CHUNK, MOST_SEARCHED = 200, 10_000
#: Places (time, id) before and behind every event.
START, END = (-FOREVER, 0), (FOREVER, 0)

Place = tuple[float, int]


class Reading:
    """The handlers."""

    def __init__(self, telemetry: Telemetry, places: Places) -> None:
        self._telemetry = telemetry
        self._places = places

    async def get_log_events(self, call: Call, given: Members) -> Members:
        await self._telemetry.flush()
        group, count, name = await self._places.group(given), limit(given, PAGE), given["logStreamName"]
        self._places.stream(group, name)
        kind, place = position(given.get("nextToken"))
        start, end = seconds(given.get("startTime"), 0.0), seconds(given.get("endTime"), FOREVER)
        if kind == "f" or (not kind and given.get("startFromHead")):
            rows = _page(
                lambda after, most: self._telemetry.logs(group, name, start, end, after=after, limit=most),
                place or START,
                count,
            )
        else:
            rows = _page(
                lambda before, most: self._telemetry.logs_back(group, name, start, end, before=before, limit=most),
                place or END,
                count,
            )[::-1]
        standing = place or (0.0, 0)
        return {
            "events": [
                {"timestamp": millis(row["ts"]), "message": row["message"], "ingestionTime": millis(row["ingested"])}
                for row in rows
            ],
            "nextForwardToken": token("f", _place(rows[-1]) if rows else standing),
            "nextBackwardToken": token("b", _place(rows[0]) if rows else standing),
        }

    async def filter_log_events(self, call: Call, given: Members) -> Members:
        """A page may be empty and have a token all the same: the search goes on there."""
        await self._telemetry.flush()
        group, count = await self._places.group(given), limit(given, PAGE)
        wants = compile_pattern(given.get("filterPattern"))
        streams, prefix = frozenset(given.get("logStreamNames") or ()), given.get("logStreamNamePrefix") or ""
        if streams and prefix:
            raise InvalidParameterException("logStreamNames and logStreamNamePrefix are mutually exclusive.")
        _, place = position(given.get("nextToken"))
        after: Place = place or START
        start, end = seconds(given.get("startTime"), 0.0), seconds(given.get("endTime"), FOREVER)
        found: list[Row] = []
        searched = size = 0
        while True:
            rows = self._telemetry.logs(group, start=start, end=end, after=after, limit=CHUNK)
            for row in rows:
                after = _place(row)
                fits = row["stream"] in streams if streams else row["stream"].startswith(prefix)
                if fits and wants(row["message"]):
                    found.append(row)
                    size += len(row["message"])
                if len(found) == count or size >= MOST_BYTES:
                    return _found(found, after)
            searched += len(rows)
            if len(rows) < CHUNK or searched >= MOST_SEARCHED:
                return _found(found, after if len(rows) == CHUNK else None)
            await asyncio.sleep(0)


def _page(read: Callable[[Place, int], list[Row]], place: Place, count: int) -> list[Row]:
    """Rows from `place` on, in chunks, so that long lines do not fill the memory."""
    found: list[Row] = []
    size = 0
    while len(found) < count:
        most = min(CHUNK, count - len(found))
        rows = read(place, most)
        for row in rows:
            size += len(row["message"])
            if found and size > MOST_BYTES:
                return found
            found.append(row)
        if len(rows) < most:
            break
        place = _place(rows[-1])
    return found


def _found(rows: list[Row], after: Place | None) -> Members:
    answer: Members = {"events": [event_of(row) for row in rows], "searchedLogStreams": []}
    return answer | ({"nextToken": token("f", after)} if after else {})


def event_of(row: Row) -> Members:
    """A line as a search shows it."""
    return {
        "logStreamName": row["stream"],
        "timestamp": millis(row["ts"]),
        "message": row["message"],
        "ingestionTime": millis(row["ingested"]),
        "eventId": f"{row['id']:056d}",
    }


def _place(row: Row) -> Place:
    return row["ts"], row["id"]
