"""Pools with real processes on real sockets, handlers written where they are tested."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from alight.clock import Clock, SystemClock
from alight.functions.pool import FunctionPool
from tests.unit.functions.bench import Bench, fake_credentials

CHILDREN = ("awslambdaric", "bootstrap")


@pytest.fixture
async def make_bench(tmp_path: Path) -> AsyncIterator[Callable[..., Bench]]:
    """`make_bench(child=..., limit=..., idle_timeout=..., clock=...)`; every pool is closed at the end."""
    made: list[Bench] = []

    def make(
        child: Any = "auto", limit: int = 4, idle_timeout: float = 60.0, clock: Clock | None = None, name: str = "data"
    ) -> Bench:
        lines: list[tuple[str, str, float, str, str]] = []
        pool = FunctionPool(
            limit=limit,
            idle_timeout=idle_timeout,
            clock=clock or SystemClock(),
            folder=tmp_path / name,
            credentials=fake_credentials,
            endpoint_url=lambda: "http://127.0.0.1:4566",
            log=lambda group, stream, moment, said, owner: lines.extend(
                (group, stream, moment, message, owner) for message in said
            ),
            child=child,
        )
        made.append(Bench(tmp_path, pool, lines))
        return made[-1]

    yield make
    for bench in made:
        await bench.pool.close()


@pytest.fixture(params=CHILDREN)
def bench(request: pytest.FixtureRequest, make_bench: Callable[..., Bench]) -> Bench:
    """One pool for each of the two loops."""
    return make_bench(request.param)


@pytest.fixture
def one_bench(make_bench: Callable[..., Bench]) -> Bench:
    """One pool, with the loop that is chosen by itself."""
    return make_bench()
