"""Both API Gateway services behind the gateway on a real socket, over a real store: `running_apis(folder)`."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alight.clock import SystemClock
from alight.gateway.server import serve
from alight.services.apigateway import service as rest
from alight.services.apigateway.ledger import HTTP, REST, Ledger
from alight.services.apigateway.served import Served
from alight.services.apigatewayv2 import service as http
from alight.store.database import Database
from alight.store.records import Records
from tests.wire.served import client, gateway, loop_in_a_thread


@dataclass
class Running:
    """What is served over `folder`; `served` is what the room of APIs would ask."""

    folder: Path
    served: Served
    port: int
    clients: list[Any] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, service: str) -> Any:
        """A boto3 client; closed at the end."""
        self.clients.append(client(service, self.port))
        return self.clients[-1]


@contextmanager
def running_apis(folder: Path) -> Iterator[Running]:
    """Serve in a thread with a loop of its own."""
    with loop_in_a_thread() as run:
        here, stop = run(_start(folder))
        try:
            yield here
        finally:
            for each in here.clients:
                each.close()
            run(stop())


async def _start(folder: Path) -> tuple[Running, Callable[[], Coroutine[Any, Any, None]]]:
    clock = SystemClock()
    database = await Database.open(folder, clock)
    records = Records(database)
    rest_apis, http_apis = Ledger(database, records, clock, REST), Ledger(database, records, clock, HTTP)
    server = await serve(gateway(rest.operations(rest_apis, records) | http.operations(http_apis)))

    async def stop() -> None:
        await server.stop(0.5)
        await database.close()

    return Running(folder, Served(rest_apis, http_apis), server.port), stop
