"""PutLogEvents: callers' own lines. What AWS refuses of a batch is refused here, and what it leaves out is left out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from alight.calls import Call, Members
from alight.clock import Clock
from alight.errors.logs import InvalidParameterException
from alight.services.logs.embedded import Embedded
from alight.services.logs.places import Places, seconds
from alight.store.telemetry import Telemetry

MOST_EVENTS = 10_000
#: Bytes of a batch and of one event, and what each event adds to its text.
MOST_BYTES = LARGEST = 1_048_576
OVERHEAD = 26
DAY = 86_400
#: Seconds: how long a batch may last, how far ahead and how far back its events may be.
LONGEST, AHEAD, BACK = DAY, 2 * 3_600, 14 * DAY


class Writing:
    """The handler."""

    def __init__(self, telemetry: Telemetry, places: Places, clock: Clock) -> None:
        self._telemetry = telemetry
        self._embedded = Embedded(telemetry, clock)
        self._places = places
        self._clock = clock

    async def put_log_events(self, call: Call, given: Members) -> Members:
        """The lines are kept once this returns. Sequence tokens are taken and not asked for, as on AWS."""
        await self._telemetry.flush()
        group, name = await self._places.group(given), given["logStreamName"]
        self._places.stream(group, name)
        events = given["logEvents"]
        _check(events)
        first, last, refused = self._taken(group, [seconds(event["timestamp"], 0.0) for event in events])
        lines = [(seconds(event["timestamp"], 0.0), event["message"]) for event in events[first:last]]
        if lines:
            await self._telemetry.put_logs(group, name, lines)
            for _, message in lines:
                self._embedded.count(message)
        return {"nextSequenceToken": "0"} | ({"rejectedLogEventsInfo": refused} if refused else {})

    def _taken(self, group: str, moments: Sequence[float]) -> tuple[int, int, Members]:
        """(first, behind the last, what is told of the rest)."""
        now, days = self._clock.now(), self._places.retention(group)
        expired = _before(moments, now - days * DAY) if days else 0
        old = _before(moments, now - BACK)
        new = sum(moment <= now + AHEAD for moment in moments)
        refused: Members = {}
        if new < len(moments):
            refused["tooNewLogEventStartIndex"] = new
        if old:
            refused["tooOldLogEventEndIndex"] = old
        if expired:
            refused["expiredLogEventEndIndex"] = expired
        return max(old, expired), new, refused


def _before(moments: Sequence[float], moment: float) -> int:
    return sum(one < moment for one in moments)


def _check(events: Sequence[Members]) -> None:
    if not 1 <= len(events) <= MOST_EVENTS:
        raise InvalidParameterException(f"A batch has from 1 to {MOST_EVENTS} log events; this one has {len(events)}.")
    moments = [event["timestamp"] for event in events]
    try:
        sizes = [len(event["message"].encode()) + OVERHEAD for event in events]
    except UnicodeEncodeError:
        raise InvalidParameterException("Log event message is no text.") from None
    if OVERHEAD in sizes:
        raise InvalidParameterException("Log event message must not be empty.")
    if max(sizes) > LARGEST:
        raise InvalidParameterException(f"Log event too large: {max(sizes)} bytes exceeds limit of {LARGEST}")
    if sum(sizes) > MOST_BYTES:
        raise InvalidParameterException(f"Upload too large: {sum(sizes)} bytes exceeds limit of {MOST_BYTES}")
    if min(moments) < 0:
        raise InvalidParameterException("Log event timestamps must not be negative.")
    if any(later < earlier for earlier, later in pairwise(moments)):
        raise InvalidParameterException("Log events in a single PutLogEvents request must be in chronological order.")
    if moments[-1] - moments[0] > LONGEST * 1000:
        raise InvalidParameterException(
            "The batch of log events in a single PutLogEvents request cannot span more than 24 hours."
        )
