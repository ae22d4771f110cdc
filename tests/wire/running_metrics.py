"""The metric service behind the gateway on a real socket, over a real store: `running_metrics(folder)`."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alight.clock import SystemClock
from alight.gateway.server import Server, serve
from alight.notifications.topics import Topics
from alight.services.cloudwatch.service import CloudWatch
from alight.store.database import Database
from alight.store.outbox import OutboxStore
from alight.store.records import Records
from alight.store.telemetry import Telemetry
from tests.wire.served import client, gateway, loop_in_a_thread


@dataclass
class Metrics:
    """What is served, with a client of it."""

    port: int
    client: Any

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def running_metrics(folder: Path) -> Iterator[Metrics]:
    """Serve in a thread with a loop of its own."""
    with loop_in_a_thread() as run:
        server, stop = run(_start(folder))
        here = Metrics(server.port, client("cloudwatch", server.port))
        try:
            yield here
        finally:
            here.client.close()
            run(stop())


async def _start(folder: Path) -> tuple[Server, Callable[[], Coroutine[Any, Any, None]]]:
    clock = SystemClock()
    telemetry, database = await Telemetry.open(folder, clock), await Database.open(folder, clock, ballast=0)
    records = Records(database)
    topics = Topics(OutboxStore(database), records, clock, lambda: None)
    service = CloudWatch(database, records, telemetry, topics, clock)
    server = await serve(gateway(service.operations()))

    async def stop() -> None:
        await server.stop(0.5)
        await telemetry.close()
        await database.close()

    return server, stop
