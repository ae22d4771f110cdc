"""PutMetricData: callers' own metrics. All of a request is checked before any of it is kept."""

from __future__ import annotations

from datetime import datetime

from alight.calls import Call, Members
from alight.clock import Clock
from alight.errors.cloudwatch import InvalidParameterValue, MissingParameter
from alight.errors.common import ServiceUnavailable
from alight.services.cloudwatch import rules
from alight.store.minutes import Tally
from alight.store.telemetry import Telemetry

#: Entries of one request.
MOST_METRICS = 1_000


class Putting:
    """The handler."""

    def __init__(self, telemetry: Telemetry, clock: Clock) -> None:
        self._telemetry = telemetry
        self._clock = clock

    async def put_metric_data(self, call: Call, given: Members) -> Members:
        """Returns once the values can be read, so that they outlive this process."""
        namespace = rules.check_namespace(given["Namespace"], own=True)
        data = given.get("MetricData") or []
        if not data:
            raise MissingParameter("The parameter MetricData is required.")
        if len(data) > MOST_METRICS:
            raise InvalidParameterValue(f"The collection MetricData must not have a size greater than {MOST_METRICS}.")
        now = self._clock.now()
        known = []
        for place, datum in enumerate(data, 1):
            member = f"MetricData.member.{place}"
            rules.check_datum(datum, member, now)
            dimensions = rules.dimensions(datum.get("Dimensions"), f"{member}.Dimensions")
            known.append((datum, dimensions, rules.values(datum, member)))
        # What waits for the disk goes first, so that there is room for all of it.
        await self._telemetry.flush()
        lost = self._telemetry.uncounted
        for datum, dimensions, values in known:
            self._keep(namespace, datum, dimensions, values)
        await self._telemetry.flush()
        if self._telemetry.uncounted > lost:
            raise ServiceUnavailable("Metrics could not be written; send them again.")
        return {}

    def _keep(
        self, namespace: str, datum: Members, dimensions: dict[str, str], values: list[tuple[float, float]] | Tally
    ) -> None:
        name, unit = datum["MetricName"], datum.get("Unit", "None")
        given: datetime | None = datum.get("Timestamp")
        moment = given.timestamp() if given else None
        if isinstance(values, Tally):
            self._telemetry.metric_statistics(namespace, name, values, dimensions, unit, moment)
            return
        for value, times in values:
            self._telemetry.metric(namespace, name, value, dimensions, unit=unit, timestamp=moment, times=times)
