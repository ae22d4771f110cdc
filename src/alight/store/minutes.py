"""Metrics, minute by minute: what a minute's values come to, and the heap in memory where they gather until the
telemetry's writer takes them.

Adding a value is a look-up and a few additions: no row, no JSON, no wait. A series keeps one row for each minute and
unit in which it had values, whatever their number.
"""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

#: Seconds.
MINUTE = 60
#: Tellings that wait before they are added up; more than that and they are, at once.
MOST_TOLD = 1_000
#: Rows that gather at most before they are written; more than that are dropped.
MOST_WAITING = 20_000
#: Values are kept apart by so many digits, so that percentiles are right to half a percent; and by one digit fewer
#: where a minute has more different values than this.
DIGITS = 3
MOST_DIFFERENT = 1_000


#: (name, value) of dimensions, in the order of names.
Pairs = tuple[tuple[str, str], ...]
#: (metric, unit)
Column = tuple[str, str]


class Place(NamedTuple):
    """Which row a value belongs to."""

    minute: int
    namespace: str
    name: str
    dimensions: Pairs
    unit: str


@dataclass(frozen=True, slots=True, eq=False)
class Together:
    """Metrics that are always told together, the same values under each of some dimensions. Made once by who tells
    them, and known by what it is, not by what it says."""

    namespace: str
    columns: tuple[Column, ...]
    places: tuple[Pairs, ...]


#: With a value for each column.
Told = tuple[Together, tuple[float, ...]]


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

    def add_all(self, values: Sequence[float]) -> None:
        """Each of the values (at least one) once."""
        count = float(len(values))
        zeros, ones = values.count(0.0), values.count(1.0)
        self.take(count, math.fsum(values), min(values), max(values))
        spread = self.spread
        for value, times in ((0.0, zeros), (1.0, ones)):
            if times:
                spread[value] = spread.get(value, 0.0) + times
        if zeros + ones < count:
            for value in values:
                if value not in (0.0, 1.0):
                    about = rounded(value, DIGITS)
                    spread[about] = spread.get(about, 0.0) + 1.0

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


def pairs(dimensions: Mapping[str, str]) -> Pairs:
    return tuple(sorted(dimensions.items()) if len(dimensions) > 1 else dimensions.items())


class Minutes:
    """What has gathered. Any thread may add; the writer's thread takes."""

    def __init__(self) -> None:
        self._heap: dict[Place, Tally] = {}
        #: What was told together and is not added up yet, by minute.
        self._told: dict[tuple[int, Together], list[tuple[float, ...]]] = {}
        self._lost = 0
        self._guard = threading.Lock()

    def __bool__(self) -> bool:
        return bool(self._heap or self._told)

    def add(self, place: Place, value: float, times: float = 1.0) -> bool:
        """False where too much waits already."""
        with self._guard:
            tally = self._tally(place)
            if tally is not None:
                tally.add(value, times)
            return tally is not None

    def tell(self, minute: int, *given: Told) -> None:
        """Values of one minute. What does not find room is told by `taken`: nothing is added up before."""
        with self._guard:
            for together, values in given:
                place = (minute, together)
                told = self._told.get(place)
                if told is None:
                    told = self._told[place] = []
                told.append(values)
                if len(told) >= MOST_TOLD or len(self._told) >= MOST_WAITING:
                    self._add_up()

    def take_statistics(self, place: Place, given: Tally) -> bool:
        """The same, for values that came as statistics."""
        with self._guard:
            tally = self._tally(place)
            if tally is not None:
                tally.merge(given)
            return tally is not None

    def taken(self) -> tuple[list[tuple[Place, Tally]], int]:
        """All of it, which is no longer here then; and how many values found no room."""
        with self._guard:
            self._add_up()
            heap, self._heap = self._heap, {}
            lost, self._lost = self._lost, 0
        return list(heap.items()), lost

    def _add_up(self) -> None:
        told, self._told = self._told, {}
        for (minute, together), rows in told.items():
            for (name, unit), values in zip(together.columns, zip(*rows, strict=True), strict=True):
                for dimensions in together.places:
                    tally = self._tally(Place(minute, together.namespace, name, dimensions, unit))
                    if tally is None:
                        self._lost += len(values)
                    else:
                        tally.add_all(values)

    def _tally(self, place: Place) -> Tally | None:
        tally = self._heap.get(place)
        if tally is None and len(self._heap) < MOST_WAITING:
            tally = self._heap[place] = Tally()
        return tally
