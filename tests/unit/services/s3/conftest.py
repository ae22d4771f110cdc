"""The S3 service over a real database and a real object store, called as the gateway calls it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from alight.calls import Call, Members, Principal, pieces
from alight.clock import ManualClock
from alight.events.match import Rule
from alight.services.s3 import S3
from alight.store.database import Database, Tx
from alight.store.objects import ObjectStore

ROOT = Principal("root", "arn:aws:iam::000000000000:root", "AWS:AIDAROOT")


class FakeStream:
    """A request body as the gateway hands it over."""

    def __init__(self, *chunks: bytes, trailers: Mapping[str, str] | None = None, fault: Exception | None = None):
        self.length: int | None = sum(map(len, chunks))
        self.trailers: Mapping[str, str] = trailers or {}
        self._chunks = chunks
        self._fault = fault

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk
        if self._fault is not None:
            raise self._fault


@dataclass
class Service:
    """Calls by operation name; what was emitted is in `emitted` as (target ARN, payload, rule id)."""

    operations: Mapping[tuple[str, str], Any]
    clock: ManualClock
    folder: Path
    emitted: list[tuple[str, Mapping[str, Any], str]] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    emit: Callable[[Tx, str, Mapping[str, Any], Rule], None] | None = None
    calls: int = 0
    expire: Callable[[], Awaitable[int]] = field(init=False)

    async def __call__(self, operation: str, headers: Mapping[str, str] | None = None, /, **given: Any) -> Members:
        self.calls += 1
        call = Call("s3", operation, f"request-{self.calls}", ROOT, "10.0.0.7", headers=headers or {})
        reply: Members = await self.operations["s3", operation](call, given)
        return reply

    async def put(self, key: str, body: bytes = b"body", **given: Any) -> Members:
        return await self("PutObject", Bucket="photos", Key=key, Body=FakeStream(body), **given)

    async def get(self, key: str, **given: Any) -> bytes:
        reply = await self("GetObject", Bucket="photos", Key=key, **given)
        return b"".join([chunk async for chunk in pieces(reply["Body"])])

    async def keys(self) -> list[str]:
        reply = await self("ListObjectsV2", Bucket="photos")
        return [row["Key"] for row in reply["Contents"]]

    async def watch(self, *events: str, target: str = "lambda:us-east-1:000000000000:function:f") -> None:
        rule = {"Id": "rule", "LambdaFunctionArn": f"arn:aws:{target}", "Events": list(events)}
        await self(
            "PutBucketNotificationConfiguration",
            Bucket="photos",
            NotificationConfiguration={"LambdaFunctionConfigurations": [rule]},
        )

    def records(self) -> list[dict[str, Any]]:
        return [record for _, payload, _ in self.emitted for record in payload.get("Records", ())]

    def files(self) -> list[Path]:
        """Bodies and temporary files on the disk."""
        folders = [self.folder / "bodies", self.folder / "tmp"]
        return [path for folder in folders for path in folder.rglob("*") if path.is_file()]

    async def until_no_files(self) -> None:
        """A thread removes files behind the reply."""
        async with asyncio.timeout(10):
            while self.files():
                await asyncio.sleep(0)


@pytest.fixture
async def s3(tmp_path: Path) -> AsyncIterator[Service]:
    """A service with one bucket, `photos`."""
    clock = ManualClock()
    database = await Database.open(tmp_path, clock)
    objects = ObjectStore(database, tmp_path)

    def emit(tx: Tx, target: str, payload: Mapping[str, Any], rule: Rule) -> None:
        if service.emit is not None:
            service.emit(tx, target, payload, rule)
        tx.after_commit(lambda: service.emitted.append((target, payload, rule.id)))

    service = Service({}, clock, tmp_path)
    door = S3(database, objects, clock=clock, emit=emit, target_exists=lambda arn, bucket: service.missing.get(arn))
    service.operations, service.expire = door.operations(), door.expire
    await service("CreateBucket", Bucket="photos")
    yield service
    objects.close()
    await database.close()
