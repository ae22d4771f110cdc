"""Metrics, minute by minute: what a minute's values come to, and the heap in memory where they gather until the
telemetry's writer takes them.

Adding a value is a look-up and a few additions: no row, no JSON, no wait. A series keeps one row for each minute and
unit in which it had values, whatever their number.
"""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

#: Seconds.
MINUTE = 60
#: Rows that gather at most before they are written; more than that are dropped.
MOST_WAITING = 20_000
#: Values are kept apart by so many digits, so that percentiles are right to half a percent; and by one digit fewer
#: where a minute has more different values than this.
DIGITS = 3
MOST_DIFFERENT = 1_000


class Place(NamedTuple):
    """Which row a value belongs to; `dimensions` are (name, value) pairs in the order of names."""

    minute: int
    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    unit: str


@dataclass(slots=True)
class Tally:
    """What some values come to. `spread` says how often each value came, to `DIGITS` digits; values that came as
    statistics only are not in it."""

    count: float = 0.0
    sum: float = 0.0
    low: float = math.inf
    high: float = -math.inf
    spread: dict[float, float] = field(default_factory=dict)

    def add(self, value: float, times: float = 1.0) -> None:
        self.count += times
        self.sum += value * times
        if value < self.low:
            self.low = value
        if value > self.high:
            self.high = value
        # Most values are 0 or 1.
        about = value if value in (0.0, 1.0) else rounded(value, DIGITS)
        self.spread[about] = self.spread.get(about, 0.0) + times

    def take(self, count: float, total: float, low: float, high: float) -> None:
        """Values of which only the statistics are known."""
        self.count += count
        self.sum += total
        self.low = min(self.low, low)
        self.high = max(self.high, high)

    def merge(self, other: Tally) -> None:
        self.take(other.count, other.sum, other.low, other.high)
        for value, times in other.spread.items():
            self.spread[value] = self.spread.get(value, 0.0) + times

    def percentile(self, share: float) -> float | None:
        """The value that `share` (0 to 1) of the values do not exceed; None where the values are not known."""
        known = sum(self.spread.values())
        if not known or known < self.count * (1 - 1e-9):
            return None
        seen, wanted = 0.0, share * known
        for value in sorted(self.spread):
            seen += self.spread[value]
            if seen >= wanted - 1e-9:
                return min(max(value, self.low), self.high)
        return self.high

    def spread_text(self) -> str:
        """The column: coarser where there are too many different values."""
        spread, digits = self.spread, DIGITS
        while len(spread) > MOST_DIFFERENT and digits > 1:
            digits -= 1
            coarse: dict[float, float] = {}
            for value, times in spread.items():
                about = rounded(value, digits)
                coarse[about] = coarse.get(about, 0.0) + times
            spread = coarse
        return json.dumps(spread, separators=(",", ":"))


def tally_of(count: float, total: float, low: float, high: float, spread: str) -> Tally:
    """A row's columns."""
    return Tally(count, total, low, high, {float(value): times for value, times in json.loads(spread).items()})


def rounded(value: float, digits: int) -> float:
    """To so many significant digits."""
    return float(f"{value:.{digits}g}")


def minute_of(moment: float) -> int:
    """Seconds since 1970 at which the minute began."""
    return int(moment // MINUTE) * MINUTE


def pairs(dimensions: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(dimensions.items()) if len(dimensions) > 1 else dimensions.items())


class Minutes:
    """What has gathered. Any thread may add; the writer's thread takes."""

    def __init__(self) -> None:
        self._heap: dict[Place, Tally] = {}
        self._guard = threading.Lock()

    def __bool__(self) -> bool:
        return bool(self._heap)

    def add(self, place: Place, value: float, times: float = 1.0) -> bool:
        """False where too much waits already."""
        with self._guard:
            tally = self._tally(place)
            if tally is not None:
                tally.add(value, times)
            return tally is not None

    def take_statistics(self, place: Place, given: Tally) -> bool:
        """The same, for values that came as statistics."""
        with self._guard:
            tally = self._tally(place)
            if tally is not None:
                tally.merge(given)
            return tally is not None

    def taken(self) -> list[tuple[Place, Tally]]:
        """All of it, which is no longer here then."""
        with self._guard:
            heap, self._heap = self._heap, {}
        return list(heap.items())

    def _tally(self, place: Place) -> Tally | None:
        tally = self._heap.get(place)
        if tally is None and len(self._heap) < MOST_WAITING:
            tally = self._heap[place] = Tally()
        return tally
