"""The S3 service behind the gateway on a real socket, over a real store: `running_s3(folder)`.

With what the composition root gives it: websites, CORS, and what policies and ACLs open to strangers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alight.calls import Members
from alight.clock import SystemClock
from alight.events.match import Rule
from alight.gateway.authorize import Authorizer, strangers
from alight.gateway.mounts import Mount
from alight.gateway.server import serve
from alight.services.permissions import condition_keys, needs
from alight.services.s3 import S3
from alight.services.s3.cors import CrossOrigin
from alight.services.s3.public import Access
from alight.services.s3.site import Site
from alight.store.database import Database, Tx
from alight.store.objects import ObjectStore
from tests.wire.served import client, gateway, loop_in_a_thread


@dataclass
class Running:
    """A served S3 over `folder`; `events` are the records of what happened."""

    folder: Path
    port: int = 0
    events: list[dict[str, Any]] = field(default_factory=list)
    clients: list[Any] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    mounts: dict[str, Any] = field(default_factory=dict)
    objects: ObjectStore | None = None
    #: The identity policies of the role `r`, which signs with `ASIASESSION`.
    policies: list[Members] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, **config: Any) -> Any:
        """A boto3 client; closed at the end."""
        self.clients.append(client("s3", self.port, config={"s3": {"addressing_style": "path"}, **config}))
        return self.clients[-1]

    def emit(self, tx: Tx, target: str, payload: Mapping[str, Any], rule: Rule) -> None:
        records = json.loads(json.dumps(payload)).get("Records", [])
        tx.after_commit(lambda: self.events.extend(records))


@contextmanager
def running_s3(folder: Path, **options: Any) -> Iterator[Running]:
    """Serve in a thread with a loop of its own; `options` are the gateway's, `more_mounts` more of its mounts."""
    here = Running(folder, mounts=options.pop("more_mounts", {}), options=options)
    with loop_in_a_thread() as run:
        stop = run(_start(here))
        try:
            yield here
        finally:
            for each in here.clients:
                each.close()
            run(stop())


async def _start(here: Running) -> Callable[[], Coroutine[Any, Any, None]]:
    clock = SystemClock()
    database = await Database.open(here.folder, clock)
    objects = ObjectStore(database, here.folder)
    service = S3(database, objects, clock=clock, emit=here.emit, target_exists=lambda arn, bucket: None)
    here.objects = objects
    access, cross_origin = Access(objects, strangers(clock)), CrossOrigin(objects)
    site = Mount(Site(objects, access, cross_origin))
    options: dict[str, Any] = {
        "public": access.public,
        "cross_origin": cross_origin,
        "mounts": {"/_aws/s3-website/": site, "s3-website": site, "s3-website-us-east-1": site},
        "authorize": Authorizer(
            needs=needs,
            policies_of=lambda role: here.policies,
            clock=clock,
            resource_policies_of=access.policies_of,
            keys_of=condition_keys,
        ),
    }
    options["mounts"] |= here.mounts
    server = await serve(gateway(service.operations(), **options | here.options))
    here.port = server.port

    async def stop() -> None:
        await server.stop(0.5)
        objects.close()
        await database.close()

    return stop
