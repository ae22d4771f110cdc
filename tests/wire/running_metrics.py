"""The metric service behind the gateway on a real socket, over a real store: `running_metrics(folder)`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alight.clock import SystemClock
from alight.gateway.server import Server, serve
from alight.services.cloudwatch.service import CloudWatch
from alight.store.telemetry import Telemetry
from tests.wire.served import client, gateway, loop_in_a_thread


@dataclass
class Metrics:
    """What is served, with a client of it."""

    port: int
    telemetry: Telemetry
    client: Any

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def running_metrics(folder: Path) -> Iterator[Metrics]:
    """Serve in a thread with a loop of its own."""
    with loop_in_a_thread() as run:
        server, telemetry = run(_start(folder))
        here = Metrics(server.port, telemetry, client("cloudwatch", server.port))
        try:
            yield here
        finally:
            here.client.close()
            run(server.stop(0.5))
            run(telemetry.close())


async def _start(folder: Path) -> tuple[Server, Telemetry]:
    clock = SystemClock()
    telemetry = await Telemetry.open(folder, clock)
    server = await serve(gateway(CloudWatch(telemetry, clock).operations()))
    return server, telemetry
