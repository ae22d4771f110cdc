"""What CloudWatch is told of queues: namespace `AWS/SQS`, for each queue."""

from __future__ import annotations

from alight.store.queues import Measure
from alight.store.telemetry import Telemetry

NAMESPACE = "AWS/SQS"


def measure_with(telemetry: Telemetry) -> Measure:
    """Counts, and sizes in bytes."""

    def measure(queue: str, name: str, value: float, times: int) -> None:
        unit = "Bytes" if name == "SentMessageSize" else "Count"
        telemetry.metric(NAMESPACE, name, value, {"QueueName": queue}, unit=unit, times=times)

    return measure
