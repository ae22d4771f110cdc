"""ListMetrics, GetMetricStatistics and GetMetricData, read from the minutes that telemetry keeps."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from alight.calls import Call, Members
from alight.clock import Clock
from alight.errors.cloudwatch import (
    InvalidNextToken,
    InvalidParameterCombination,
    InvalidParameterValue,
)
from alight.errors.common import NotImplemented_, ValidationError
from alight.names import ACCOUNT
from alight.parsed import parsed
from alight.services.cloudwatch import rules
from alight.services.cloudwatch.statistics import PLAIN, Point, check_period, is_percentile, points, statistic
from alight.services.members import check
from alight.store.minutes import minute_of
from alight.store.telemetry import Telemetry

#: Metrics on one page; data points of one GetMetricStatistics; queries and data points of one GetMetricData.
PAGE = 500
MOST_POINTS = 1_440
MOST_QUERIES = 500
MOST_DATA = 100_800
#: Seconds that RecentlyActive means.
RECENT = 3 * 3_600
_ID = re.compile(r"[a-z][A-Za-z0-9_]{0,254}")


@dataclass(frozen=True, slots=True)
class Answered:
    """One query's values, in the order that was asked for."""

    id: str
    label: str
    found: Sequence[tuple[int, float]]


class Reading:
    """The handlers."""

    def __init__(self, telemetry: Telemetry, clock: Clock) -> None:
        self._telemetry = telemetry
        self._clock = clock

    async def list_metrics(self, call: Call, given: Members) -> Members:
        if given.get("OwningAccount") not in (None, ACCOUNT):
            return {"Metrics": []}
        recent = given.get("RecentlyActive")
        if recent not in (None, "PT3H"):
            raise InvalidParameterValue(f"The value {recent} for parameter RecentlyActive is not supported.")
        wanted = [(one["Name"], one.get("Value")) for one in given.get("Dimensions") or []]
        await self._telemetry.flush()
        since = self._clock.now() - RECENT if recent else 0.0
        after = _read_token(given.get("NextToken"), ["", "", ""])
        found: list[Members] = []
        while True:
            rows = self._telemetry.series(
                given.get("Namespace"), given.get("MetricName"), since, after=tuple(after), limit=PAGE
            )
            for row in rows:
                after = row["place"]
                if all(
                    name in row["dimensions"] and value in (None, row["dimensions"][name]) for name, value in wanted
                ):
                    found.append(_metric(row))
                if len(found) == PAGE:
                    return {"Metrics": found, "NextToken": _token(list(after))}
            if len(rows) < PAGE:
                return {"Metrics": found}

    async def get_metric_statistics(self, call: Call, given: Members) -> Members:
        rules.check_namespace(given["Namespace"])
        start, end = _stretch(given)
        period: int = given["Period"]
        check_period(period, "Period")
        names, further = given.get("Statistics") or [], given.get("ExtendedStatistics") or []
        if not names and not further:
            raise InvalidParameterCombination("Must specify either Statistics or ExtendedStatistics")
        for name in names:
            if name not in PLAIN:
                raise InvalidParameterValue(f"The parameter Statistics.member must be a value in the set {[*PLAIN]}.")
        for name in further:
            if name in PLAIN:
                raise InvalidParameterValue(f"The value {name} for parameter ExtendedStatistics is not supported.")
            statistic(name, "ExtendedStatistics")
        count = int((end - start) // period)
        if count > MOST_POINTS:
            raise InvalidParameterCombination(
                f"You have requested up to {count:,} datapoints, which exceeds the limit of {MOST_POINTS:,}. You may "
                "reduce the datapoints requested by increasing Period, or decreasing the time range."
            )
        await self._telemetry.flush()
        found = self._points(given, start, end, period, by_unit=True)
        return {
            "Label": given["MetricName"],
            "Datapoints": [_datapoint(point, names, further) for point in found],
        }

    async def get_metric_data(self, call: Call, given: Members) -> Members:
        start, end = _stretch(given)
        queries = given["MetricDataQueries"]
        if not 1 <= len(queries) <= MOST_QUERIES:
            raise ValidationError(f"The collection MetricDataQueries must have a size from 1 to {MOST_QUERIES}.")
        for place, query in enumerate(queries, 1):
            _check_query(query, f"MetricDataQueries.member.{place}")
        if len({query["Id"] for query in queries}) < len(queries):
            raise ValidationError("The values for parameter id in MetricDataQueries are not unique.")
        await self._telemetry.flush()
        descending = given.get("ScanBy", "TimestampDescending") == "TimestampDescending"
        answers = [
            self._answered(query, start, end, descending) for query in queries if query.get("ReturnData") is not False
        ]
        return _page(answers, _read_token(given.get("NextToken"), [0, 0]), given.get("MaxDatapoints") or MOST_DATA)

    def _answered(self, query: Members, start: float, end: float, descending: bool) -> Answered:
        asked = query["MetricStat"]
        of = statistic(asked["Stat"], "Stat")
        metric = asked["Metric"] | ({"Unit": asked["Unit"]} if asked.get("Unit") else {})
        found = self._points(metric, start, end, asked["Period"], by_unit=False)
        values = [(point.start, value) for point in found if (value := of(point.tally)) is not None]
        return Answered(query["Id"], query.get("Label") or metric["MetricName"], values[::-1] if descending else values)

    def _points(self, metric: Members, start: float, end: float, period: int, *, by_unit: bool) -> list[Point]:
        """By AWS, the start is rounded down to its minute, and the end is not part of it."""
        wanted = metric.get("Unit")
        minutes = self._telemetry.minutes(
            metric["Namespace"],
            metric["MetricName"],
            rules.dimensions(metric.get("Dimensions"), "Dimensions"),
            minute_of(start),
            end,
        )
        minutes = [minute for minute in minutes if wanted in (None, minute.unit)]
        return points(minutes, start, period, by_unit=by_unit)


def _check_query(query: Members, member: str) -> None:
    """Raises for what cannot be answered; expressions are not offered."""
    if query.get("Expression") is not None:
        raise NotImplemented_(
            "Alight does not support the member Expression of cloudwatch GetMetricData: ask by MetricStat."
        )
    check("cloudwatch", "GetMetricData", query, ("Id", "MetricStat", "Label", "ReturnData"))
    asked = query.get("MetricStat")
    if not _ID.fullmatch(query["Id"]):
        raise ValidationError(
            f"The value {query['Id']} for parameter {member}.Id is not matching the expected pattern."
        )
    if asked is None:
        raise ValidationError(f"The parameter {member}.MetricStat or {member}.Expression is required.")
    if "${" in query.get("Label", ""):
        raise NotImplemented_("Alight does not offer dynamic labels in cloudwatch GetMetricData.")
    for name in ("Namespace", "MetricName"):
        if not asked["Metric"].get(name):
            raise ValidationError(f"The parameter {member}.MetricStat.Metric.{name} is required.")
    check_period(asked["Period"], f"{member}.MetricStat.Period")
    statistic(asked["Stat"], f"{member}.MetricStat.Stat")


def _page(answers: Sequence[Answered], place: list[Any], most: int) -> Members:
    """`place` is (query, value) where the page begins; `most` are the values on it."""
    if not 1 <= most <= MOST_DATA:
        raise ValidationError(f"The value {most} for parameter MaxDatapoints is invalid: 1 to {MOST_DATA}.")
    results: list[Members] = []
    query, value = place
    for number in range(query, len(answers)):
        answer = answers[number]
        begin = value if number == query else 0
        shown = answer.found[begin : begin + most]
        most -= len(shown)
        is_whole = begin + len(shown) >= len(answer.found)
        results.append(
            {
                "Id": answer.id,
                "Label": answer.label,
                "Timestamps": [_moment(start) for start, _ in shown],
                "Values": [worth for _, worth in shown],
                "StatusCode": "Complete" if is_whole else "PartialData",
            }
        )
        if not is_whole:
            return {"MetricDataResults": results, "Messages": [], "NextToken": _token([number, begin + len(shown)])}
        if most == 0 and any(one.found for one in answers[number + 1 :]):
            return {"MetricDataResults": results, "Messages": [], "NextToken": _token([number + 1, 0])}
    return {"MetricDataResults": results, "Messages": []}


def _datapoint(point: Point, names: Sequence[str], further: Sequence[str]) -> Members:
    shown: Members = {"Timestamp": _moment(point.start), "Unit": point.unit}
    for name in names:
        shown[name] = PLAIN[name](point.tally)
    known = {name: value for name in further if (value := statistic(name, "")(point.tally)) is not None}
    return shown | ({"ExtendedStatistics": known} if known and all(map(is_percentile, known)) else {})


def _metric(row: Members) -> Members:
    shown = [{"Name": name, "Value": value} for name, value in row["dimensions"].items()]
    return {"Namespace": row["namespace"], "MetricName": row["name"], "Dimensions": shown}


def _stretch(given: Members) -> tuple[float, float]:
    start, end = given["StartTime"].timestamp(), given["EndTime"].timestamp()
    if start >= end:
        raise InvalidParameterValue("The parameter StartTime must be less than the parameter EndTime.")
    return start, end


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _token(place: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def _read_token(token: str | None, first: list[Any]) -> list[Any]:
    """Where a page begins: values like those of `first`. Raises for what is no token of ours."""
    if not token:
        return first
    try:
        place = parsed(base64.b64decode(token.encode(), altchars=b"-_", validate=True))
    except ValueError:
        raise InvalidNextToken from None
    if not isinstance(place, list) or [type(one) for one in place] != [type(one) for one in first]:
        raise InvalidNextToken
    if any(isinstance(one, int) and one < 0 for one in place):
        raise InvalidNextToken
    return place
