"""The log service behind the gateway on a real socket, over a real store: `running_logs(folder)`."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alight.clock import SystemClock
from alight.gateway.server import serve
from alight.services.logs.retention import forget
from alight.services.logs.service import Logs
from alight.store.database import Database
from alight.store.records import Records
from alight.store.telemetry import Telemetry
from tests.wire.served import client, gateway, loop_in_a_thread


@dataclass
class Running:
    """What is served, with a client of it; `forget(days)` is what housekeeping does each hour, `tails()` says how many
    sessions are under way."""

    port: int
    client: Any
    forget: Callable[[float], None]
    tails: Callable[[], int]
    telemetry: Telemetry

    def counted(self, namespace: str) -> list[tuple[str, dict[str, str], float, float]]:
        """(metric, dimensions, sum, count) of what was counted; the client's last request has flushed it."""
        found = []
        for row in self.telemetry.series(namespace):
            for minute in self.telemetry.minutes(namespace, row["name"], row["dimensions"]):
                found.append((row["name"], row["dimensions"], minute.tally.sum, minute.tally.count))
        return sorted(found, key=str)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def running_logs(folder: Path) -> Iterator[Running]:
    """Serve in a thread with a loop of its own."""
    with loop_in_a_thread() as run:
        port, service, telemetry, tidy, stop = run(_start(folder))
        tailing = service.tailing
        here = Running(port, client("logs", port), lambda days: run(tidy(days)), lambda: tailing.sessions, telemetry)
        try:
            yield here
        finally:
            here.client.close()
            run(stop())


Job = Callable[..., Coroutine[Any, Any, None]]


async def _start(folder: Path) -> tuple[int, Logs, Telemetry, Job, Job]:
    clock = SystemClock()
    telemetry, database = await Telemetry.open(folder, clock), await Database.open(folder, clock, ballast=0)
    records = Records(database)
    service = Logs(database, records, telemetry, clock)
    server = await serve(gateway(service.operations()))

    async def tidy(days: float) -> None:
        await forget(records, telemetry, clock.now(), days)

    async def stop() -> None:
        await server.stop(0.5)
        await telemetry.close()
        await database.close()

    return server.port, service, telemetry, tidy, stop
