"""What telemetry is told of a request: once, with the overhead where somebody waited for all of it."""

from __future__ import annotations

from typing import Any, cast

import pytest

from alight.calls import Call, Members, Principal
from alight.clock import ManualClock
from alight.endpoints.spec import Invoked
from alight.errors.sagemaker import ModelError
from alight.services.sagemaker.metrics import EndpointMetrics
from alight.store.minutes import Together
from alight.store.telemetry import Telemetry

CALL = Call("sagemaker-runtime", "InvokeEndpoint", "id", Principal("root", "arn", "root"))


class Heard:
    """Telemetry that keeps what it is told: variant, and metric -> value."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, float]]] = []

    def tell(self, together: Together, *values: float) -> None:
        variant = dict(together.places[0])["VariantName"]
        self.told.append((variant, dict(zip([name for name, _ in together.columns], values, strict=True))))


def invoked(variant: str, status: int = 200, seconds: float = 0.0) -> Invoked:
    return Invoked("endpoint", variant, "id", seconds, status, 2)


async def test_an_answer_is_told_once_with_its_overhead_and_a_copy_for_a_shadow_apart() -> None:
    heard, clock = Heard(), ManualClock()
    metrics = EndpointMetrics(cast(Telemetry, heard), clock)

    async def answered(call: Call, given: Members) -> Members:
        clock.advance(3.0)
        metrics.invoked(invoked("main", seconds=2.0))
        metrics.invoked(invoked("shadow", status=0))
        return {"Body": b""}

    assert await metrics.timed(answered)(CALL, {}) == {"Body": b""}
    counts: dict[str, Any] = {"Invocations": 1.0, "InvocationsPerInstance": 0.5, "Invocation4XXErrors": 0.0}
    failed = {"Invocation5XXErrors": 1.0, "InvocationModelErrors": 1.0, "ModelLatency": 0.0}
    well = {"Invocation5XXErrors": 0.0, "InvocationModelErrors": 0.0, "ModelLatency": 2e6, "OverheadLatency": 1e6}
    assert heard.told == [("shadow", counts | failed), ("main", counts | well)]


async def test_what_reached_no_variant_is_not_told_and_what_failed_there_is() -> None:
    heard = Heard()
    metrics = EndpointMetrics(cast(Telemetry, heard), ManualClock())

    async def refused(call: Call, given: Members) -> Members:
        raise ModelError("no")

    async def failed(call: Call, given: Members) -> Members:
        metrics.invoked(invoked("main", status=404))
        raise ModelError("no")

    for handler in (refused, failed):
        with pytest.raises(ModelError):
            await metrics.timed(handler)(CALL, {})
    [(variant, values)] = heard.told
    assert variant == "main"
    assert (values["Invocation4XXErrors"], values["Invocation5XXErrors"]) == (1.0, 0.0)
    # And what nobody times, as an asynchronous inference, has no overhead
    metrics.invoked(invoked("main"))
    assert "OverheadLatency" not in heard.told[-1][1]
