"""What state an alarm should be in, from its last data points (pure).

By AWS's rules: M of the last N data points have to breach; a few periods more than N are looked at, and where some
are missing the real ones among them count first; only then does TreatMissingData say what the rest are worth.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from alight.store.minutes import MINUTE

OK, ALARM, INSUFFICIENT = "OK", "ALARM", "INSUFFICIENT_DATA"

#: Periods before the last N at which an alarm looks, where some of those have no data.
FURTHER = 2

_HOLDS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanOrEqualToThreshold": operator.le,
    "LessThanThreshold": operator.lt,
}
COMPARISONS = frozenset(_HOLDS)
_WORDS = {
    "GreaterThanOrEqualToThreshold": "greater than or equal to",
    "GreaterThanThreshold": "greater than",
    "LessThanOrEqualToThreshold": "less than or equal to",
    "LessThanThreshold": "less than",
}
TREATMENTS = frozenset({"breaching", "notBreaching", "ignore", "missing"})


@dataclass(frozen=True, slots=True)
class Terms:
    """What an alarm asks. `needed` of `periods` data points, each of `period` seconds."""

    period: int
    periods: int
    needed: int
    threshold: float
    comparison: str
    missing: str

    def breaches(self, value: float) -> bool:
        return _HOLDS[self.comparison](value, self.threshold)


@dataclass(frozen=True, slots=True)
class Datum:
    """The value of one period, which began at `start` (seconds since 1970)."""

    start: int
    value: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state, why, and what was looked at (newest first)."""

    state: str
    reason: str
    looked_at: tuple[Datum, ...] = ()


def window(terms: Terms, now: float) -> tuple[int, int]:
    """(start, end) of what an alarm looks at: whole minutes that are over."""
    end = int(now // MINUTE) * MINUTE
    return end - (terms.periods + FURTHER) * terms.period, end


def judge(terms: Terms, points: Sequence[Datum | None], state: str) -> Verdict:
    """`points` are the periods of `window`, newest first, None where there is no data; `state` is that of now."""
    real = [point for point in points if point is not None][: terms.periods]
    absent = terms.periods - len(real)
    breaching = sum(terms.breaches(point.value) for point in real)
    if not real:
        return _unknown(terms, state)
    if not absent or terms.missing in ("breaching", "notBreaching"):
        counted = breaching + (absent if terms.missing == "breaching" else 0)
        found = ALARM if counted >= terms.needed else OK
    elif breaching >= terms.needed:
        found = ALARM
    elif breaching < len(real):
        found = OK
    elif terms.missing == "missing" and _has_stood(terms, points):
        found = ALARM
    else:
        found = state
    return Verdict(found, _crossed(terms, real, breaching, absent, state, found), tuple(real))


def _has_stood(terms: Terms, points: Sequence[Datum | None]) -> bool:
    """Too few data, all of it breaching: alarming once the oldest of the last N periods' is M periods old."""
    ages = [age for age, point in enumerate(points[: terms.periods], 1) if point is not None]
    return bool(ages) and ages[-1] >= terms.needed


def _unknown(terms: Terms, state: str) -> Verdict:
    """No data at all."""
    count = _many(terms.periods, "datapoint")
    match terms.missing:
        case "ignore":
            return Verdict(state, "")
        case "breaching" | "notBreaching":
            found = ALARM if terms.missing == "breaching" else OK
            treated = "Breaching" if terms.missing == "breaching" else "NonBreaching"
            were = "was" if terms.periods == 1 else "were"
            reason = (
                f"Threshold Crossed: no datapoints were received for {_many(terms.periods, 'period')} and "
                f"{_many(terms.periods, 'missing datapoint')} {were} treated as [{treated}]."
            )
            return Verdict(found, reason)
    return Verdict(INSUFFICIENT, f"Insufficient Data: {count} {'was' if terms.periods == 1 else 'were'} unknown.")


def _crossed(terms: Terms, real: Sequence[Datum], breaching: int, absent: int, before: str, after: str) -> str:
    """The reason in AWS's words."""
    is_alarm = after == ALARM
    told = [point for point in real if terms.breaches(point.value) == is_alarm] or list(real)
    values = ", ".join(f"{point.value} ({_short(point.start)})" for point in told)
    count = breaching if is_alarm else len(real) - breaching
    needed = terms.needed if is_alarm else terms.periods - terms.needed + 1
    were = "was" if count == 1 else "were"
    text = (
        f"Threshold Crossed: {count} out of the last {_many(len(real), 'datapoint')} [{values}] {were} "
        f"{'' if is_alarm else 'not '}{_WORDS[terms.comparison]} the threshold ({terms.threshold})"
    )
    if absent and terms.missing in ("breaching", "notBreaching"):
        treated = "Breaching" if terms.missing == "breaching" else "NonBreaching"
        are = "was" if absent == 1 else "were"
        text += f" and {_many(absent, 'missing datapoint')} {are} treated as [{treated}]"
    if before == after or INSUFFICIENT in (before, after):
        before = OK if is_alarm else ALARM
    return f"{text} (minimum {_many(needed, 'datapoint')} for {before} -> {after} transition)."


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _short(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%d/%m/%y %H:%M:%S")


def stamp(moment: float) -> str:
    """`2026-01-02T03:04:05.678+0000`, as alarms write it."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{int(moment * 1000) % 1000:03d}+0000"


def reason_data(terms: Terms, statistic: str, unit: str | None, verdict: Verdict, now: float) -> str:
    """StateReasonData: what was looked at, as JSON."""
    evaluated = [{"timestamp": stamp(point.start), "value": point.value} for point in verdict.looked_at]
    told = {
        "version": "1.0",
        "queryDate": stamp(now),
        "startDate": stamp(min((point.start for point in verdict.looked_at), default=window(terms, now)[0])),
        "statistic": statistic,
        "period": terms.period,
        "recentDatapoints": [point.value for point in reversed(verdict.looked_at)],
        "threshold": terms.threshold,
        "evaluatedDatapoints": evaluated,
    }
    return json.dumps(told | ({"unit": unit} if unit else {}), separators=(",", ":"))
