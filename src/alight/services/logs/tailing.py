"""StartLiveTail: what is logged from now on, told once a second as an event of a stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from alight.calls import Call, Members
from alight.clock import Clock
from alight.errors.logs import InvalidParameterException, LimitExceededException, SessionTimeoutException
from alight.names import ACCOUNT, new_request_id
from alight.services.logs.patterns import Wants, compile_pattern
from alight.services.logs.places import Places, group_of, millis
from alight.store.rows import Row
from alight.store.telemetry import Telemetry
from alight.store.waiting import wait_until

MOST_GROUPS = 10
#: Sessions at a time.
MOST_SESSIONS = 15
#: Lines of one update, and seconds between two; lines that are looked at for one update of one group.
MOST_LINES, EVERY, MOST_READ = 500, 1.0, 5_000
#: Seconds after which a session ends.
LONGEST = 3 * 3_600.0


@dataclass(frozen=True, slots=True)
class Session:
    """What one session wants. `prefixes` and `streams` are of its only group; empty means all."""

    groups: tuple[str, ...]
    streams: frozenset[str]
    prefixes: tuple[str, ...]
    wants: Wants

    def takes(self, row: Row) -> bool:
        if self.streams and row["stream"] not in self.streams:
            return False
        if self.prefixes and not row["stream"].startswith(self.prefixes):
            return False
        return self.wants(row["message"])


class Tailing:
    """The handler."""

    def __init__(self, telemetry: Telemetry, places: Places, clock: Clock) -> None:
        self._telemetry = telemetry
        self._places = places
        self._clock = clock
        #: Sessions under way.
        self.sessions = 0
        self._closing = asyncio.Event()

    def close(self) -> None:
        """End all sessions: the instance stops."""
        self._closing.set()

    async def start_live_tail(self, call: Call, given: Members) -> Members:
        identifiers = given["logGroupIdentifiers"]
        if not 1 <= len(identifiers) <= MOST_GROUPS:
            raise InvalidParameterException(f"A live tail is of 1 to {MOST_GROUPS} log groups.")
        groups = tuple(dict.fromkeys(group_of(one) for one in identifiers))
        for group in groups:
            await self._places.check(group)
        streams, prefixes = given.get("logStreamNames") or [], given.get("logStreamNamePrefixes") or []
        if (streams or prefixes) and (len(groups) > 1 or (streams and prefixes)):
            raise InvalidParameterException(
                "Stream names or their prefixes, not both, go with a single log group identifier."
            )
        if self.sessions >= MOST_SESSIONS:
            raise LimitExceededException(f"There are {MOST_SESSIONS} live tails already.")
        wants = compile_pattern(given.get("logEventFilterPattern"))
        session = Session(groups, frozenset(streams), tuple(prefixes), wants)
        await self._telemetry.flush()
        start: Members = {"requestId": call.request_id, "sessionId": new_request_id()}
        start |= {name: value for name, value in given.items() if value is not None}
        return {"responseStream": self._events(session, start, self._telemetry.last_log_id())}

    async def _events(self, session: Session, start: Members, last: int) -> AsyncGenerator[Members]:
        """Until whoever asked has gone, the session's time is over, or the instance stops."""
        ends = self._clock.monotonic() + LONGEST
        places = dict.fromkeys(session.groups, last)
        self.sessions += 1
        try:
            yield {"sessionStart": start}
            while self._clock.monotonic() < ends:
                await wait_until(self._clock, self._closing, self._clock.monotonic() + EVERY)
                if self._closing.is_set():
                    return
                await self._telemetry.flush()
                yield {"sessionUpdate": _update(self._new(session, places))}
            raise SessionTimeoutException
        finally:
            self.sessions -= 1

    def _new(self, session: Session, places: dict[str, int]) -> list[Row]:
        """What came since `places` (group → id of the last line), which go on."""
        found: list[Row] = []
        for group, place in places.items():
            rows = self._telemetry.logs_since(group, place, MOST_READ)
            if rows:
                places[group] = rows[-1]["id"]
            found += [row for row in rows if session.takes(row)]
        return sorted(found, key=lambda row: int(row["id"]))


def _update(found: list[Row]) -> Members:
    return {
        "sessionMetadata": {"sampled": len(found) > MOST_LINES},
        "sessionResults": [_line(row) for row in found[:MOST_LINES]],
    }


def _line(row: Row) -> Members:
    return {
        "logStreamName": row["stream"],
        "logGroupIdentifier": f"{ACCOUNT}:{row['log_group']}",
        "message": row["message"],
        "timestamp": millis(row["ts"]),
        "ingestionTime": millis(row["ingested"]),
    }
