"""What CloudWatch is told of functions: namespace `AWS/Lambda`, for each function and for all together."""

from __future__ import annotations

from alight.functions.invocation import Outcome
from alight.store.metrics import together
from alight.store.minutes import Column, Together
from alight.store.telemetry import Telemetry

NAMESPACE = "AWS/Lambda"
#: Series that are kept ready to be told.
REMEMBERED = 4_096

_CONCURRENT: tuple[Column, ...] = (("ConcurrentExecutions", "Count"),)
_RAN: tuple[Column, ...] = (("Invocations", "Count"), ("Errors", "Count"), ("Duration", "Milliseconds"))
_WITH_THROTTLES: tuple[Column, ...] = (*_RAN, ("Throttles", "Count"))
_EVERY = together(NAMESPACE, _CONCURRENT, {})


class FunctionMetrics:
    """Called on the event loop. Functions are named by ARN or name."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._known: dict[tuple[tuple[Column, ...], str, str], Together] = {}

    def began(self, name: str, own: int, every: int) -> None:
        """A call begins; so many of this function's and of all run together now."""
        self._telemetry.tell_all((_EVERY, (float(every),)), (self._own(_CONCURRENT, name), (float(own),)))

    def ran(self, name: str, outcome: Outcome, arn: str, ended: float) -> None:
        """`arn` is what was invoked: a version or an alias is counted by itself, too. `ended` in seconds since 1970."""
        failed = 0.0 if outcome.function_error is None else 1.0
        both = self._both(_WITH_THROTTLES, name)
        self._telemetry.tell(both, 1.0, failed, outcome.duration_ms, 0.0, timestamp=ended)
        resource = arn.rpartition("function:")[2]
        if ":" in resource:
            own = self._own(_RAN, name, resource)
            self._telemetry.tell(own, 1.0, failed, outcome.duration_ms, timestamp=ended)

    def throttled(self, name: str) -> None:
        self._tell(name, "Throttles", 1.0)

    def received(self, function: str) -> None:
        """An asynchronous event was accepted."""
        self._tell(_name(function), "AsyncEventsReceived", 1.0)

    def looped(self, function: str) -> None:
        """An event of it was one too many of a loop."""
        self._tell(_name(function), "RecursiveInvocationsDropped", 1.0)

    def waited(self, name: str, seconds: float) -> None:
        """How old an asynchronous event is as an attempt at it begins."""
        self._tell(name, "AsyncEventAge", max(seconds, 0.0) * 1000, "Milliseconds")

    def dropped(self, function: str, count: int) -> None:
        """Events were given up."""
        self._tell(_name(function), "AsyncEventsDropped", 1.0, times=count)

    def _tell(self, name: str, metric: str, value: float, unit: str = "Count", times: int = 1) -> None:
        if times == 1:
            self._telemetry.tell(self._both(((metric, unit),), name), value)
            return
        self._telemetry.metric(NAMESPACE, metric, value, {}, unit=unit, times=times)
        self._telemetry.metric(NAMESPACE, metric, value, {"FunctionName": name}, unit=unit, times=times)

    def _own(self, columns: tuple[Column, ...], name: str, resource: str = "") -> Together:
        """The series of one function, or of one of its versions and aliases."""
        known = self._known.get((columns, name, resource))
        if known is None:
            where = {"FunctionName": name} | ({"Resource": resource} if resource else {})
            known = self._keep((columns, name, resource), together(NAMESPACE, columns, where))
        return known

    def _both(self, columns: tuple[Column, ...], name: str) -> Together:
        """The series of one function and those of all."""
        known = self._known.get((columns, name, "*"))
        if known is None:
            known = self._keep((columns, name, "*"), together(NAMESPACE, columns, {}, {"FunctionName": name}))
        return known

    def _keep(self, place: tuple[tuple[Column, ...], str, str], made: Together) -> Together:
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[place] = made
        return made


def _name(function: str) -> str:
    """What stands behind `function:` in an ARN, without a qualifier."""
    return function.rpartition("function:")[2].partition(":")[0]
