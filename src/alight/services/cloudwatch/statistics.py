"""From minutes to the data points of a period: sums, averages, extremes, counts and percentiles (pure)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from alight.errors.cloudwatch import InvalidParameterValue
from alight.errors.common import NotImplemented_
from alight.store.metrics import Minute
from alight.store.minutes import MINUTE, Tally, minute_of

#: A statistic of a tally; None where the values that it needs are not known.
Statistic = Callable[[Tally], float | None]

PLAIN: dict[str, Statistic] = {
    "SampleCount": lambda tally: tally.count,
    "Average": lambda tally: tally.sum / tally.count if tally.count else None,
    "Sum": lambda tally: tally.sum,
    "Minimum": lambda tally: tally.low,
    "Maximum": lambda tally: tally.high,
}
#: `p0`, `p99.9`, `p100`: up to ten places behind the point, as AWS.
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,10})?|100(?:\.0{1,10})?)")
#: What AWS has besides: trimmed and winsorized means, ranks, interquartile means.
_FURTHER = re.compile(r"(?:tm|wm|tc|ts)\d|(?:TM|WM|TC|TS|PR)\(|IQM$")


@dataclass(frozen=True, slots=True)
class Point:
    """The values of one period, which began at `start`, in one unit."""

    start: int
    unit: str
    tally: Tally


def statistic(name: str, member: str) -> Statistic:
    """By its name (`Sum`, `p99`). Raises for what is none, or none of ours; `member` is where it stood."""
    plain = PLAIN.get(name)
    if plain is not None:
        return plain
    found = _PERCENTILE.fullmatch(name)
    if found:
        share = float(found[1]) / 100
        return lambda tally: tally.percentile(share)
    if _FURTHER.match(name):
        raise NotImplemented_(f"Alight does not offer the statistic {name}: only percentiles (p50, p99.9).")
    raise InvalidParameterValue(f"The value {name} for parameter {member} is not supported.")


def is_percentile(name: str) -> bool:
    return _PERCENTILE.fullmatch(name) is not None


def points(minutes: Iterable[Minute], start: float, period: int, *, by_unit: bool) -> list[Point]:
    """Minutes gathered into periods, counted from the minute of `start` on; empty periods are left out. Units stay
    apart where `by_unit`, else the first one met is told."""
    first = minute_of(start)
    found: dict[tuple[int, str], Point] = {}
    for minute in minutes:
        began = first + (minute.start - first) // period * period
        place = began, minute.unit if by_unit else ""
        point = found.get(place)
        if point is None:
            point = found[place] = Point(began, minute.unit, Tally())
        point.tally.merge(minute.tally)
    return [found[place] for place in sorted(found)]


def check_period(period: int, member: str) -> None:
    """Whole minutes."""
    if period in (1, 5, 10, 20, 30):
        raise NotImplemented_(f"Alight keeps metrics by the minute: {member} has to be a multiple of {MINUTE}.")
    if period < MINUTE or period % MINUTE:
        raise InvalidParameterValue(f"The parameter {member} must be a multiple of {MINUTE}.")
