"""Multipart uploads: parts in, one object and one event out, and every way in which that can be wrong."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from typing import Any

import pytest

from alight.calls import Members, pieces
from alight.errors import Fault
from alight.errors.common import NotImplemented_
from alight.errors.s3 import (
    BadDigest,
    EntityTooSmall,
    InvalidArgument,
    InvalidPart,
    InvalidPartNumber,
    InvalidPartOrder,
    InvalidRequest,
    MalformedXML,
    NoSuchBucket,
    NoSuchUpload,
    PreconditionFailed,
)
from alight.services.s3 import assembly
from alight.store.checksums import checksum
from tests.unit.services.s3.conftest import FakeStream, Service

AT = {"Bucket": "photos", "Key": "big/file"}
MIB = 1024**2


async def begin(s3: Service, **given: Any) -> str:
    return str((await s3("CreateMultipartUpload", **AT, **given))["UploadId"])


async def part(s3: Service, upload: str, number: int, body: bytes, **given: Any) -> Members:
    reply = await s3("UploadPart", **AT, UploadId=upload, PartNumber=number, Body=FakeStream(body), **given)
    sums = {name: value for name, value in reply.items() if name.startswith("Checksum")}
    return {"PartNumber": number, "ETag": reply["ETag"], **sums}


async def complete(s3: Service, upload: str, *parts: Members, **given: Any) -> Members:
    return await s3("CompleteMultipartUpload", **AT, UploadId=upload, MultipartUpload={"Parts": list(parts)}, **given)


async def test_the_walk(s3: Service) -> None:
    await s3.watch("s3:ObjectCreated:*")
    bodies = [bytes([number]) * (5 * MIB + number) for number in range(2)] + [b"end"]
    upload = await begin(s3, ContentType="image/jpeg", Metadata={"a": "b"}, Tagging="x=1")
    parts = [await part(s3, upload, number, body) for number, body in enumerate(bodies, 1)]
    assert s3.records() == []
    assert await s3.keys() == []

    reply = await complete(s3, upload, *parts)

    whole = b"".join(bodies)
    md5s = b"".join(hashlib.md5(body).digest() for body in bodies)
    assert reply["ETag"] == f'"{hashlib.md5(md5s).hexdigest()}-3"'
    assert reply["Location"] == "http://127.0.0.1:4566/photos/big/file"
    assert reply["ChecksumCRC64NVME"] == checksum("crc64nvme", whole)
    assert reply["ChecksumType"] == "FULL_OBJECT"
    assert await s3.get("big/file") == whole
    head = await s3("HeadObject", **AT)
    assert (head["ContentType"], head["Metadata"], head["TagCount"]) == ("image/jpeg", {"a": "b"}, 1)
    (record,) = s3.records()
    assert record["eventName"] == "ObjectCreated:CompleteMultipartUpload"
    assert record["s3"]["object"]["size"] == len(whole)
    assert record["s3"]["object"]["eTag"] == reply["ETag"].strip('"')

    # One part of it by its number.
    second = await s3("GetObject", **AT, PartNumber=2)
    assert (second["PartsCount"], second["ContentLength"]) == (3, len(bodies[1]))
    assert b"".join([chunk async for chunk in pieces(second["Body"])]) == bodies[1]
    assert await s3.get("big/file", Range=f"bytes={5 * MIB - 2}-{5 * MIB + 1}") == whole[5 * MIB - 2 : 5 * MIB + 2]
    with pytest.raises(InvalidPartNumber):
        await s3("HeadObject", **AT, PartNumber=4)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assembly, "SMALLEST", 1)


@pytest.mark.usefixtures("small_parts")
async def test_completing_twice_is_one_object_and_one_event(s3: Service) -> None:
    await s3.watch("s3:ObjectCreated:*")
    upload = await begin(s3)
    parts = [await part(s3, upload, 1, b"a"), await part(s3, upload, 2, b"b")]
    outcomes = await asyncio.gather(*[complete(s3, upload, *parts) for _ in range(20)])
    assert len({each["ETag"] for each in outcomes}) == 1
    assert len(s3.records()) == 1
    await s3.put("big/file", b"something else")
    with pytest.raises(NoSuchUpload):
        await complete(s3, upload, *parts)


@pytest.mark.usefixtures("small_parts")
async def test_parts_may_be_sent_again_and_left_out(s3: Service) -> None:
    upload = await begin(s3)
    await part(s3, upload, 1, b"first try")
    await part(s3, upload, 5, b"left out")
    parts = [await part(s3, upload, 1, b"one "), await part(s3, upload, 7, b"seven")]
    await complete(s3, upload, *parts)
    assert await s3.get("big/file") == b"one seven"


async def test_abort_leaves_nothing(s3: Service) -> None:
    await s3.watch("s3:ObjectCreated:*")
    upload = await begin(s3)
    await part(s3, upload, 1, b"x" * 300_000)
    assert len(s3.files()) == 1
    await s3("AbortMultipartUpload", **AT, UploadId=upload)
    await s3.until_no_files()
    for again in (
        s3("AbortMultipartUpload", **AT, UploadId=upload),
        part(s3, upload, 1, b"x"),
        complete(s3, upload, {"PartNumber": 1, "ETag": "x"}),
    ):
        with pytest.raises(NoSuchUpload):
            await again
    assert s3.records() == []


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize(
    ("order", "fault"),
    [
        ([], MalformedXML),
        ([{"PartNumber": 1}], MalformedXML),
        ([{"PartNumber": 2, "ETag": "b"}, {"PartNumber": 1, "ETag": "a"}], InvalidPartOrder),
        ([{"PartNumber": 1, "ETag": "a"}, {"PartNumber": 1, "ETag": "a"}], InvalidPartOrder),
        ([{"PartNumber": 1, "ETag": "wrong"}], InvalidPart),
        ([{"PartNumber": 3, "ETag": "a"}], InvalidPart),
        ([{"PartNumber": number, "ETag": "a"} for number in range(1, 10_002)], MalformedXML),
    ],
)
async def test_lists_that_make_no_object(s3: Service, order: list[Members], fault: type[Fault]) -> None:
    upload = await begin(s3)
    await part(s3, upload, 1, b"a")
    await part(s3, upload, 2, b"b")
    with pytest.raises(fault):
        await complete(s3, upload, *order)
    assert await s3.keys() == []
    assert len((await s3("ListParts", **AT, UploadId=upload))["Parts"]) == 2


async def test_all_but_the_last_part_have_five_mebibytes(s3: Service) -> None:
    upload = await begin(s3)
    parts = [await part(s3, upload, 1, b"small"), await part(s3, upload, 2, b"last")]
    with pytest.raises(EntityTooSmall) as refused:
        await complete(s3, upload, *parts)
    assert refused.value.members["PartNumber"] == 1
    await complete(s3, upload, parts[0])
    assert await s3.get("big/file") == b"small"


@pytest.mark.parametrize("number", [0, 10_001, -1])
async def test_part_numbers(s3: Service, number: int) -> None:
    upload = await begin(s3)
    with pytest.raises(InvalidArgument):
        await part(s3, upload, number, b"x")


async def test_an_upload_belongs_to_its_key(s3: Service) -> None:
    upload = await begin(s3)
    with pytest.raises(NoSuchUpload):
        await s3("UploadPart", Bucket="photos", Key="other", UploadId=upload, PartNumber=1, Body=FakeStream(b"x"))
    with pytest.raises(NoSuchUpload):
        await s3("ListParts", Bucket="photos", Key="other", UploadId=upload)


@pytest.mark.usefixtures("small_parts")
async def test_conditions_of_completing(s3: Service) -> None:
    await s3.put("big/file", b"there already")
    upload = await begin(s3)
    only = await part(s3, upload, 1, b"new")
    with pytest.raises(PreconditionFailed):
        await complete(s3, upload, only, IfNoneMatch="*")
    with pytest.raises(PreconditionFailed):
        await complete(s3, upload, only, IfMatch="other")
    assert await s3.get("big/file") == b"there already"
    await complete(s3, upload, only, IfMatch=hashlib.md5(b"there already").hexdigest())
    assert await s3.get("big/file") == b"new"


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("name", ["CRC32", "CRC32C", "CRC64NVME"])
async def test_full_object_checksums(s3: Service, name: str) -> None:
    upload = await begin(s3, ChecksumAlgorithm=name, ChecksumType="FULL_OBJECT")
    parts = [
        await part(s3, upload, number, body, **{f"Checksum{name}": checksum(name.lower(), body)})
        for number, body in enumerate([b"one ", b"two ", b"three"], 1)
    ]
    right = checksum(name.lower(), b"one two three")
    with pytest.raises(BadDigest):
        await complete(s3, upload, *parts, **{f"Checksum{name}": checksum(name.lower(), b"x")})
    reply = await complete(s3, upload, *parts, **{f"Checksum{name}": right}, MpuObjectSize=13)
    assert (reply[f"Checksum{name}"], reply["ChecksumType"]) == (right, "FULL_OBJECT")


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize(
    "name", ["CRC32", "CRC32C", "SHA1", "SHA256", "SHA512", "MD5", "XXHASH64", "XXHASH3", "XXHASH128"]
)
async def test_composite_checksums(s3: Service, name: str) -> None:
    upload = await begin(s3, ChecksumAlgorithm=name)
    bodies = [b"one ", b"two"]
    digests = [checksum(name.lower(), body) for body in bodies]
    parts = [
        await part(s3, upload, number, body, **{f"Checksum{name}": digest})
        for number, (body, digest) in enumerate(zip(bodies, digests, strict=True), 1)
    ]
    bare = [{"PartNumber": each["PartNumber"], "ETag": each["ETag"]} for each in parts]
    with pytest.raises(InvalidRequest, match="missing for part 1"):
        await complete(s3, upload, *bare)
    with pytest.raises(InvalidPart):
        await complete(s3, upload, {**parts[0], f"Checksum{name}": digests[1]}, parts[1])
    reply = await complete(s3, upload, *parts)
    joined = b"".join(base64.b64decode(digest) for digest in digests)
    assert reply[f"Checksum{name}"] == checksum(name.lower(), joined) + "-2"
    assert reply["ChecksumType"] == "COMPOSITE"
    shown = await s3("GetObjectAttributes", **AT, ObjectAttributes=["ObjectParts"], MaxParts=1)
    assert shown["ObjectParts"]["TotalPartsCount"] == 2
    assert shown["ObjectParts"]["IsTruncated"] is True
    assert shown["ObjectParts"]["Parts"] == [{"PartNumber": 1, "Size": 4, f"Checksum{name}": digests[0]}]


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"ChecksumAlgorithm": "SHA256", "ChecksumType": "FULL_OBJECT"}, InvalidRequest),
        ({"ChecksumAlgorithm": "CRC64NVME", "ChecksumType": "COMPOSITE"}, InvalidRequest),
        ({"ChecksumType": "COMPOSITE"}, InvalidRequest),
        ({"ChecksumAlgorithm": "ROT13"}, InvalidRequest),
        ({"StorageClass": "GLACIER"}, NotImplemented_),
    ],
)
async def test_refused_beginnings(s3: Service, given: dict[str, Any], fault: type[Fault]) -> None:
    with pytest.raises(fault):
        await begin(s3, **given)
    assert (await s3("ListMultipartUploads", Bucket="photos"))["Uploads"] == []


async def test_parts_bring_the_checksum_that_was_announced(s3: Service) -> None:
    upload = await begin(s3, ChecksumAlgorithm="SHA256")
    with pytest.raises(InvalidRequest, match="expected checksum Type: sha256, actual checksum Type: null"):
        await part(s3, upload, 1, b"x")
    with pytest.raises(InvalidRequest, match="actual checksum Type: crc32"):
        await part(s3, upload, 1, b"x", ChecksumCRC32=checksum("crc32", b"x"))
    with pytest.raises(BadDigest):
        await part(s3, upload, 1, b"x", ChecksumSHA256=checksum("sha256", b"y"))
    assert (await s3("ListParts", **AT, UploadId=upload))["Parts"] == []


@pytest.mark.usefixtures("small_parts")
async def test_wrong_words_at_the_end(s3: Service) -> None:
    upload = await begin(s3)
    only = await part(s3, upload, 1, b"12", ChecksumCRC32=checksum("crc32", b"12"))
    for given in ({"MpuObjectSize": 3}, {"ChecksumType": "COMPOSITE"}, {"ChecksumSHA1": checksum("sha1", b"12")}):
        with pytest.raises(InvalidRequest):
            await complete(s3, upload, only, **given)
    reply = await complete(s3, upload, only, ChecksumCRC32=checksum("crc32", b"12"))
    assert reply["ChecksumCRC64NVME"] == checksum("crc64nvme", b"12")


async def test_part_copies(s3: Service) -> None:
    await s3.put("source", bytes(range(256)) * 400)
    upload = await begin(s3)
    source = {"CopySource": "photos/source"}
    reply = await s3("UploadPartCopy", **AT, UploadId=upload, PartNumber=1, **source, CopySourceRange="bytes=10-19")
    copied = reply["CopyPartResult"]
    assert copied["ETag"] == f'"{hashlib.md5(bytes(range(10, 20))).hexdigest()}"'
    await complete(s3, upload, {"PartNumber": 1, "ETag": copied["ETag"]})
    assert await s3.get("big/file") == bytes(range(10, 20))
    upload = await begin(s3)
    with pytest.raises(InvalidArgument):
        await s3("UploadPartCopy", **AT, UploadId=upload, PartNumber=1, **source, CopySourceRange="bytes=0-102400")
    with pytest.raises(PreconditionFailed):
        await s3("UploadPartCopy", **AT, UploadId=upload, PartNumber=1, **source, CopySourceIfMatch="x")
    with pytest.raises(NoSuchBucket):
        await s3("UploadPartCopy", **AT, UploadId=upload, PartNumber=1, CopySource="elsewhere/source")


async def test_list_parts_in_pages(s3: Service) -> None:
    upload = await begin(s3)
    for number in (1, 2, 4):
        await part(s3, upload, number, b"x" * number)
    first = await s3("ListParts", **AT, UploadId=upload, MaxParts=2)
    assert [each["PartNumber"] for each in first["Parts"]] == [1, 2]
    assert (first["IsTruncated"], first["NextPartNumberMarker"]) == (True, 2)
    rest = await s3("ListParts", **AT, UploadId=upload, PartNumberMarker=2)
    assert [(each["PartNumber"], each["Size"]) for each in rest["Parts"]] == [(4, 4)]
    assert rest["IsTruncated"] is False


async def test_list_uploads(s3: Service) -> None:
    keys = ["a/1", "a/2", "b", "c/1", "d"]
    for key in [*keys, "b"]:
        await s3("CreateMultipartUpload", Bucket="photos", Key=key)
    everything = await s3("ListMultipartUploads", Bucket="photos")
    assert [each["Key"] for each in everything["Uploads"]] == ["a/1", "a/2", "b", "b", "c/1", "d"]
    found: list[str] = []
    more: dict[str, Any] = {}
    for _ in range(10):
        page = await s3("ListMultipartUploads", Bucket="photos", Delimiter="/", MaxUploads=1, **more)
        found += [each["Key"] for each in page["Uploads"]] + [each["Prefix"] for each in page["CommonPrefixes"]]
        if not page["IsTruncated"]:
            break
        more = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}
    assert found == ["a/", "b", "b", "c/", "d"]
    inside = await s3("ListMultipartUploads", Bucket="photos", Prefix="a/", EncodingType="url")
    assert [each["Key"] for each in inside["Uploads"]] == ["a/1", "a/2"]


async def test_a_bucket_goes_with_its_unfinished_uploads(s3: Service) -> None:
    upload = await begin(s3)
    await part(s3, upload, 1, b"x" * 300_000)
    await s3("DeleteBucket", Bucket="photos")
    await s3.until_no_files()
