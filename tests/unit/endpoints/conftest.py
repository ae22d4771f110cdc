"""Endpoints with real replica processes, ended with their test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from alight.clock import SystemClock
from alight.endpoints.server import Endpoints
from alight.endpoints.spec import EndpointSpec, Limits, VariantSpec

BIRDS = Path(__file__).resolve().parents[3] / "examples" / "birds"


@pytest.fixture
async def make_endpoints(tmp_path: Path) -> AsyncIterator[Callable[..., Endpoints]]:
    """`make_endpoints(replicas=1, **limits)`; what replicas print is in the list `lines` of the result."""
    made: list[Endpoints] = []

    def make(replicas: int = 1, **limits: Any) -> Endpoints:
        lines: list[tuple[str, str, float, str, str]] = []
        endpoints = Endpoints(
            folder=tmp_path / f"endpoints-{len(made)}",
            clock=SystemClock(),
            cores=replicas,
            limits=Limits(**limits),
            log=lambda *line: lines.append(line),
        )
        endpoints.lines = lines  # type: ignore[attr-defined]
        made.append(endpoints)
        return endpoints

    yield make
    for endpoints in made:
        await endpoints.close()


@pytest.fixture
async def endpoints(make_endpoints: Callable[..., Endpoints]) -> Endpoints:
    """One replica per variant, ordinary limits."""
    return make_endpoints()


def one(model_dir: Path, name: str = "endpoint", instances: int = 1, **environment: str) -> EndpointSpec:
    """An endpoint of one variant."""
    return EndpointSpec(name, (VariantSpec("AllTraffic", model_dir, instances, 1.0, environment),))
