"""What names, dimensions, values and moments of metrics may look like, with AWS's limits and words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from alight.calls import Members
from alight.errors.cloudwatch import InvalidParameterCombination, InvalidParameterValue, MissingParameter
from alight.errors.common import NotImplemented_
from alight.services.members import check
from alight.store.minutes import Tally

LONGEST_NAME = 255
LONGEST_VALUE = 1_024
MOST_DIMENSIONS = 30
MOST_VALUES = 150
#: Values are between minus and plus this.
LARGEST = 2.0**360
#: Seconds before and after now that a value may be of.
OLDEST, NEWEST = 14 * 86_400, 2 * 3_600

_DATUM = ("MetricName", "Dimensions", "Timestamp", "Value", "StatisticValues", "Values", "Counts", "Unit")
_SIZES = tuple(f"{size}{of}" for of in ("bytes", "bits") for size in ("Kilo", "Mega", "Giga", "Tera"))
_RATES = ("Count", "Bytes", "Bits", *_SIZES)
UNITS = frozenset(
    ("Seconds", "Microseconds", "Milliseconds", "Percent", "None", *_RATES, *(f"{unit}/Second" for unit in _RATES))
)


def check_namespace(name: str, *, own: bool = False) -> str:
    """`own`: one that callers may write to."""
    if not 1 <= len(name) <= LONGEST_NAME or name.startswith(":"):
        raise InvalidParameterValue(f"The value {name} for parameter Namespace is invalid.")
    if own and name.startswith("AWS/"):
        raise InvalidParameterValue("The value AWS/ for parameter Namespace is invalid.")
    return name


def check_unit(unit: str, member: str) -> str:
    if unit not in UNITS:
        raise InvalidParameterValue(f"The parameter {member} must be a value in the set [ {', '.join(sorted(UNITS))} ]")
    return unit


def dimensions(given: list[Members] | None, member: str) -> dict[str, str]:
    """Name → value. Raises for a name that comes twice, or for what is too long or too many."""
    found: dict[str, str] = {}
    for place, one in enumerate(given or [], 1):
        name, value = one["Name"], one["Value"]
        for text, longest, part in ((name, LONGEST_NAME, "Name"), (value, LONGEST_VALUE, "Value")):
            if not text.strip() or len(text) > longest or not text.isascii() or not text.isprintable():
                raise InvalidParameterValue(
                    f"The value {text} for parameter {member}.member.{place}.{part} is invalid."
                )
        if name in found:
            raise InvalidParameterValue(f"The parameter {member} has more than one value for {name}.")
        found[name] = value
    if len(found) > MOST_DIMENSIONS:
        raise InvalidParameterValue(f"The collection {member} must not have a size greater than {MOST_DIMENSIONS}.")
    return found


def check_datum(datum: Members, member: str, now: float) -> None:
    """One entry of PutMetricData, but for its values."""
    if datum.get("StorageResolution") not in (None, 60):
        raise NotImplemented_("Alight keeps metrics by the minute: a StorageResolution of 1 is not offered.")
    check("cloudwatch", "PutMetricData", datum, _DATUM, ("StorageResolution",))
    if not 1 <= len(datum["MetricName"]) <= LONGEST_NAME:
        raise InvalidParameterValue(f"The value {datum['MetricName']} for parameter {member}.MetricName is invalid.")
    if "Unit" in datum:
        check_unit(datum["Unit"], f"{member}.Unit")
    moment: datetime | None = datum.get("Timestamp")
    if moment is not None and not now - OLDEST <= moment.timestamp() <= now + NEWEST:
        raise InvalidParameterValue(
            f"The parameter {member}.Timestamp must specify a time no more than two weeks in the past and no more "
            "than two hours in the future."
        )


def values(datum: Members, member: str) -> list[tuple[float, float]] | Tally:
    """(value, how often) pairs, or the statistics that were given instead."""
    ways = [way for way in ("Value", "Values", "StatisticValues") if datum.get(way) is not None]
    if not ways:
        raise MissingParameter(
            f"At least one of the parameters {member}.Value, {member}.Values or {member}.StatisticValues must be "
            "specified."
        )
    if len(ways) > 1:
        raise InvalidParameterCombination(
            f"The parameters {member}.{ways[0]} and {member}.{ways[1]} are mutually exclusive and you have specified "
            "both."
        )
    if datum.get("Counts") is not None and ways != ["Values"]:
        raise InvalidParameterCombination(f"The parameter {member}.Counts goes with {member}.Values.")
    if ways == ["StatisticValues"]:
        return _statistics(datum["StatisticValues"], f"{member}.StatisticValues")
    if ways == ["Value"]:
        return [(_number(datum["Value"], f"{member}.Value"), 1.0)]
    return _several(datum, member)


def _several(datum: Members, member: str) -> list[tuple[float, float]]:
    given, counts = datum["Values"], datum.get("Counts")
    if counts is None:
        counts = [1.0] * len(given)
    if len(given) != len(counts):
        raise InvalidParameterCombination(
            f"The parameters {member}.Values and {member}.Counts must be of the same size."
        )
    if not 1 <= len(given) <= MOST_VALUES:
        raise InvalidParameterValue(
            f"The collection {member}.Values must have a size from 1 to {MOST_VALUES}, and has {len(given)}."
        )
    if any(not count > 0 or math.isinf(count) for count in counts):
        raise InvalidParameterValue(f"The collection {member}.Counts must hold numbers greater than 0.")
    return [(_number(value, f"{member}.Values"), float(count)) for value, count in zip(given, counts, strict=True)]


def _statistics(given: Mapping[str, Any], member: str) -> Tally:
    count, total, low, high = (
        _number(given[name], f"{member}.{name}") for name in ("SampleCount", "Sum", "Minimum", "Maximum")
    )
    if count <= 0:
        raise InvalidParameterValue(f"The value {count} for parameter {member}.SampleCount is invalid.")
    if low > high:
        raise InvalidParameterValue(f"The parameter {member}.Minimum must not be greater than {member}.Maximum.")
    tally = Tally()
    if low == high and math.isclose(total, low * count):
        tally.add(low, count)
    else:
        tally.take(count, total, low, high)
    return tally


def _number(value: float, member: str) -> float:
    if not abs(value) <= LARGEST:
        raise InvalidParameterValue(f"The value {value} for parameter {member} is invalid.")
    return float(value)
