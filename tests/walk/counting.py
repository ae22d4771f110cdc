"""What CloudWatch says of an instance."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support import Instance


def total(instance: Instance, namespace: str, name: str, statistic: str = "Sum", **dimensions: str) -> float | None:
    """Of the last hour; None where nothing is known."""
    now = datetime.now(UTC)
    points: list[dict[str, Any]] = instance.client("cloudwatch").get_metric_statistics(
        Namespace=namespace,
        MetricName=name,
        Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(hours=1),
        Period=7_200,
        Statistics=[statistic],
    )["Datapoints"]
    return float(points[0][statistic]) if points else None
