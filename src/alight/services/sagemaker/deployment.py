"""From an endpoint's configuration to replicas that answer: fetch the packages, unpack, deploy; in the background.

What was deployed is written into the endpoint's record: the packages by their SHA-256. After a restart the same
packages are deployed again from our own store, even where the S3 object or the definitions have gone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from alight.calls import Members
from alight.endpoints.artifact import Artifact, reopen, unpack
from alight.endpoints.contract import CannotServe
from alight.endpoints.server import Endpoints
from alight.endpoints.spec import EndpointSpec, VariantSpec
from alight.errors import AlightError, Fault
from alight.services.sagemaker.definitions import CONFIGURATION, ENDPOINT, MODEL, model_data_url
from alight.store.records import Records

#: `s3://bucket/key` -> a file that holds the object; it is read, never changed or removed.
Fetch = Callable[[str], Awaitable[Path]]
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Part:
    """One variant of a deployment, as the endpoint's record keeps it."""

    name: str
    url: str
    sha256: str
    instances: int
    weight: float
    environment: dict[str, str]
    image: str


class Deployments:
    """One background task per endpoint at most; a newer one waits for the older."""

    def __init__(self, records: Records, endpoints: Endpoints, store: Path, fetch: Fetch) -> None:
        self._records = records
        self._endpoints = endpoints
        self._store = store
        self._fetch = fetch
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._restoring: set[str] = set()

    def plan(self, configuration: Members) -> list[Members]:
        """The variants of a configuration with their models' containers, as they are now."""
        return [self._part(variant) for variant in configuration["ProductionVariants"]]

    def start(self, name: str) -> None:
        """Deploy in the background what the endpoint's record wants."""
        self._run(name, self._deploy(name))

    async def resume(self) -> None:
        """Deploy everything again that was there before a restart; returns at once."""
        for record in self._records.list(ENDPOINT, limit=10_000):
            if record.body["EndpointStatus"] != "Failed":
                self._restoring.add(record.name)
                self._run(record.name, self._deploy(record.name))

    def restoring(self, name: str) -> bool:
        return name in self._restoring

    async def wait(self, name: str, limit: float | None = None) -> None:
        """Until the endpoint's deployment has ended, however it ended."""
        task = self._tasks.get(name)
        if task is not None:
            await asyncio.wait({task}, timeout=limit)

    async def remove(self, name: str) -> None:
        """Stop deploying and serving it."""
        task = self._tasks.pop(name, None)
        if task is not None:
            task.cancel()
            await asyncio.wait({task})
        await self._endpoints.remove(name)

    async def close(self) -> None:
        tasks, self._tasks = list(self._tasks.values()), {}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _run(self, name: str, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks[name] = task

        def finished(done: asyncio.Task[None]) -> None:
            if self._tasks.get(name) is done:
                del self._tasks[name]
                self._restoring.discard(name)

        task.add_done_callback(finished)

    async def _deploy(self, name: str) -> None:
        record = self._records.get(ENDPOINT, name)
        if record is None:
            return
        try:
            parts = [_Part(**part) for part in record.body["Variants"]]
            artifacts = [await self._package(part) for part in parts]
            pairs = list(zip(parts, artifacts, strict=True))
            await self._endpoints.deploy(EndpointSpec(name, tuple(_variant(*pair) for pair in pairs)))
            changes: Members = {
                "EndpointStatus": "InService",
                "FailureReason": "",
                "Variants": [_kept(part, artifact) for part, artifact in pairs],
                "EndpointConfigName": record.body["WantedConfigName"],
            }
        except (CannotServe, Fault, AlightError) as reason:
            changes = self._failed(name, str(reason))
        except Exception:
            _log.exception("The deployment of endpoint %s failed.", name)
            changes = self._failed(name, "Alight failed to deploy it; see its log.")
        await self._save(name, changes)

    def _failed(self, name: str, reason: str) -> Members:
        status = self._endpoints.status(name)
        serving = status is not None and status.state == "InService"
        text = (
            "The primary container did not pass the ping health check; its logs are in log group "
            f"/aws/sagemaker/Endpoints/{name}. Reason: {reason}"
        )
        return {"EndpointStatus": "InService" if serving else "Failed", "FailureReason": text[:1024]}

    async def _save(self, name: str, changes: Members) -> None:
        record = self._records.get(ENDPOINT, name)
        if record is not None:
            await self._records.save(ENDPOINT, name, {**record.body, **changes})

    def _part(self, variant: Members) -> Members:
        record = self._records.get(MODEL, variant["ModelName"])
        if record is None:
            raise CannotServe(f"there is no model {variant['ModelName']}")
        container = record.body["PrimaryContainer"]
        return {
            "name": variant["VariantName"],
            "url": model_data_url(container),
            "sha256": "",
            "instances": int(variant.get("InitialInstanceCount") or 1),
            "weight": float(variant.get("InitialVariantWeight", 1.0)),
            "environment": dict(container.get("Environment") or {}),
            "image": container.get("Image", ""),
        }

    async def _package(self, part: _Part) -> Artifact:
        """The package that was deployed before, or else what the model's URL holds now."""
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


def configuration_of(records: Records, name: str) -> Members | None:
    record = records.get(CONFIGURATION, name)
    return record.body if record else None


def _variant(part: _Part, artifact: Artifact) -> VariantSpec:
    return VariantSpec(part.name, artifact.dir, part.instances, part.weight, part.environment)


def _kept(part: _Part, artifact: Artifact) -> Members:
    return {
        "name": part.name,
        "url": part.url,
        "sha256": artifact.sha256,
        "instances": part.instances,
        "weight": part.weight,
        "environment": part.environment,
        "image": part.image,
    }
