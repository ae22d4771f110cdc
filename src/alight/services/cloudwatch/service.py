"""The operations of CloudWatch, as one table."""

from __future__ import annotations

from alight.calls import Handler
from alight.clock import Clock
from alight.services.cloudwatch.putting import Putting
from alight.services.cloudwatch.reading import Reading
from alight.services.members import Table, guarded, support
from alight.store.telemetry import Telemetry

TABLE: Table = {
    "GetMetricData": support("MetricDataQueries StartTime EndTime NextToken ScanBy MaxDatapoints"),
    "GetMetricStatistics": support(
        "Namespace MetricName Dimensions StartTime EndTime Period Statistics ExtendedStatistics Unit"
    ),
    "ListMetrics": support(
        "Namespace MetricName Dimensions NextToken RecentlyActive OwningAccount", "IncludeLinkedAccounts"
    ),
    "PutMetricData": support("Namespace MetricData"),
}


class CloudWatch:
    """The service."""

    def __init__(self, telemetry: Telemetry, clock: Clock) -> None:
        self._putting = Putting(telemetry, clock)
        self._reading = Reading(telemetry, clock)

    def operations(self) -> dict[tuple[str, str], Handler]:
        return guarded(
            "cloudwatch",
            TABLE,
            {
                "GetMetricData": self._reading.get_metric_data,
                "GetMetricStatistics": self._reading.get_metric_statistics,
                "ListMetrics": self._reading.list_metrics,
                "PutMetricData": self._putting.put_metric_data,
            },
        )
