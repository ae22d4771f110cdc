"""What CloudWatch is told of topics: namespace `AWS/SNS`, for each topic."""

from __future__ import annotations

from collections.abc import Callable

from alight.store.metrics import by_resource
from alight.store.telemetry import Telemetry

NAMESPACE = "AWS/SNS"

#: (topic's ARN, or "" for a text straight to a phone; metric; value; how often)
Measure = Callable[[str, str, float, int], None]


def unmeasured(topic: str, name: str, value: float, times: int) -> None:
    """Where nobody counts."""


def measure_with(telemetry: Telemetry) -> Measure:
    """Texts that go straight to a phone stand under `PhoneNumber=PhoneNumberDirect`, as on AWS."""
    return by_resource(telemetry, NAMESPACE, _place, {"PublishSize": "Bytes"})


def _place(topic: str) -> dict[str, str]:
    return {"TopicName": topic.rpartition(":")[2]} if topic else {"PhoneNumber": "PhoneNumberDirect"}
