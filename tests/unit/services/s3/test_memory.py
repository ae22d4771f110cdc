"""Bodies are streamed: what a large object needs in memory does not grow with it."""

from __future__ import annotations

import hashlib
import tracemalloc
from collections.abc import Callable, Coroutine
from typing import Any

from alight.calls import pieces
from tests.unit.services.s3.conftest import FakeStream, Service

MIB = 1024**2
CHUNK = bytes(range(256)) * 4096
CHUNKS = 64


async def peak(work: Callable[[], Coroutine[Any, Any, None]]) -> int:
    """The most bytes that were held at once beyond what was held before."""
    tracemalloc.start()
    try:
        await work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


async def test_sixty_four_mebibytes_in_and_out(s3: Service) -> None:
    right = hashlib.md5()
    for _ in range(CHUNKS):
        right.update(CHUNK)

    async def put() -> None:
        await s3("PutObject", Bucket="photos", Key="k", Body=FakeStream(*[CHUNK] * CHUNKS))

    async def get() -> None:
        found = hashlib.md5()
        async for chunk in pieces((await s3("GetObject", Bucket="photos", Key="k"))["Body"]):
            found.update(chunk)
        assert found.digest() == right.digest()

    async def copy() -> None:
        await s3("CopyObject", Bucket="photos", Key="to", CopySource="photos/k", ChecksumAlgorithm="SHA256")

    async def copy_a_part() -> None:
        upload = (await s3("CreateMultipartUpload", Bucket="photos", Key="part"))["UploadId"]
        at = {"Bucket": "photos", "Key": "part", "UploadId": upload, "PartNumber": 1}
        await s3("UploadPartCopy", **at, CopySource="photos/k")

    assert await peak(put) < 8 * MIB
    assert await peak(copy) < 8 * MIB
    assert await peak(copy_a_part) < 8 * MIB
    assert await peak(get) < 8 * MIB
