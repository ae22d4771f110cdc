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


class EndpointMetrics:
    """Called on the event loop: `invoked` by the endpoints, for each request that reached a variant."""

    def __init__(self, telemetry: Telemetry, clock: Clock) -> None:
        self._telemetry = telemetry
        self._clock = clock
        #: The requests under way whose whole time will be told: (variant's dimensions, seconds of the model).
        self._under_way: dict[str, Invoked | None] = {}

    def invoked(self, told: Invoked) -> None:
        """A request that the model did not answer at all counts as a 5xx."""
        self._telemetry.tell(
            _series(told.endpoint, told.variant),
            1.0,
            1.0 / max(told.replicas, 1),
            1.0 if 400 <= told.status < 500 else 0.0,
            1.0 if told.status >= 500 or told.status == 0 else 0.0,
            0.0 if 200 <= told.status < 300 else 1.0,
            told.seconds * 1e6,
        )
        if told.request_id in self._under_way:
            self._under_way[told.request_id] = told

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
                    self._telemetry.tell(_overhead(told.endpoint, told.variant), beyond)

        return telling


@lru_cache(maxsize=1_024)
def _series(endpoint: str, variant: str) -> Together:
    return together(NAMESPACE, _COLUMNS, _place(endpoint, variant))


@lru_cache(maxsize=1_024)
def _overhead(endpoint: str, variant: str) -> Together:
    return together(NAMESPACE, (("OverheadLatency", "Microseconds"),), _place(endpoint, variant))


def _place(endpoint: str, variant: str) -> dict[str, str]:
    return {"EndpointName": endpoint, "VariantName": variant}
