"""From an endpoint's configuration to replicas that answer: fetch the packages, unpack, deploy; in the background.

An endpoint's record says what serves (`Variants`, each with the SHA-256 of its package) and, while a deployment is
under way, what is wanted (`Wanted`). After a restart what was wanted, or else what served, is deployed again: from
our own store of packages, even where the S3 object or the definitions have gone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from alight.calls import Members
from alight.endpoints.artifact import Artifact, reopen, sweep, unpack
from alight.endpoints.contract import CannotServe
from alight.endpoints.server import Endpoints
from alight.endpoints.spec import EndpointSpec, VariantSpec
from alight.errors import AlightError, Fault
from alight.services.sagemaker.definitions import ALL, ENDPOINT, MODEL, known, model_data_url
from alight.store.records import Record, Records

#: `s3://bucket/key` -> a file that holds the object; it is read, never changed or removed.
Fetch = Callable[[str], Awaitable[Path]]
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Part:
    """One variant of an endpoint, as the endpoint's record keeps it."""

    name: str
    url: str
    sha256: str
    instances: int
    weight: float
    environment: dict[str, str]
    image: str


class Deployments:
    """One background task per endpoint at most."""

    def __init__(self, records: Records, endpoints: Endpoints, store: Path, fetch: Fetch) -> None:
        self._records = records
        self._endpoints = endpoints
        self._store = store
        self._fetch = fetch
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._restoring: set[str] = set()
        self._unpacking = asyncio.Lock()

    def wanted(self, configuration: Record) -> Members:
        """What a configuration asks for now. Raises `ValidationException` where one of its models has gone."""
        parts = [asdict(self._part(variant)) for variant in configuration.body["ProductionVariants"]]
        return {"EndpointConfigName": configuration.name, "Variants": parts}

    def start(self, name: str) -> None:
        """Deploy in the background what the endpoint's record wants."""
        task = asyncio.create_task(self._deploy(name))
        self._tasks[name] = task
        task.add_done_callback(lambda done: self._ended(name, done))

    async def resume(self) -> None:
        """Start to deploy everything that was there before a restart; `wait` waits for one of them.

        Call it once, before requests are let in.
        """
        records = self._records.list(ENDPOINT, limit=ALL)
        back = [record.name for record in records if record.body["EndpointStatus"] != "Failed"]
        self._restoring.update(back)
        kept = {part["sha256"] for record in records for part in record.body["Variants"]}
        async with self._unpacking:
            await sweep(self._store, kept)
        for name in back:
            self.start(name)

    def restoring(self, name: str) -> bool:
        """Whether the endpoint served before a restart and is not back yet."""
        return name in self._restoring

    def under_way(self, name: str) -> bool:
        return name in self._tasks

    async def wait(self, name: str, limit: float | None = None) -> None:
        """Until the endpoint's deployment has ended, however it ended, or `limit` seconds have passed."""
        task = self._tasks.get(name)
        if task is not None:
            await asyncio.wait({task}, timeout=limit)

    async def remove(self, name: str) -> None:
        """Stop deploying and serving it."""
        task = self._tasks.pop(name, None)
        if task is not None:
            task.cancel()
            await asyncio.wait({task})
        self._restoring.discard(name)
        await self._endpoints.remove(name)

    async def close(self) -> None:
        tasks, self._tasks = list(self._tasks.values()), {}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, name: str, done: asyncio.Task[None]) -> None:
        if self._tasks.get(name) is done:
            del self._tasks[name]
            self._restoring.discard(name)

    async def _deploy(self, name: str) -> None:
        record = self._records.get(ENDPOINT, name)
        if record is None:
            return
        try:
            changes = await self._serve(record)
        except (CannotServe, Fault, AlightError) as reason:
            changes = self._failed(name, str(reason))
        except Exception:
            _log.exception("The deployment of endpoint %s failed.", name)
            changes = self._failed(name, "an error of Alight's own; see its log")
        latest = self._records.get(ENDPOINT, name)
        if latest is not None:
            await self._records.save(ENDPOINT, name, {**latest.body, **changes, "Wanted": None})

    async def _serve(self, record: Record) -> Members:
        wanted = record.body["Wanted"] or record.body
        parts = [await self._packed(Part(**part)) for part in wanted["Variants"]]
        variants = tuple(
            VariantSpec(part.name, self._store / part.sha256, part.instances, part.weight, part.environment)
            for part in parts
        )
        await self._endpoints.deploy(EndpointSpec(record.name, variants))
        return {
            "EndpointStatus": "InService",
            "FailureReason": "",
            "EndpointConfigName": wanted["EndpointConfigName"],
            "Variants": [asdict(part) for part in parts],
        }

    def _failed(self, name: str, reason: str) -> Members:
        status = self._endpoints.status(name)
        serving = status is not None and status.state == "InService"
        text = (
            "The primary container did not pass the ping health check; its logs are in log group "
            f"/aws/sagemaker/Endpoints/{name}. Reason: {reason}"
        )
        return {"EndpointStatus": "InService" if serving else "Failed", "FailureReason": text[:1024]}

    def _part(self, variant: Members) -> Part:
        container = known(self._records, MODEL, variant["ModelName"]).body["PrimaryContainer"]
        return Part(
            name=variant["VariantName"],
            url=model_data_url(container),
            sha256="",
            instances=int(variant.get("InitialInstanceCount") or 1),
            weight=float(variant.get("InitialVariantWeight", 1.0)),
            environment=dict(container.get("Environment") or {}),
            image=container.get("Image", ""),
        )

    async def _packed(self, part: Part) -> Part:
        """The part with its package in the store: the one that was deployed before, or what its URL holds now."""
        async with self._unpacking:
            return replace(part, sha256=(await self._package(part)).sha256)

    async def _package(self, part: Part) -> Artifact:
        if part.sha256:
            found = await reopen(part.sha256, self._store, part.environment)
            if found is not None:
                return found
        address = urlsplit(part.url)
        if address.scheme == "file":
            return await unpack(Path(unquote(address.path)), self._store, part.environment)
        try:
            source = await self._fetch(part.url)
        except (Fault, OSError) as error:
            raise CannotServe(f"Could not find model data at {part.url}: {error}") from error
        return await unpack(source, self._store, part.environment)
