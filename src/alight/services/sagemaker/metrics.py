"""What CloudWatch is told of endpoints: namespace `AWS/SageMaker`, for each variant. Latencies in microseconds."""

from __future__ import annotations

from alight.calls import Call, Handler, Members
from alight.clock import Clock
from alight.endpoints.spec import Invoked
from alight.store.telemetry import Telemetry

NAMESPACE = "AWS/SageMaker"


class EndpointMetrics:
    """Called on the event loop: `invoked` by the endpoints, for each request that reached a variant."""

    def __init__(self, telemetry: Telemetry, clock: Clock) -> None:
        self._telemetry = telemetry
        self._clock = clock
        #: The requests under way whose whole time will be told: (variant's dimensions, seconds of the model).
        self._under_way: dict[str, Invoked | None] = {}

    def invoked(self, told: Invoked) -> None:
        """A request that the model did not answer at all counts as a 5xx."""
        place = _place(told)
        self._count(place, "Invocations", 1.0)
        self._count(place, "InvocationsPerInstance", 1.0 / max(told.replicas, 1))
        self._count(place, "Invocation4XXErrors", 1.0 if 400 <= told.status < 500 else 0.0)
        self._count(place, "Invocation5XXErrors", 1.0 if told.status >= 500 or told.status == 0 else 0.0)
        self._count(place, "InvocationModelErrors", 0.0 if 200 <= told.status < 300 else 1.0)
        self._latency(place, "ModelLatency", told.seconds)
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
                    self._latency(_place(told), "OverheadLatency", max(took - told.seconds, 0.0))

        return telling

    def _count(self, place: dict[str, str], name: str, value: float) -> None:
        self._telemetry.metric(NAMESPACE, name, value, place, unit="Count" if name[-6:] != "Errors" else "None")

    def _latency(self, place: dict[str, str], name: str, seconds: float) -> None:
        self._telemetry.metric(NAMESPACE, name, seconds * 1e6, place, unit="Microseconds")


def _place(told: Invoked) -> dict[str, str]:
    return {"EndpointName": told.endpoint, "VariantName": told.variant}
