"""What CloudWatch is told of functions: namespace `AWS/Lambda`, for each function and for all together."""

from __future__ import annotations

from alight.functions.invocation import Outcome
from alight.store.telemetry import Telemetry

NAMESPACE = "AWS/Lambda"


class FunctionMetrics:
    """Called on the event loop. Functions are named by ARN or name."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def began(self, name: str, own: int, every: int) -> None:
        """A call begins; so many of this function's and of all run together now."""
        self._telemetry.metric(NAMESPACE, "ConcurrentExecutions", every, {}, unit="Count")
        self._telemetry.metric(NAMESPACE, "ConcurrentExecutions", own, {"FunctionName": name}, unit="Count")

    def ran(self, name: str, outcome: Outcome, arn: str) -> None:
        """`arn` is what was invoked: a version or an alias is counted by itself, too."""
        failed = 0.0 if outcome.function_error is None else 1.0
        self._tell(name, "Invocations", 1.0)
        self._tell(name, "Errors", failed)
        self._tell(name, "Throttles", 0.0)
        self._tell(name, "Duration", outcome.duration_ms, "Milliseconds")
        resource = arn.rpartition("function:")[2]
        if ":" in resource:
            place = {"FunctionName": name, "Resource": resource}
            self._telemetry.metric(NAMESPACE, "Invocations", 1.0, place, unit="Count")
            self._telemetry.metric(NAMESPACE, "Errors", failed, place, unit="Count")
            self._telemetry.metric(NAMESPACE, "Duration", outcome.duration_ms, place, unit="Milliseconds")

    def throttled(self, name: str) -> None:
        self._tell(name, "Throttles", 1.0)

    def received(self, function: str) -> None:
        """An asynchronous event was accepted."""
        self._tell(_name(function), "AsyncEventsReceived", 1.0)

    def waited(self, name: str, seconds: float) -> None:
        """How old an asynchronous event is as an attempt at it begins."""
        self._tell(name, "AsyncEventAge", max(seconds, 0.0) * 1000, "Milliseconds")

    def dropped(self, function: str, count: int) -> None:
        """Events were given up."""
        self._tell(_name(function), "AsyncEventsDropped", 1.0, times=count)

    def _tell(self, name: str, metric: str, value: float, unit: str = "Count", times: int = 1) -> None:
        self._telemetry.metric(NAMESPACE, metric, value, {}, unit=unit, times=times)
        self._telemetry.metric(NAMESPACE, metric, value, {"FunctionName": name}, unit=unit, times=times)


def _name(function: str) -> str:
    """What stands behind `function:` in an ARN, without a qualifier."""
    return function.rpartition("function:")[2].partition(":")[0]
