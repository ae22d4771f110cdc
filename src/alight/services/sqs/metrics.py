"""What CloudWatch is told of queues: namespace `AWS/SQS`, for each queue."""

from __future__ import annotations

from alight.store.metrics import by_resource
from alight.store.queues import Measure
from alight.store.telemetry import Telemetry

NAMESPACE = "AWS/SQS"


def measure_with(telemetry: Telemetry) -> Measure:
    """Counts, and sizes in bytes."""
    return by_resource(telemetry, NAMESPACE, lambda queue: {"QueueName": queue}, {"SentMessageSize": "Bytes"})
