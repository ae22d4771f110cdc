"""Embedded metrics: a log line in CloudWatch's embedded metric format is counted, besides being kept as a line.

Such a line is JSON: `_aws.CloudWatchMetrics` names metrics and dimensions, whose values stand in the line itself. What
does not keep to the format is not counted, and is a line like any other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from alight.clock import Clock
from alight.errors import Fault
from alight.parsed import parsed
from alight.services.cloudwatch import rules
from alight.store.telemetry import Telemetry

#: What every such line has in it.
MARK = '"CloudWatchMetrics"'
MOST_METRICS = MOST_VALUES = 100


class Embedded:
    """Keeps lines, and counts what they embed: as `Telemetry.log_all` for those who log."""

    def __init__(self, telemetry: Telemetry, clock: Clock) -> None:
        self._telemetry = telemetry
        self._clock = clock

    def log(self, group: str, stream: str, now: float, messages: Sequence[str], request_id: str = "") -> None:
        self._telemetry.log_all(group, stream, now, messages, request_id)
        for message in messages:
            if MARK in message:
                self.count(message)

    def count(self, message: str) -> None:
        """Never fails the caller."""
        if MARK not in message:
            return
        try:
            line = parsed(message)
            about = line["_aws"]
            moment = about["Timestamp"] / 1000
            now = self._clock.now()
            if not now - rules.OLDEST <= moment <= now + rules.NEWEST:
                return
            for directive in about["CloudWatchMetrics"]:
                self._count(line, directive, moment)
        except (Fault, ValueError, TypeError, KeyError, AttributeError):
            return

    def _count(self, line: Mapping[str, Any], directive: Mapping[str, Any], moment: float) -> None:
        namespace = rules.check_namespace(directive["Namespace"], own=True)
        places = [
            rules.dimensions([{"Name": name, "Value": str(line[name])} for name in names], "Dimensions")
            for names in directive.get("Dimensions") or [[]]
        ]
        for metric in directive["Metrics"][:MOST_METRICS]:
            unit = rules.check_unit(metric.get("Unit", "None"), "Unit")
            for value in _values(line.get(metric["Name"])):
                for place in places:
                    self._telemetry.metric(namespace, metric["Name"], value, place, unit=unit, timestamp=moment)


def _values(given: Any) -> Iterator[float]:
    """A number, or a list of them."""
    for value in (given if isinstance(given, list) else [given])[:MOST_VALUES]:
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= rules.LARGEST:
            yield float(value)
