"""S3 for clients that are not boto3: bodies in aws-chunked frames with trailers, conditions and ranges as raw HTTP."""

from __future__ import annotations

import http.client
from collections.abc import Iterator, Mapping

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from alight.services.s3.checksums import SIZES
from alight.store.checksums import checksum
from tests.wire.running_s3 import Running, running_s3
from tests.wire.served import ACCESS_KEY, SECRET_KEY

BODY = b"0123456789abcdef" * 10_000


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running_s3(tmp_path_factory.mktemp("data")) as here:
        here.client().create_bucket(Bucket="photos")
        yield here


def send(
    running: Running, method: str, path: str, headers: Mapping[str, str], body: bytes = b"", *, trailer: bool = False
) -> tuple[int, Mapping[str, str], bytes]:
    """Sign and send; status, headers (lower-case names) and body of the answer."""
    request = AWSRequest(method, f"{running.url}{path}", dict(headers), body)
    if trailer:
        request.context["checksum"] = {"request_algorithm": {"in": "trailer"}}
    S3SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY), "s3", "us-east-1").add_auth(request)
    signed = {name: value.encode().decode("latin-1") for name, value in request.headers.items()}
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=20)
    try:
        connection.request(method, path, body, signed)
        reply = connection.getresponse()
        return reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read()
    finally:
        connection.close()


def framed(body: bytes, trailers: Mapping[str, str], size: int = 65_536) -> bytes:
    chunks = [body[start : start + size] for start in range(0, len(body), size)]
    frames = [b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks]
    last = "".join(f"{name}:{value}\r\n" for name, value in trailers.items())
    return b"".join(frames) + b"0\r\n" + last.encode() + b"\r\n"


def put_with_trailer(running: Running, key: str, algorithm: str, value: str) -> tuple[int, Mapping[str, str], bytes]:
    name = f"x-amz-checksum-{algorithm.lower()}"
    headers = {
        "content-encoding": "aws-chunked,gzip",
        "x-amz-decoded-content-length": str(len(BODY)),
        "x-amz-trailer": name,
        "x-amz-sdk-checksum-algorithm": algorithm,
    }
    return send(running, "PUT", f"/photos/{key}", headers, framed(BODY, {name: value}), trailer=True)


@pytest.mark.parametrize("algorithm", SIZES)
def test_checksums_in_trailers(running: Running, algorithm: str) -> None:
    name = f"x-amz-checksum-{algorithm.lower()}"
    right = checksum(algorithm.lower(), BODY)
    status, headers, _ = put_with_trailer(running, algorithm, algorithm, right)
    assert (status, headers[name]) == (200, right)
    status, headers, body = send(running, "GET", f"/photos/{algorithm}", {"x-amz-checksum-mode": "ENABLED"})
    assert (status, headers[name], headers["content-encoding"]) == (200, right, "gzip")
    assert body == BODY
    status, _, body = put_with_trailer(running, f"wrong-{algorithm}", algorithm, checksum(algorithm.lower(), b"x"))
    assert (status, b"<Code>BadDigest</Code>" in body) == (400, True)
    assert send(running, "HEAD", f"/photos/wrong-{algorithm}", {})[0] == 404


def test_what_is_not_modified_says_which_it_is(running: Running) -> None:
    status, said, _ = send(running, "PUT", "/photos/k", {"x-amz-meta-who": "ü"}, b"0123456789")
    assert status == 200
    status, headers, body = send(running, "GET", "/photos/k", {"if-none-match": said["etag"]})
    assert (status, body) == (304, b"")
    assert headers["etag"] == said["etag"]
    assert headers["last-modified"].endswith("GMT")
    # UTF-8 in a header, which boto3 refuses to send, comes back as an encoded word.
    assert send(running, "HEAD", "/photos/k", {})[1]["x-amz-meta-who"] == "=?UTF-8?B?w7w=?="


@pytest.mark.parametrize(
    ("headers", "status", "body"),
    [
        ({"range": "bytes=2-4"}, 206, b"234"),
        ({"range": "bytes=-1"}, 206, b"9"),
        ({"range": "bytes=2-4", "if-range": '"something else"'}, 200, b"0123456789"),
        ({"range": "bytes=" + ",".join(["0-1"] * 1000)}, 200, b"0123456789"),
        ({"range": "bytes=4-2"}, 200, b"0123456789"),
    ],
)
def test_ranges(running: Running, headers: dict[str, str], status: int, body: bytes) -> None:
    send(running, "PUT", "/photos/ranges", {}, b"0123456789")
    answer = send(running, "GET", "/photos/ranges", headers)
    assert (answer[0], answer[2]) == (status, body)
    assert answer[1]["content-length"] == str(len(body))


def test_headers_cannot_be_broken_out_of(running: Running) -> None:
    send(running, "PUT", "/photos/unbroken", {}, b"0123456789")
    path = "/photos/unbroken?response-content-disposition=a%0d%0aset-cookie%3A%20b%3Dc"
    status, headers, body = send(running, "GET", path, {})
    assert (status, b"<Code>InvalidArgument</Code>" in body) == (400, True)
    assert "set-cookie" not in headers


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/photos/" + "k" * 1025, b"KeyTooLongError"),
        ("/photos/a%00b", b""),
        ("/photos/%ff%fe", b""),
        ("/photos/%ed%a0%80", b""),
    ],
)
def test_illegal_keys(running: Running, path: str, code: bytes) -> None:
    status, _, body = send(running, "PUT", path, {}, b"x")
    assert status == 400
    assert code in body
