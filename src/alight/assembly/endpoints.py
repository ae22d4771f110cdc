"""SageMaker over its endpoints, and what these tell beside their answers: lines for logs, how a shadow compares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from alight.assembly.store import MODELS, Store
from alight.calls import Attempt
from alight.endpoints.server import Endpoints
from alight.endpoints.shadows import Compared
from alight.events.takers import Takers
from alight.services.sagemaker.acting import Acting
from alight.services.sagemaker.deployment import Fetch
from alight.services.sagemaker.service import SageMaker
from alight.store.database import Tx

#: Metrics of shadow variants, beside those that AWS has.
SHADOWS = "Alight/Shadow"


def build_sagemaker(
    store: Store,
    endpoints: Endpoints,
    fetch: Fetch,
    acting: Acting,
    send: Callable[[Tx, str, str, Mapping[str, tuple[str, str]], dict[str, Any]], None],
    takers: Takers,
    wake: Callable[[], None],
    excuse: Callable[[Attempt, bool], None],
) -> SageMaker:
    """`send` is `Targets.send`, `excuse` the runner's; its inferences join the events that `takers` share out."""
    sagemaker = SageMaker(
        store.database,
        store.records,
        endpoints,
        folder=store.settings.data / MODELS,
        fetch=fetch,
        acting=acting,
        say=endpoint_log(store),
        publish=lambda tx, topic, message: send(tx, topic, message, {}, {}),
        wake=wake,
        excuse=excuse,
    )
    takers.add("sagemaker", sagemaker.asynchronous)
    return sagemaker


def endpoint_log(store: Store) -> Callable[[str, str, str], None]:
    """(endpoint, variant, line) -> a line in the group that the variant's replicas print to."""

    def say(endpoint: str, variant: str, line: str) -> None:
        store.telemetry.log(f"/aws/sagemaker/Endpoints/{endpoint}", f"{variant}/alight", store.clock.now(), line)

    return say


def shadow_metrics(store: Store) -> Callable[[Compared], None]:
    """Agreement (1 where the shadow gave the same bytes, else 0), Failures, Dropped, both latencies in microseconds."""

    def tell(one: Compared) -> None:
        where = {"EndpointName": one.endpoint, "VariantName": one.variant, "ShadowVariantName": one.shadow}
        if one.outcome == "dropped":
            store.telemetry.metric(SHADOWS, "Dropped", 1.0, where)
            return
        store.telemetry.metric(SHADOWS, "Agreement", 1.0 if one.outcome == "same" else 0.0, where)
        store.telemetry.metric(SHADOWS, "Failures", 1.0 if one.outcome == "failed" else 0.0, where)
        store.telemetry.metric(SHADOWS, "Latency", one.seconds * 1e6, where)
        store.telemetry.metric(SHADOWS, "ProductionLatency", one.production * 1e6, where)

    return tell
