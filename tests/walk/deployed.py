"""Deployed APIs on a whole Alight in this process: the same rooms as `alight up`, with stages that a test hands in."""

from __future__ import annotations

import asyncio
import http.client
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from alight.apis.api import Api, Integration, Route
from alight.assembly.doors import build_doors
from alight.assembly.entrance import listen
from alight.assembly.running import Running, build_running
from alight.assembly.store import Store, open_store
from alight.assembly.telling import build_telling
from alight.assembly.templates import Templates
from alight.clock import SystemClock
from alight.gateway.route import Router
from alight.names import function_arn
from alight.services.sqs import Sqs
from alight.services.targets import Targets
from alight.settings import Settings


@dataclass(frozen=True)
class Said:
    """One answer."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class Deployed:
    """A running instance. `stages` is what is deployed; a test adds to it."""

    port: int
    store: Store
    running: Running
    loop: asyncio.AbstractEventLoop
    stages: dict[tuple[str, str], Api] = field(default_factory=dict)

    @property
    def variables(self) -> Mapping[str, str]:
        keys = self.store.keys
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": keys.access_key_id,
            "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def client(self, service: str) -> Any:
        return boto3.client(  # type: ignore[call-overload, unused-ignore]
            service,
            endpoint_url=self.variables["AWS_ENDPOINT_URL"],
            aws_access_key_id=self.variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.variables["AWS_SECRET_ACCESS_KEY"],
            region_name="us-east-1",
            config=Config(retries={"total_max_attempts": 1}),
        )

    def deploy(self, api: Api) -> str:
        """Its address, in the form that is shown to people."""
        self.stages[(api.id, api.stage)] = api
        return f"/_aws/execute-api/{api.id}/{api.stage}"

    def permit(self, function: str, api: str, sid: str = "") -> None:
        """As SAM and the console do it: this API may invoke that function."""
        self.client("lambda").add_permission(
            FunctionName=function,
            StatementId=sid or f"api-{api}",
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
            SourceArn=f"arn:aws:execute-api:us-east-1:000000000000:{api}/*",
        )

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | str | None = None,
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        host: str = "",
    ) -> Said:
        """One request on a connection of its own, header names spelled as given."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            connection.putheader("Host", host or f"127.0.0.1:{self.port}")
            content = body.encode() if isinstance(body, str) else body
            if content is not None:
                connection.putheader("Content-Length", str(len(content)))
            for name, value in headers.items() if isinstance(headers, Mapping) else headers:
                connection.putheader(name, value)
            connection.endheaders(content)
            response = connection.getresponse()
            return Said(response.status, response.headers, response.read())
        finally:
            connection.close()

    def wait(self, work: Any) -> Any:
        """A coroutine's result, run where the instance lives."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)


def proxied(function: str, **more: Any) -> Integration:
    return Integration("AWS_PROXY", function=function_arn(function), **more)


def stage(kind: Any, id: str, *routes: Route, **more: Any) -> Api:
    return Api(id=id, name=f"{id}-name", kind=kind, stage=more.pop("stage", "prod"), routes=routes, **more)


@contextmanager
def deployed(folder: Path, **settings: Any) -> Iterator[Deployed]:
    """An instance in a thread with a loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    exits = AsyncExitStack()
    made = asyncio.run_coroutine_threadsafe(_begin(replace(Settings(), data=folder, port=0, **settings), exits), loop)
    try:
        yield made.result(30)
    finally:
        asyncio.run_coroutine_threadsafe(exits.aclose(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)
        loop.close()


async def _begin(settings: Settings, exits: AsyncExitStack) -> Deployed:
    """What `alight.app.run` does, up to the ready line."""
    store = await open_store(settings, SystemClock(), exits)
    sqs = Sqs(store.database, store.records, store.clock)
    targets: Targets
    telling = await build_telling(store, lambda: targets, sqs, exits)
    running = build_running(store, telling.topics, exits)
    targets = Targets(store.records, running.catalogue, running.queue, telling.topics, sqs.send)
    doors = build_doors(store, running, telling, targets, sqs, lambda text: None)
    templates = Templates(store, doors, running.pool.interpreters, lambda text: None)
    stages: dict[tuple[str, str], Api] = {}
    server = await listen(
        store, running, telling, doors, templates, None, Router(), lambda *place: stages.get(place), exits
    )
    exits.push_async_callback(server.stop, 0.5)
    return Deployed(server.port, store, running, asyncio.get_running_loop(), stages)
