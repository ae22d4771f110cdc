"""Bodies that are read whole are held to their Content-MD5 and x-amz-checksum-*, whatever the operation."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from alight.services.s3.checksums import SIZES
from alight.store.checksums import checksum
from tests.wire.running_s3 import Running, running_s3
from tests.wire.test_s3_raw import framed, send

TAGS = b"<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"
#: Method, path, body, and how its effect would be seen.
OPERATIONS: dict[str, tuple[str, str, bytes]] = {
    "DeleteObjects": ("POST", "/photos?delete", b"<Delete><Object><Key>k</Key></Object></Delete>"),
    "PutObjectTagging": ("PUT", "/photos/k?tagging", TAGS),
    "PutBucketTagging": ("PUT", "/photos?tagging", TAGS),
    "PutBucketNotificationConfiguration": (
        "PUT",
        "/photos?notification",
        b"<NotificationConfiguration><QueueConfiguration><Queue>arn:aws:sqs:us-east-1:000000000000:q</Queue>"
        b"<Event>s3:ObjectCreated:*</Event></QueueConfiguration></NotificationConfiguration>",
    ),
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running_s3(tmp_path_factory.mktemp("data")) as here:
        here.client().create_bucket(Bucket="photos")
        yield here


@pytest.fixture(autouse=True)
def fresh(running: Running) -> None:
    client = running.clients[0]
    client.put_object(Bucket="photos", Key="k", Body=b"x")
    client.delete_bucket_tagging(Bucket="photos")
    client.put_bucket_notification_configuration(Bucket="photos", NotificationConfiguration={})


def state(running: Running) -> list[Any]:
    """What any of the operations would have changed."""
    client = running.clients[0]
    listed = client.list_objects_v2(Bucket="photos").get("Contents", [])
    notified = client.get_bucket_notification_configuration(Bucket="photos")
    tags = [client.get_object_tagging(Bucket="photos", Key=each["Key"])["TagSet"] for each in listed]
    return [tags, sorted(notified.keys() - {"ResponseMetadata"}), _bucket_tags(client)]


def _bucket_tags(client: Any) -> Any:
    try:
        return client.get_bucket_tagging(Bucket="photos")["TagSet"]
    except client.exceptions.ClientError:
        return None


def md5(body: bytes) -> str:
    return base64.b64encode(hashlib.md5(body).digest()).decode()


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"content-md5": md5(b"another")}, "BadDigest"),
        ({"content-md5": "AAAA"}, "InvalidDigest"),
        ({"content-md5": "no base64"}, "InvalidDigest"),
        *(({f"x-amz-checksum-{each.lower()}": checksum(each.lower(), b"another")}, "BadDigest") for each in SIZES),
        ({"x-amz-checksum-crc32": "AA=="}, "InvalidRequest"),
        ({"x-amz-checksum-crc32": "\u00fc"}, "InvalidRequest"),
        ({"x-amz-checksum-nonsense": "AAAA"}, "InvalidRequest"),
        ({"x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-sha1": "AAAA"}, "InvalidRequest"),
    ],
)
def test_another_body_than_was_said_changes_nothing(
    running: Running, name: str, headers: Mapping[str, str], code: str
) -> None:
    method, path, body = OPERATIONS[name]
    before = state(running)
    status, _, answer = send(running, method, path, headers, body)
    assert (status, f"<Code>{code}</Code>".encode() in answer) == (400, True), answer
    assert state(running) == before


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_was_said_and_is_right(running: Running, name: str) -> None:
    method, path, body = OPERATIONS[name]
    before = state(running)
    for each in SIZES:
        headers = {f"x-amz-checksum-{each.lower()}": checksum(each.lower(), body)}
        assert send(running, method, path, headers, body)[0] in (200, 204)
    assert send(running, method, path, {"content-md5": md5(body)}, body)[0] in (200, 204)
    assert state(running) != before


@pytest.mark.parametrize("said", [TAGS, b"another"])
def test_trailers(running: Running, said: bytes) -> None:
    trailer = "x-amz-checksum-crc64nvme"
    headers = {
        "content-encoding": "aws-chunked",
        "x-amz-decoded-content-length": str(len(TAGS)),
        "x-amz-trailer": trailer,
        "x-amz-sdk-checksum-algorithm": "CRC64NVME",
    }
    body = framed(TAGS, {trailer: checksum("crc64nvme", said)})
    status, _, answer = send(running, "PUT", "/photos/k?tagging", headers, body, trailer=True)
    assert (status, b"BadDigest" in answer) == ((200, False) if said == TAGS else (400, True))


def test_an_algorithm_without_a_checksum(running: Running) -> None:
    headers = {"x-amz-sdk-checksum-algorithm": "CRC32"}
    status, _, answer = send(running, "PUT", "/photos/k?tagging", headers, TAGS)
    assert (status, b"<Code>InvalidRequest</Code>" in answer) == (400, True)
    headers["x-amz-checksum-sha1"] = checksum("sha1", TAGS)
    assert send(running, "PUT", "/photos/k?tagging", headers, TAGS)[0] == 400


def test_the_checksum_of_an_object_is_not_that_of_the_list_of_its_parts(running: Running) -> None:
    """CompleteMultipartUpload's header speaks of the object."""
    client = running.clients[0]
    upload = client.create_multipart_upload(
        Bucket="photos", Key="k", ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT"
    )["UploadId"]  # fmt: skip
    part = client.upload_part(Bucket="photos", Key="k", UploadId=upload, PartNumber=1, Body=b"abc")
    client.complete_multipart_upload(
        Bucket="photos",
        Key="k",
        UploadId=upload,
        ChecksumCRC32=checksum("crc32", b"abc"),
        ChecksumType="FULL_OBJECT",
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"], "ChecksumCRC32": part["ChecksumCRC32"]}]},
    )
    assert client.get_object(Bucket="photos", Key="k")["Body"].read() == b"abc"


def test_a_small_object_that_is_damaged_is_an_error_and_no_bytes(running: Running) -> None:
    client = running.clients[0]
    client.put_object(Bucket="photos", Key="damaged", Body=bytes(100_000))
    for pack in (running.folder / "packs").iterdir():
        pack.write_bytes(pack.read_bytes().replace(bytes(100_000), b"x" * 100_000))
    with pytest.raises(ClientError, match="InternalError"):
        client.get_object(Bucket="photos", Key="damaged")
    client.delete_object(Bucket="photos", Key="damaged")
