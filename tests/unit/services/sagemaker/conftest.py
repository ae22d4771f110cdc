"""The service over a real database and real replicas, its handlers called as the gateway calls them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from alight.calls import Call, Members, Operations, Principal
from alight.clock import SystemClock
from alight.endpoints.server import Endpoints
from alight.endpoints.shadows import Compared
from alight.errors.common import NotImplemented_
from alight.services.sagemaker.acting import Acting
from alight.services.sagemaker.service import SageMaker
from alight.store.database import Database
from alight.store.records import Records


@dataclass
class Bucket:
    """S3 as SageMaker sees it: `put` holds what it wrote, `allowed` what roles may, `lines` what it logged."""

    put: dict[str, bytes] = field(default_factory=dict)
    allowed: set[tuple[str, str]] = field(default_factory=set)
    lines: list[tuple[str, str, str]] = field(default_factory=list)
    told: list[tuple[str, str]] = field(default_factory=list)

    def operations(self) -> Operations:
        return {("s3", "PutObject"): self._put}

    async def _put(self, call: Call, given: Members) -> Members:
        self.put[f"s3://{given['Bucket']}/{given['Key']}"] = given["Body"]
        return {}


@dataclass
class Door:
    """`await door("sagemaker", "CreateModel", ModelName=...)`; `objects` is what S3 holds, by URL."""

    database: Database
    endpoints: Endpoints
    service: SageMaker
    objects: dict[str, Path] = field(default_factory=dict)
    kind: Literal["root", "service", "role"] = "root"
    role: str | None = None
    bucket: Bucket = field(default_factory=Bucket)
    compared: list[Compared] = field(default_factory=list)

    @property
    def operations(self) -> Operations:
        return self.service.operations()

    async def __call__(self, service: str, operation: str, /, **given: Any) -> Members:
        principal = Principal(self.kind, "arn:aws:iam::000000000000:root", "A", role=self.role)
        call = Call(service, operation, "11111111-2222-3333-4444-555555555555", principal)
        return await self.operations[service, operation](call, given)

    async def control(self, operation: str, /, **given: Any) -> Members:
        return await self("sagemaker", operation, **given)

    async def invoke(self, name: str, body: bytes = b"", **more: Any) -> Members:
        return await self("sagemaker-runtime", "InvokeEndpoint", EndpointName=name, Body=body, **more)

    async def settled(self, name: str) -> Members:
        """Wait for the deployment, then describe."""
        await self.service.deployments.wait(name)
        return await self.control("DescribeEndpoint", EndpointName=name)

    async def create(self, name: str, url: str, **container: Any) -> Members:
        """Model, configuration and endpoint of one name; returns the settled description."""
        await self.control("CreateModel", ModelName=name, PrimaryContainer={"ModelDataUrl": url, **container})
        return await self.serve(name)

    async def serve(self, name: str) -> Members:
        """Configuration and endpoint of a model, under its name; returns the settled description."""
        await self.control("CreateEndpointConfig", EndpointConfigName=name, ProductionVariants=[variant(name)])
        await self.control("CreateEndpoint", EndpointName=name, EndpointConfigName=name)
        return await self.settled(name)

    async def close(self) -> None:
        await self.service.close()
        await self.endpoints.close()
        await self.database.close()


def variant(model: str, name: str = "AllTraffic", **more: Any) -> Members:
    return {"VariantName": name, "ModelName": model, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large", **more}


async def open_door(folder: Path, objects: dict[str, Path] | None = None) -> Door:
    """Open, or open again, the service on a data folder."""
    found = {} if objects is None else objects

    async def fetch(url: str) -> Path:
        if url not in found:
            raise NotImplemented_("NoSuchKey: the specified key does not exist.")
        return found[url]

    clock = SystemClock()
    database = await Database.open(folder / "data", clock)
    compared: list[Compared] = []
    endpoints = Endpoints(folder=folder / "data" / "endpoints", clock=clock, cores=1, compare=compared.append)
    bucket = Bucket()
    service = SageMaker(
        database,
        Records(database),
        endpoints,
        folder=folder / "data" / "models",
        fetch=fetch,
        acting=Acting(bucket.operations, lambda role, action, resource: (role, action) in bucket.allowed),
        say=lambda *line: bucket.lines.append(line),
        publish=lambda tx, topic, message: bucket.told.append((topic, message)),
        wake=lambda: None,
    )
    return Door(database, endpoints, service, found, bucket=bucket, compared=compared)


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    made = await open_door(tmp_path)
    yield made
    await made.close()
