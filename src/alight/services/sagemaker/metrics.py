"""What CloudWatch is told of endpoints: namespace `AWS/SageMaker`, for each variant. Latencies in microseconds."""

from __future__ import annotations

from functools import lru_cache

from alight.calls import Call, Handler, Members
from alight.clock import Clock
from alight.endpoints.spec import Invoked
from alight.store.metrics import together
from alight.store.minutes import Column, Together
from alight.store.telemetry import Telemetry

NAMESPACE = "AWS/SageMaker"
_COLUMNS: tuple[Column, ...] = (
    ("Invocations", "Count"),
    ("InvocationsPerInstance", "Count"),
    ("Invocation4XXErrors", "None"),
    ("Invocation5XXErrors", "None"),
    ("InvocationModelErrors", "None"),
    ("ModelLatency", "Microseconds"),
)
_WITH_OVERHEAD: tuple[Column, ...] = (*_COLUMNS, ("OverheadLatency", "Microseconds"))


class EndpointMetrics:
    """Called on the event loop: `invoked` by the endpoints, for each request that reached a variant."""

    def __init__(self, telemetry: Telemetry, clock: Clock) -> None:
        self._telemetry = telemetry
        self._clock = clock
        #: The requests under way whose whole time will be told, and what became of them at their variant.
        self._under_way: dict[str, Invoked | None] = {}

    def invoked(self, told: Invoked) -> None:
        """What `timed` waits for, it tells with its own. (A copy for a shadow has the same id.)"""
        if self._under_way.get(told.request_id, told) is None:
            self._under_way[told.request_id] = told
        else:
            self._telemetry.tell(_series(told.endpoint, told.variant), *_values(told))

    def timed(self, handler: Handler) -> Handler:
        """InvokeEndpoint's handler; what it takes beyond the model's time is OverheadLatency."""

        async def telling(call: Call, given: Members) -> Members:
            started = self._clock.monotonic()
            self._under_way[call.request_id] = None
            try:
                return await handler(call, given)
            finally:
                told = self._under_way.pop(call.request_id, None)
                if told is not None:
                    took = self._clock.monotonic() - started
                    beyond = max(took - told.seconds, 0.0) * 1e6
                    series = _series(told.endpoint, told.variant, _WITH_OVERHEAD)
                    self._telemetry.tell(series, *_values(told), beyond)

        return telling


def _values(told: Invoked) -> tuple[float, ...]:
    """Of `_COLUMNS`. A request that the model did not answer at all counts as a 5xx."""
    status = told.status
    return (
        1.0,
        1.0 / max(told.replicas, 1),
        1.0 if 400 <= status < 500 else 0.0,
        1.0 if status >= 500 or status == 0 else 0.0,
        0.0 if 200 <= status < 300 else 1.0,
        told.seconds * 1e6,
    )


@lru_cache(maxsize=1_024)
def _series(endpoint: str, variant: str, columns: tuple[Column, ...] = _COLUMNS) -> Together:
    return together(NAMESPACE, columns, {"EndpointName": endpoint, "VariantName": variant})
