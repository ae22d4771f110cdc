"""Malformed bytes against the whole of it (server, gateway, S3, store): told, never a bare 500, never a hang, and
nothing is stored that was not signed.

Each seed is a run of its own; what fails is named by seed and number, so that it can be done again.
"""

from __future__ import annotations

import base64
import random
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.fuzz.mangling import mangled
from tests.wire.running_s3 import Running, running_s3
from tests.wire.served import ACCESS_KEY, SECRET_KEY
from tests.wire.test_s3_raw import send

BODY = b"0123456789"
DEADLINE = 60.0


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running_s3(tmp_path_factory.mktemp("data")) as here:
        here.client(signature_version="s3v4").create_bucket(Bucket="photos")
        yield here


def exchange(running: Running, data: bytes, *, is_whole: bool = True) -> list[int]:
    """Send it and read until the server closes: the statuses that it answered. Raises TimeoutError for a hang.

    Where it is not a whole request (`is_whole`), the server may wait for the rest: it is told that none will come.
    """
    with socket.create_connection(("127.0.0.1", running.port), timeout=DEADLINE) as connection:
        with suppress(ConnectionError):
            connection.sendall(data)
        if not is_whole:
            connection.settimeout(0.1)
        answer = b""
        with suppress(ConnectionError):
            while piece := _receive(connection):
                answer += piece
    return [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:] if part[:3].isdigit()]


def _receive(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65_536)
    except TimeoutError:
        if connection.gettimeout() == DEADLINE:
            raise
        connection.settimeout(DEADLINE)
        connection.shutdown(socket.SHUT_WR)
        return connection.recv(65_536)


def acceptable(statuses: Sequence[int]) -> bool:
    return all(status < 500 or status in (501, 503) for status in statuses)


def objects(running: Running) -> dict[str, bytes]:
    client = running.clients[0]
    listed = client.list_objects_v2(Bucket="photos").get("Contents", [])
    return {one["Key"]: client.get_object(Bucket="photos", Key=one["Key"])["Body"].read() for one in listed}


def clear(running: Running) -> None:
    for key in objects(running):
        running.clients[0].delete_object(Bucket="photos", Key=key)


def signed(running: Running, method: str, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
    """A whole request as it would go over the wire."""
    request = AWSRequest(method, f"{running.url}{path}", dict(headers or {}), body)
    S3SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY), "s3", "us-east-1").add_auth(request)
    lines = [f"{method} {path} HTTP/1.1", f"host: 127.0.0.1:{running.port}", f"content-length: {len(body)}"]
    lines.append("connection: close")
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


PIECES = (
    b"\r\n", b"\n", b"\r", b" ", b"\t", b"\x00", b"\xff", b":", b"\r\n\r\n", b"content-length: 3\r\n", b"%00", b"/../",
    b"transfer-encoding: chunked\r\n", b"x-amz-content-sha256: UNSIGNED-PAYLOAD\r\n", b"?", b"#", b"%", b"-1",
    b"expect: 100-continue\r\n", b"HTTP/1.0", b"connection: upgrade\r\nupgrade: h2c\r\n", b"9" * 40, b"<!DOCTYPE a>",
    b"&a;", b"]]>", b"\xed\xa0\x80", b"[" * 100, b'"', b"--", b"NaN", b"1e999",
)  # fmt: skip


# HTTP ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_mutations_of_a_put(running: Running, seed: int) -> None:
    """Only what was signed may be stored, whole and under its key."""
    chance = random.Random(f"put {seed}")
    clear(running)
    original = signed(running, "PUT", "/photos/k", BODY, {"content-type": "image/jpeg"})
    assert exchange(running, original) == [200]
    for number in range(40):
        statuses = exchange(running, mangled(chance, original, PIECES, 3), is_whole=False)
        assert acceptable(statuses), (seed, number, statuses)
    assert objects(running) == {"k": BODY}


def head(running: Running, *lines: str, start: str = "PUT /photos/k HTTP/1.1") -> bytes:
    """The head of an unsigned PUT with further lines."""
    return (
        "\r\n".join([start, f"host: 127.0.0.1:{running.port}", "connection: close", *lines]).encode("latin-1")
        + b"\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("lines", "body"),
    [
        (("content-length: 3", "content-length: 3"), b"abc"),
        (("content-length: 3", "content-length: 4"), b"abcd"),
        (("content-length: 3, 3",), b"abc"),
        (("content-length: -1",), b"abc"),
        (("content-length: +3",), b"abc"),
        (("content-length: 0x3",), b"abc"),
        (("content-length: 3 3",), b"abc"),
        (("content-length: " + "9" * 30,), b"abc"),
        (("content-length: 3", "transfer-encoding: chunked"), b"3\r\nabc\r\n0\r\n\r\n"),
        (("transfer-encoding: chunked", "transfer-encoding: chunked"), b"3\r\nabc\r\n0\r\n\r\n"),
        (("transfer-encoding: gzip, chunked",), b"3\r\nabc\r\n0\r\n\r\n"),
        (("transfer-encoding: identity",), b"abc"),
        (("transfer-encoding : chunked",), b"3\r\nabc\r\n0\r\n\r\n"),
        (("transfer-encoding: chunked",), b"-3\r\nabc\r\n0\r\n\r\n"),
        (("transfer-encoding: chunked",), b"0x3\r\nabc\r\n0\r\n\r\n"),
        (("transfer-encoding: chunked",), b"ffffffffffffffffff\r\nabc\r\n0\r\n\r\n"),
        (("transfer-encoding: chunked",), b"3\nabc\n0\n\n"),
        (("transfer-encoding: chunked",), b"3\r\nabcd\r\n0\r\n\r\n"),
        (("transfer-encoding: chunked",), b"3;" + b"a" * 100_000 + b"\r\nabc\r\n0\r\n\r\n"),
        (("transfer-encoding: chunked",), b"3\r\nab"),
        (("content-length: 3", "x-a: b\n c"), b"abc"),
        (("content-length: 3", " folded"), b"abc"),
        (("content-length: 3", "no colon"), b"abc"),
        (("content-length: 3", ": nameless"), b"abc"),
        (("content-length: 3", "x a: b"), b"abc"),
        (("content-length: 3", "x-a: \x00"), b"abc"),
        (("content-length: 3", *(f"x-{number}: a" for number in range(1000))), b"abc"),
        (("content-length: 3", "x-a: " + "b" * 100_000), b"abc"),
    ],
)
def test_messages_that_could_be_read_in_two_ways(running: Running, lines: tuple[str, ...], body: bytes) -> None:
    """Refused, or read as the one unsigned request that is refused too; a second request is never made of it."""
    clear(running)
    statuses = exchange(running, head(running, *lines) + body, is_whole=False)
    assert acceptable(statuses)
    assert all(status >= 400 for status in statuses)
    assert len(statuses) <= 1
    assert objects(running) == {}


@pytest.mark.parametrize("start", ["PUT /photos/k HTTP/0.9", "PUT  /photos/k HTTP/1.1", "PUT /photos/k", "\x00", "PUT"])
def test_request_lines(running: Running, start: str) -> None:
    assert all(400 <= status < 500 for status in exchange(running, head(running, start=start), is_whole=False))


# XML -----------------------------------------------------------------------------------------------------------------

NAMESPACE = b' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
DOCUMENTS: dict[str, tuple[str, bytes]] = {
    "/photos?tagging": ("PUT", b"<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"),
    "/photos/k?tagging": ("PUT", b"<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"),
    "/photos?delete": ("POST", b"<Delete><Object><Key>a</Key></Object><Quiet>true</Quiet></Delete>"),
    "/photos?versioning": (
        "PUT",
        b"<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>",
    ),
    "/photos?notification": (
        "PUT",
        b"<NotificationConfiguration><QueueConfiguration><Id>i</Id><Queue>arn:aws:sqs:us-east-1:000000000000:q</Queue>"
        b"<Event>s3:ObjectCreated:*</Event><Filter><S3Key><FilterRule><Name>prefix</Name><Value>x</Value></FilterRule>"
        b"</S3Key></Filter></QueueConfiguration></NotificationConfiguration>",
    ),
    "/photos/k?uploadId=u": (
        "POST",
        b'<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"a"</ETag></Part></CompleteMultipartUpload>',
    ),
    "/nowhere": (
        "PUT",
        b"<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>",
    ),
}  # fmt: skip

LAUGHS = b"".join(b'<!ENTITY a%d "%s">' % (number, b"&a%d;" % (number - 1) * 10) for number in range(1, 10))


def bad_documents(document: bytes) -> list[bytes]:
    root = document[1 : document.index(b">")]
    return [
        b'<!DOCTYPE x [<!ENTITY a0 "ha">' + LAUGHS + b"]>" + document.replace(b">", b">&a9;", 1),
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd">' + document,
        b"<?xml-stylesheet href='x'?>" + document,
        document.replace(b">", b' xmlns="http://example.com/">', 1),
        document[:-1],
        document + document,
        document.replace(b"<", b"<\x00", 1),
        b"<" + root + b">" * 1,
        b"<" + root + b">" + b"<a>" * 100_000,
        b"<" + root + b">" + b"<a/>" * 300_000 + b"</" + root + b">",
        b"<" + root + b">" + b"\xff\xfe" + b"</" + root + b">",
        b'<?xml version="1.0" encoding="utf-7"?>' + document,
        b'<?xml version="1.0" encoding="nonsense"?>' + document,
        b"<other>" + document + b"</other>",
        b"{}",
        b"x" * (10 * 1024 * 1024 + 1),
    ]


@pytest.mark.parametrize("path", DOCUMENTS)
def test_bad_documents(running: Running, path: str) -> None:
    clear(running)
    method, document = DOCUMENTS[path]
    before = configuration(running)
    for number, bad in enumerate(bad_documents(document)):
        statuses = exchange(running, signed(running, method, path, bad))
        assert statuses in ([400], [413]), (number, statuses)
    assert configuration(running) == before
    assert objects(running) == {}


@pytest.mark.parametrize("path", DOCUMENTS)
def test_mutations_of_documents(running: Running, path: str) -> None:
    chance = random.Random(path)
    method, document = DOCUMENTS[path]
    for number in range(60):
        bad = mangled(chance, document.replace(b">", NAMESPACE + b">", 1) if number % 2 else document, PIECES, 3)
        status, _, answer = send(running, method, path, {}, bad)
        assert acceptable([status]), (number, bad, answer[:500])
    clear(running)


def configuration(running: Running) -> list[Any]:
    client = running.clients[0]
    found = [client.get_bucket_notification_configuration(Bucket="photos"), client.list_buckets()]
    return [{name: value for name, value in each.items() if name != "ResponseMetadata"} for each in found]


# JSON ----------------------------------------------------------------------------------------------------------------

JSON = [
    b"NaN", b"Infinity", b"1e999", b'{"a": 1, "a": 2}', b"[" * 100_000, b"9" * 5_000, b'{"a": ' * 50_000, b"\xff", b"",
    b"\xef\xbb\xbf{}", b"{} {}", b"'", b'"\\ud800"', b"null", b"[]", b'{"expiration": 1e999}', b'{"conditions": NaN}',
]  # fmt: skip


@pytest.mark.parametrize("service", ["SageMaker", "AmazonSQS", "Logs_20140328", "GraniteServiceVersion20100801"])
def test_json_that_nobody_offers(running: Running, service: str) -> None:
    for body in JSON:
        lines = (
            f"x-amz-target: {service}.X",
            "content-type: application/x-amz-json-1.1",
            f"content-length: {len(body)}",
        )
        statuses = exchange(running, head(running, *lines, start="POST / HTTP/1.1") + body)
        assert statuses
        assert all(400 <= status < 500 for status in statuses), (body[:50], statuses)


# Forms ---------------------------------------------------------------------------------------------------------------


def form(running: Running, change: Mapping[str, str] | None = None) -> bytes:
    """A signed form for the key `k`, as it goes over the wire."""
    made = running.clients[0].generate_presigned_post("photos", "k")
    fields = {**made["fields"], **(change or {})}
    parts = [
        f'--b\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
    ]
    body = "".join(parts).encode() + b'--b\r\ncontent-disposition: form-data; name="file"; filename="f"\r\n\r\n'
    return body + BODY + b"\r\n--b--\r\n"


def sign_policy(policy: str) -> dict[str, str]:
    """The fields that make any policy a signed one."""
    now = datetime.now(UTC)
    credentials = Credentials(ACCESS_KEY, SECRET_KEY)
    signer = S3SigV4Auth(credentials, "s3", "us-east-1")
    request = AWSRequest()
    request.context["timestamp"] = now.strftime("%Y%m%dT%H%M%SZ")
    return {
        "policy": policy,
        "x-amz-algorithm": "AWS4-HMAC-SHA256",
        "x-amz-credential": signer.scope(request),
        "x-amz-date": request.context["timestamp"],
        "x-amz-signature": signer.signature(policy, request),
    }


def as_post(running: Running, body: bytes, content_type: str = "multipart/form-data; boundary=b") -> bytes:
    lines = (f"content-type: {content_type}", f"content-length: {len(body)}")
    return head(running, *lines, start="POST /photos HTTP/1.1") + body


@pytest.mark.parametrize("seed", range(3))
def test_mutations_of_a_form(running: Running, seed: int) -> None:
    """The file is not signed, but the key is: nothing else may come of it, and nothing of a form that was refused."""
    chance = random.Random(f"form {seed}")
    original = form(running)
    clear(running)
    assert exchange(running, as_post(running, original)) == [204]
    for number in range(40):
        clear(running)
        bad = mangled(chance, original, PIECES, 3)
        statuses = exchange(running, as_post(running, bad))
        assert acceptable(statuses), (seed, number, bad, statuses)
        stored = objects(running)
        assert set(stored) == ({"k"} if statuses == [204] else set()), (seed, number, bad, statuses)


def test_a_form_cut_off_anywhere(running: Running) -> None:
    clear(running)
    original = form(running)
    message = as_post(running, original)
    # Up to the two dashes that end the form: what comes after them is only the length that was announced.
    for cut in range(1, len(message), 97):
        assert all(400 <= status < 500 for status in exchange(running, message[:cut], is_whole=False))
    for cut in range(0, len(original) - 2, 23):
        assert exchange(running, as_post(running, original[:cut])) in ([400], [403])
    assert objects(running) == {}


@pytest.mark.parametrize(
    "content_type",
    ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=" + "b" * 5000,
     "multipart/form-data; boundary=c", "multipart/mixed; boundary=b", "multipart/form-data, text/plain; boundary=b"],
)  # fmt: skip
def test_forms_of_other_kinds(running: Running, content_type: str) -> None:
    clear(running)
    statuses = exchange(running, as_post(running, form(running), content_type))
    assert statuses
    assert all(400 <= status < 500 for status in statuses)
    assert objects(running) == {}


def test_ten_thousand_parts_and_endless_heads(running: Running) -> None:
    clear(running)
    part = b"--b\r\ncontent-disposition: form-data; name=x-ignore-%d\r\n\r\n\r\n"
    for body in (
        b"".join(part % number for number in range(10_000)) + form(running),
        b"--b\r\n" + b"x-a: b\r\n" * 100_000 + form(running),
        b"--b\r\ncontent-disposition: form-data; name=" + b"n" * 1_000_000 + b"\r\n\r\n" + form(running),
        b"--" * 500_000,
    ):
        assert exchange(running, as_post(running, body)) in ([400], [])
    assert objects(running) == {}


@pytest.mark.parametrize("text", JSON)
def test_policies_of_bad_json(running: Running, text: bytes) -> None:
    """Signed, so that they are read; too long for a form, so that they are not."""
    policy = base64.b64encode(text).decode()
    clear(running)
    assert exchange(running, as_post(running, form(running, sign_policy(policy)))) == [400]
    assert objects(running) == {}
