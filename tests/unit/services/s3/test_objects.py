"""Objects in and out through the handlers: bytes, headers, conditions, ranges, checksums, faults."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alight.calls import pieces
from alight.errors import Fault
from alight.errors.common import AccessDenied, NotImplemented_
from alight.errors.s3 import (
    AccessControlListNotSupported,
    BadDigest,
    EntityTooLarge,
    IncompleteBody,
    InvalidArgument,
    InvalidDigest,
    InvalidPartNumber,
    InvalidRange,
    InvalidRedirectLocation,
    InvalidRequest,
    KeyTooLongError,
    NoSuchBucket,
    NoSuchKey,
    NotModified,
    PreconditionFailed,
)
from alight.services.s3.checksums import SIZES
from alight.store.checksums import checksum
from alight.store.objects import ObjectStore
from alight.store.shapes import ObjectRow
from tests.unit.services.s3.conftest import FakeStream, Service

LARGE = b"0123456789abcdef" * 20_000


async def test_put_and_get(s3: Service) -> None:
    said = await s3.put("birds/card.jpg", b"picture", ContentType="image/jpeg", Metadata={"Species": "cardinal"})
    assert said["ETag"] == f'"{hashlib.md5(b"picture").hexdigest()}"'
    assert said["ChecksumCRC64NVME"] == checksum("crc64nvme", b"picture")
    reply = await s3("GetObject", Bucket="photos", Key="birds/card.jpg")
    assert b"".join([chunk async for chunk in pieces(reply["Body"])]) == b"picture"
    assert reply["ContentLength"] == 7
    assert reply["ContentType"] == "image/jpeg"
    assert reply["Metadata"] == {"species": "cardinal"}
    assert reply["LastModified"] == datetime.fromtimestamp(1_700_000_000, UTC)
    head = await s3("HeadObject", Bucket="photos", Key="birds/card.jpg")
    assert "Body" not in head
    assert head["ETag"] == said["ETag"]


async def test_what_is_not_there(s3: Service) -> None:
    with pytest.raises(NoSuchKey) as missing:
        await s3.get("nothing")
    assert missing.value.members == {"Key": "nothing"}
    with pytest.raises(NoSuchBucket) as gone:
        await s3("GetObject", Bucket="elsewhere", Key="k")
    assert gone.value.members == {"BucketName": "elsewhere"}


@pytest.mark.parametrize("body", [b"", b"x", LARGE])
async def test_sizes(s3: Service, body: bytes) -> None:
    await s3.put("k", body)
    assert await s3.get("k") == body
    assert len(s3.files()) == (1 if body == LARGE else 0)


async def test_overwriting_and_deleting_leave_no_bytes(s3: Service) -> None:
    for _ in range(3):
        await s3.put("k", LARGE)
    await s3("DeleteObject", Bucket="photos", Key="k")
    await s3.until_no_files()
    assert await s3.keys() == []


KEYS = [
    "..", "../../etc/passwd", "a/../b", "/abs", "a//b", "//", "a/", "a", "a/b", ".", "s" * 300, "/".join("d" * 400),
    "a b+c%20d%2Fe&f?g#h", "🐦/ü", "e\u0301", "\u00e9", "\u202eabc", "k" * 1024, "new\nline", "~*'()!", "tab\t",
]  # fmt: skip


async def test_keys_are_never_paths(s3: Service) -> None:
    outside = set(s3.folder.parent.iterdir())
    for number, key in enumerate(KEYS):
        await s3.put(key, b"%d" % number + LARGE)
    for number, key in enumerate(KEYS):
        assert await s3.get(key) == b"%d" % number + LARGE
    assert await s3.keys() == sorted(KEYS, key=str.encode)
    assert set(s3.folder.parent.iterdir()) == outside
    assert {len(path.name) for path in s3.files()} == {32}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=256))
async def test_any_legal_text_is_a_key(s3: Service, key: str) -> None:
    await s3.put(key, key.encode())
    assert await s3.get(key) == key.encode()
    assert key in await s3.keys()
    await s3("DeleteObject", Bucket="photos", Key=key)


@pytest.mark.parametrize(
    ("key", "fault"), [("k" * 1025, KeyTooLongError), ("a\x00", InvalidArgument), ("\udc80", InvalidArgument)]
)
async def test_illegal_keys(s3: Service, key: str, fault: type[Fault]) -> None:
    with pytest.raises(fault):
        await s3.put(key)
    with pytest.raises(fault):
        await s3.get(key)
    with pytest.raises(fault):
        await s3("DeleteObject", Bucket="photos", Key=key)


async def test_ranges(s3: Service) -> None:
    await s3.put("k", b"0123456789")
    reply = await s3("GetObject", Bucket="photos", Key="k", Range="bytes=2-4", ChecksumMode="ENABLED")
    assert reply["ContentRange"] == "bytes 2-4/10"
    assert reply["ContentLength"] == 3
    assert reply["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert "ChecksumCRC64NVME" not in reply  # it is not that of these bytes
    assert await s3.get("k", Range="bytes=-2") == b"89"
    assert await s3.get("k", Range="bytes=5-2") == b"0123456789"
    with pytest.raises(InvalidRange):
        await s3.get("k", Range="bytes=10-")


async def test_a_range_of_what_was_replaced_is_the_whole(s3: Service) -> None:
    await s3.put("k", b"0123456789")
    asked = {"Bucket": "photos", "Key": "k", "Range": "bytes=2-4"}
    reply = await s3("GetObject", {"if-range": '"an older tag"'}, **asked)
    assert reply["ContentLength"] == 10
    assert "ContentRange" not in reply


async def test_ranges_of_a_large_object(s3: Service) -> None:
    await s3.put("k", LARGE)
    assert await s3.get("k", Range="bytes=70000-70099") == LARGE[70_000:70_100]


async def test_part_numbers_of_a_simple_object(s3: Service) -> None:
    await s3.put("k", b"0123456789")
    assert await s3.get("k", PartNumber=1) == b"0123456789"
    with pytest.raises(InvalidPartNumber):
        await s3.get("k", PartNumber=2)
    with pytest.raises(InvalidRequest):
        await s3.get("k", PartNumber=1, Range="bytes=0-1")


async def test_conditional_reads(s3: Service) -> None:
    tag = (await s3.put("k"))["ETag"]
    assert await s3.get("k", IfMatch=tag) == b"body"
    with pytest.raises(NotModified):
        await s3.get("k", IfNoneMatch=tag)
    with pytest.raises(PreconditionFailed):
        await s3("HeadObject", Bucket="photos", Key="k", IfMatch="other")


async def test_overrides_and_headers(s3: Service) -> None:
    await s3.put(
        "k", CacheControl="no-store", ContentEncoding="aws-chunked", ContentLanguage="de", ServerSideEncryption="AES256"
    )
    reply = await s3("GetObject", Bucket="photos", Key="k", ResponseContentType="text/plain")
    assert reply["ContentType"] == "text/plain"
    assert reply["CacheControl"] == "no-store"
    assert reply["ContentLanguage"] == "de"
    assert reply["ServerSideEncryption"] == "AES256"
    assert "ContentEncoding" not in reply


@pytest.mark.parametrize(
    ("kind", "sandboxed"), [("text/html; charset=utf-8", True), ("image/svg+xml", True), ("image/jpeg", False)]
)
async def test_what_browsers_would_run_is_kept_in_a_sandbox(s3: Service, kind: str, sandboxed: bool) -> None:
    await s3.put("k", ContentType=kind)
    sent = (await s3("GetObject", Bucket="photos", Key="k"))["ResponseMetadata"]["HTTPHeaders"]
    assert sent["x-content-type-options"] == "nosniff"
    assert ("content-security-policy" in sent) is sandboxed


@pytest.mark.parametrize("name", SIZES)
async def test_checksums_in_headers(s3: Service, name: str) -> None:
    right = checksum(name.lower(), b"body")
    said = await s3.put("k", b"body", **{f"Checksum{name}": right, "ChecksumAlgorithm": name})
    assert said[f"Checksum{name}"] == right
    head = await s3("HeadObject", Bucket="photos", Key="k", ChecksumMode="ENABLED")
    assert (head[f"Checksum{name}"], head["ChecksumType"]) == (right, "FULL_OBJECT")
    assert f"Checksum{name}" not in await s3("HeadObject", Bucket="photos", Key="k")
    with pytest.raises(BadDigest):
        await s3.put("other", b"changed", **{f"Checksum{name}": right})
    with pytest.raises(InvalidRequest):
        await s3.put("other", b"body", **{f"Checksum{name}": "bm90IGl0IQ=="[:-2]})
    assert await s3.keys() == ["k"]


@pytest.mark.parametrize("name", SIZES)
async def test_checksums_in_trailers(s3: Service, name: str) -> None:
    header = f"x-amz-checksum-{name.lower()}"
    right = checksum(name.lower(), LARGE)
    for said, fault in ((right, None), (checksum(name.lower(), b"x"), BadDigest), ("!", InvalidRequest)):
        stream = FakeStream(LARGE, trailers={header.title(): said})
        put = s3("PutObject", {"x-amz-trailer": header}, Bucket="photos", Key="k", Body=stream)
        if fault is None:
            assert (await put)[f"Checksum{name}"] == right
        else:
            with pytest.raises(fault):
                await put
    with pytest.raises(InvalidRequest):
        await s3("PutObject", {"x-amz-trailer": header}, Bucket="photos", Key="k", Body=FakeStream(LARGE))
    assert len(s3.files()) == 1


@pytest.mark.parametrize(
    ("members", "fault"),
    [
        ({"ContentMD5": base64.b64encode(hashlib.md5(b"other").digest()).decode()}, BadDigest),
        ({"ContentMD5": "nonsense"}, InvalidDigest),
        ({"ChecksumCRC32": "AAAAAA==", "ChecksumSHA1": "A" * 27 + "="}, InvalidRequest),
        ({"ChecksumAlgorithm": "CRC32"}, InvalidRequest),
        ({"ChecksumAlgorithm": "SHA1", "ChecksumCRC32": "AAAAAA=="}, InvalidRequest),
        ({"ChecksumAlgorithm": "ROT13", "ChecksumCRC32": "AAAAAA=="}, InvalidRequest),
        ({"SSECustomerKey": "k"}, NotImplemented_),
        ({"StorageClass": "GLACIER"}, NotImplemented_),
        ({"ACL": "public-read"}, AccessControlListNotSupported),
        ({"WebsiteRedirectLocation": "ftp://elsewhere"}, InvalidRedirectLocation),
        ({"ExpectedBucketOwner": "111111111111"}, AccessDenied),
    ],
)
async def test_refused_puts_leave_nothing(s3: Service, members: dict[str, Any], fault: type[Fault]) -> None:
    await s3.watch("s3:ObjectCreated:*")
    with pytest.raises(fault):
        await s3.put("k", LARGE, **members)
    assert await s3.keys() == []
    assert s3.records() == []
    assert s3.files() == []


async def test_content_md5(s3: Service) -> None:
    await s3.put("k", ContentMD5=base64.b64encode(hashlib.md5(b"body").digest()).decode())
    assert await s3.get("k") == b"body"


async def test_a_body_that_breaks_off_leaves_nothing(s3: Service) -> None:
    await s3.watch("s3:ObjectCreated:*")
    stream = FakeStream(*([LARGE] * 8), fault=IncompleteBody())
    with pytest.raises(IncompleteBody):
        await s3("PutObject", Bucket="photos", Key="k", Body=stream)
    assert await s3.keys() == []
    assert s3.records() == []
    await s3.until_no_files()


async def test_too_large_is_said_before_the_body(s3: Service) -> None:
    stream = FakeStream(fault=AssertionError("the body was read"))
    stream.length = 5 * 1024**3 + 1
    with pytest.raises(EntityTooLarge):
        await s3("PutObject", Bucket="photos", Key="k", Body=stream)


async def test_one_of_a_hundred_writers_wins(s3: Service) -> None:
    await s3.watch("s3:ObjectCreated:*")
    puts = [s3.put("k", b"writer %d" % number, IfNoneMatch="*") for number in range(100)]
    outcomes = await asyncio.gather(*puts, return_exceptions=True)
    won = [number for number, each in enumerate(outcomes) if isinstance(each, dict)]
    assert len(won) == 1
    assert all(isinstance(each, PreconditionFailed) for each in outcomes if not isinstance(each, dict))
    assert await s3.get("k") == b"writer %d" % won[0]
    assert len(s3.records()) == 1


async def test_compare_and_swap(s3: Service) -> None:
    first = (await s3.put("k", b"1"))["ETag"]
    puts = [s3.put("k", b"next %d" % number, IfMatch=first) for number in range(50)]
    outcomes = await asyncio.gather(*puts, return_exceptions=True)
    assert sum(isinstance(each, dict) for each in outcomes) == 1
    with pytest.raises(NoSuchKey):
        await s3.put("other", IfMatch=first)


async def test_attributes(s3: Service) -> None:
    await s3.put("k")
    reply = await s3(
        "GetObjectAttributes", Bucket="photos", Key="k", ObjectAttributes=["ETag", "ObjectSize", "Checksum"]
    )
    assert reply["ETag"] == hashlib.md5(b"body").hexdigest()
    assert reply["ObjectSize"] == 4
    assert reply["Checksum"]["ChecksumType"] == "FULL_OBJECT"
    with pytest.raises(InvalidArgument):
        await s3("GetObjectAttributes", Bucket="photos", Key="k", ObjectAttributes=["Colour"])


async def test_versions(s3: Service) -> None:
    await s3.put("k")
    assert await s3.get("k", VersionId="null") == b"body"
    with pytest.raises(InvalidArgument):
        await s3.get("k", VersionId="3/L4kqtJ")


@pytest.mark.parametrize("after", [b"after", None])
async def test_an_object_that_is_replaced_between_two_looks_is_read_as_it_is_then(
    s3: Service, monkeypatch: pytest.MonkeyPatch, after: bytes | None
) -> None:
    look, late, seen = ObjectStore.get, list[ObjectRow | None](), list[ObjectRow | None]()

    def get(*asked: Any, **more: Any) -> ObjectRow | None:
        seen.append(late.pop() if late else look(*asked, **more))
        return seen[-1]

    monkeypatch.setattr(ObjectStore, "get", get)
    await s3.put("key", b"before")
    assert await s3.get("key") == b"before"
    before = seen[-1]
    if after is None:
        await s3("DeleteObject", Bucket="photos", Key="key")
        late.append(before)
        with pytest.raises(NoSuchKey):
            await s3.get("key")
    else:
        await s3.put("key", after)
        late.append(before)
        assert await s3.get("key") == after
    assert late == []
