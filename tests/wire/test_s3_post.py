"""Uploads by browsers' forms: signed by boto3, sent by requests, held to their policy, and as durable as a PUT."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
import requests

from alight.calls import Call, Members
from alight.errors.common import AccessDenied
from alight.store.checksums import checksum
from tests.wire.running_s3 import Running, running_s3
from tests.wire.served import ACCESS_KEY, SECRET_KEY

PICTURE = b"\xff\xd8\r\n--picture" * 1000
ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"


def authorize(call: Call, given: Members) -> None:
    """The worker may put under `may/` and nothing else."""
    if call.principal.kind == "role" and not (call.operation == "PutObject" and given["Key"].startswith("may/")):
        raise AccessDenied


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """`clients` are one of each signature version, for the whole module."""
    with running_s3(tmp_path_factory.mktemp("data"), authorize=authorize) as here:
        client = here.client(signature_version="s3v4")
        here.client(signature_version="s3")
        client.create_bucket(Bucket="photos")
        client.put_bucket_notification_configuration(
            Bucket="photos",
            NotificationConfiguration={
                "LambdaFunctionConfigurations": [{"LambdaFunctionArn": ARN, "Events": ["s3:ObjectCreated:*"]}]
            },
        )
        yield here


@pytest.fixture(autouse=True)
def empty(running: Running) -> None:
    client = running.clients[0]
    for each in client.list_objects_v2(Bucket="photos").get("Contents", []):
        client.delete_object(Bucket="photos", Key=each["Key"])
    running.events.clear()


def post(
    running: Running,
    key: str = "birds/card.jpg",
    fields: Mapping[str, str] | None = None,
    conditions: list[Any] | None = None,
    *,
    file: Any = PICTURE,
    filename: str = "card.jpg",
    version: str = "s3v4",
    change: Mapping[str, str | None] | None = None,
    url: str = "",
    headers: Mapping[str, str] | None = None,
) -> requests.Response:
    """Sign with boto3, send with requests; `change` sets or removes (None) fields behind the signature."""
    made = running.clients[version == "s3"].generate_presigned_post(
        "photos", key, Fields=dict(fields or {}), Conditions=conditions or _said(fields), ExpiresIn=60
    )
    form = {name: value for name, value in {**made["fields"], **(change or {})}.items() if value is not None}
    files = {"file": (filename, file, "image/jpeg")}
    return requests.post(url or made["url"], form, files=files, headers=headers, timeout=20, allow_redirects=False)


def _said(fields: Mapping[str, str] | None) -> list[Any]:
    return [{name: value} for name, value in (fields or {}).items()]


def code(reply: requests.Response) -> str:
    return ElementTree.fromstring(reply.content).findtext("Code") or ""


def keys(running: Running) -> list[str]:
    return [each["Key"] for each in running.clients[0].list_objects_v2(Bucket="photos").get("Contents", [])]


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_a_form_makes_an_object_and_an_event(running: Running, version: str) -> None:
    reply = post(running, version=version)
    etag = f'"{hashlib.md5(PICTURE).hexdigest()}"'
    assert (reply.status_code, reply.content, reply.headers["etag"]) == (204, b"", etag)
    assert requests.get(reply.headers["location"], timeout=20).status_code == 403
    got = running.clients[0].get_object(Bucket="photos", Key="birds/card.jpg")
    assert (got["Body"].read(), got["ContentType"], got["ETag"]) == (PICTURE, "binary/octet-stream", etag)
    (record,) = running.events
    assert (record["eventName"], record["s3"]["object"]["key"]) == ("ObjectCreated:Post", "birds/card.jpg")
    assert record["s3"]["object"]["size"] == len(PICTURE)


def test_all_that_a_form_can_say_of_an_object(running: Running) -> None:
    fields = {
        "Content-Type": "image/jpeg",
        "Content-Disposition": "attachment",
        "Cache-Control": "max-age=5",
        "Expires": "Wed, 21 Oct 2015 07:28:00 GMT",
        "acl": "private",
        "x-amz-meta-Where": "Zürich",
        "x-amz-storage-class": "STANDARD",
        "x-amz-checksum-algorithm": "CRC32C",
        "x-amz-checksum-crc32c": checksum("crc32c", PICTURE),
        "tagging": "<Tagging><TagSet><Tag><Key>a&amp;b</Key><Value>c d</Value></Tag></TagSet></Tagging>",
    }
    # boto3 signs what is asked for; tags may not hold an ampersand.
    assert code(post(running, fields=fields)) == "InvalidTag"
    fields["tagging"] = fields["tagging"].replace("&amp;", "+")
    reply = post(running, fields=fields)
    assert (reply.status_code, reply.headers["x-amz-checksum-crc32c"]) == (204, fields["x-amz-checksum-crc32c"])
    got = running.clients[0].head_object(Bucket="photos", Key="birds/card.jpg", ChecksumMode="ENABLED")
    assert (got["ContentType"], got["ContentDisposition"], got["CacheControl"]) == (
        "image/jpeg", "attachment", "max-age=5"
    )  # fmt: skip
    assert got["ExpiresString"] == fields["Expires"]
    assert got["ResponseMetadata"]["HTTPHeaders"]["x-amz-meta-where"] == "=?UTF-8?B?WsO8cmljaA==?="
    assert got["ChecksumCRC32C"] == fields["x-amz-checksum-crc32c"]
    tags = running.clients[0].get_object_tagging(Bucket="photos", Key="birds/card.jpg")["TagSet"]
    assert tags == [{"Key": "a+b", "Value": "c d"}]


@pytest.mark.parametrize(("asked", "status"), [("200", 200), ("201", 201), ("204", 204), ("418", 204), ("", 204)])
def test_the_status_that_was_asked_for(running: Running, asked: str, status: int) -> None:
    reply = post(running, "birds/a b&c.jpg", {"success_action_status": asked})
    where = f"{running.url}/photos/birds%2Fa%20b%26c.jpg"
    assert (reply.status_code, reply.headers["location"]) == (status, where)
    if status != 201:
        assert reply.content == b""
        return
    root = ElementTree.fromstring(reply.content)
    assert [(each.tag, each.text) for each in root] == [
        ("Location", where), ("Bucket", "photos"), ("Key", "birds/a b&c.jpg"), ("ETag", reply.headers["etag"])
    ]  # fmt: skip
    assert root.tag == "PostResponse"


@pytest.mark.parametrize("field", ["success_action_redirect", "redirect"])
def test_the_redirect_that_was_asked_for(running: Running, field: str) -> None:
    reply = post(running, "a b", {field: "https://example.com/done?x=1"})
    etag = hashlib.md5(PICTURE).hexdigest()
    assert reply.status_code == 303
    assert reply.headers["location"] == f"https://example.com/done?x=1&bucket=photos&key=a+b&etag=%22{etag}%22"


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "nowhere", "http://[", "http://a/\r\nset-cookie: b=c", "https:"]
)
def test_a_redirect_to_no_url_is_none(running: Running, url: str) -> None:
    reply = post(running, fields={"success_action_redirect": url})
    assert reply.status_code == 204
    assert "set-cookie" not in reply.headers


@pytest.mark.parametrize(
    ("filename", "key"),
    [
        ("card.jpg", "user/card.jpg"),
        ("C:\\pictures\\card.jpg", "user/card.jpg"),
        ("../../card.jpg", "user/card.jpg"),
        ("b\u00fclb\u00fcl.jpg", "user/b\u00fclb\u00fcl.jpg"),
    ],
)
def test_the_name_of_the_file(running: Running, filename: str, key: str) -> None:
    reply = post(running, "user/${filename}", filename=filename)
    assert reply.status_code == 204
    assert keys(running) == [key]


def test_a_virtual_host(running: Running) -> None:
    reply = post(running, url=running.url, headers={"host": f"photos.s3.localhost:{running.port}"})
    assert reply.headers["location"] == f"http://photos.s3.localhost:{running.port}/birds%2Fcard.jpg"
    assert keys(running) == ["birds/card.jpg"]


def test_pages_of_other_origins_may_send_what_was_signed(running: Running) -> None:
    """What they may not send is anything else: the same request without a signed policy, or to another address."""
    foreign = {"origin": "https://example.com", "sec-fetch-site": "cross-site"}
    assert post(running, headers=foreign).status_code == 204
    unsigned = {"policy": None, "x-amz-signature": None, "x-amz-credential": None, "x-amz-algorithm": None}
    assert code(post(running, headers=foreign, change=unsigned)) == "AccessDenied"
    for path in ("/photos?delete", "/photos/k?uploads", "/"):
        reply = post(running, headers=foreign, url=running.url + path)
        assert (reply.status_code, "another origin" in reply.text) == (403, True)
    assert post(running, headers={"host": "evil.example"}).status_code == 421


def test_a_large_file_is_streamed(running: Running) -> None:
    """Boundaries that nearly come are part of the file, wherever the pieces end."""
    size = 12 * 1024 * 1024
    body = (b"0123456789\r\n--" * (size // 14 + 1))[:size]
    assert post(running, file=body, conditions=[["content-length-range", 0, size]]).status_code == 204
    assert running.clients[0].get_object(Bucket="photos", Key="birds/card.jpg")["Body"].read() == body


@pytest.mark.parametrize("body", [b"", b"\r\n", b"--", b"\r\n--", b"x"])
def test_small_files(running: Running, body: bytes) -> None:
    assert post(running, file=body).status_code == 204
    assert running.clients[0].get_object(Bucket="photos", Key="birds/card.jpg")["Body"].read() == body


STRANGER = "AKIA/20150830/us-east-1/s3/aws4_request"
PNG = {"Content-Type": "image/png"}
LISTED = {"Content-Type": "image/png, text/html"}
IMAGES = [["starts-with", "$Content-Type", "image/"]]

CASES: dict[str, tuple[dict[str, Any], int, str]] = {
    "key": ({"change": {"key": "other"}}, 403, "AccessDenied"),
    "prefix": ({"key": "user/${filename}", "change": {"key": "users/x"}}, 403, "AccessDenied"),
    "no key": ({"change": {"key": None}}, 403, "AccessDenied"),
    "empty key": ({"key": "${filename}", "filename": "/"}, 400, "InvalidArgument"),
    "extra field": ({"change": {"x-amz-meta-a": "b"}}, 403, "AccessDenied"),
    "extra type": ({"change": {"Content-Type": "text/html"}}, 403, "AccessDenied"),
    "other type": ({"fields": PNG, "change": {"Content-Type": "text/html"}}, 403, "AccessDenied"),
    "type missing": ({"conditions": [["starts-with", "$Content-Type", ""]]}, 403, "AccessDenied"),
    "type list": ({"fields": LISTED, "conditions": IMAGES}, 403, "AccessDenied"),
    "other bucket": ({"url": "/others"}, 403, "AccessDenied"),
    "said bucket": ({"change": {"bucket": "others"}}, 403, "AccessDenied"),
    "too large": ({"conditions": [["content-length-range", 1, len(PICTURE) - 1]]}, 400, "EntityTooLarge"),
    "too small": ({"conditions": [["content-length-range", len(PICTURE) + 1, 2**40]]}, 400, "EntityTooSmall"),
    "signature": ({"change": {"x-amz-signature": "0" * 64}}, 403, "SignatureDoesNotMatch"),
    "signature form": ({"change": {"x-amz-signature": "\u0660" * 64}}, 403, "SignatureDoesNotMatch"),
    "no signature": ({"change": {"x-amz-signature": None}}, 400, "InvalidArgument"),
    "no credential": ({"change": {"x-amz-credential": None}}, 400, "InvalidArgument"),
    "no date": ({"change": {"x-amz-date": None}}, 400, "InvalidArgument"),
    "no policy": ({"change": {"policy": None}}, 400, "InvalidArgument"),
    "policy": ({"change": {"policy": "e30="}}, 403, "SignatureDoesNotMatch"),
    "algorithm": ({"change": {"x-amz-algorithm": "AWS4-HMAC-SHA1"}}, 400, "InvalidArgument"),
    "unknown key": ({"change": {"x-amz-credential": STRANGER}}, 403, "SignatureDoesNotMatch"),
    "token": ({"change": {"x-amz-security-token": "x"}}, 403, "InvalidAccessKeyId"),
    "v2 signature": ({"version": "s3", "change": {"signature": "AAAA"}}, 403, "SignatureDoesNotMatch"),
    "v2 key": ({"version": "s3", "change": {"AWSAccessKeyId": "AKIA"}}, 403, "InvalidAccessKeyId"),
    "both": ({"change": {"signature": "AAAA", "AWSAccessKeyId": "AKIA"}}, 400, "InvalidArgument"),
    "md5": ({"fields": {"Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg=="}}, 400, "BadDigest"),
    "md5 form": ({"fields": {"Content-MD5": "x"}}, 400, "InvalidDigest"),
    "checksum": ({"fields": {"x-amz-checksum-crc32": "AAAAAA=="}}, 400, "BadDigest"),
    "checksum form": ({"fields": {"x-amz-checksum-crc32": "AA=="}}, 400, "InvalidRequest"),
    "acl": ({"fields": {"acl": "public-read"}}, 400, "AccessControlListNotSupported"),
    "unknown acl": ({"fields": {"acl": "public-read-write"}}, 501, "NotImplemented"),
    "unknown header": ({"fields": {"x-amz-nonsense": "1"}}, 501, "NotImplemented"),
    "metadata": ({"fields": {"x-amz-meta-a": "b" * 2048}}, 400, "MetadataTooLarge"),
    "header injection": ({"fields": {"Content-Type": "a\r\nset-cookie: b=c"}}, 400, "InvalidArgument"),
    "tags": ({"fields": {"tagging": "<Tagging/>"}}, 400, "MalformedXML"),
    "doctype": ({"fields": {"tagging": '<!DOCTYPE a [<!ENTITY b "c">]><Tagging/>'}}, 400, "MalformedXML"),
    "fields too large": ({"change": {"x-ignore-a": "b" * 20_480}}, 400, "MaxPostPreDataLengthExceededError"),
    "too many fields": (
        {"change": {f"x-ignore-{number}": "" for number in range(100)}},
        400,
        "MaxPostPreDataLengthExceededError",
    ),
    "long key": ({"key": "k" * 1025}, 400, "KeyTooLongError"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_is_refused_leaves_nothing(running: Running, name: str) -> None:
    given, status, said = CASES[name]
    if "url" in given:
        given = {**given, "url": running.url + given["url"]}
    reply = post(running, **given)
    assert (reply.status_code, code(reply)) == (status, said), reply.text
    assert "set-cookie" not in reply.headers
    assert keys(running) == []
    assert running.events == []


def test_fields_that_are_to_be_ignored(running: Running) -> None:
    assert post(running, change={"x-ignore-button": "Send"}).status_code == 204
    assert post(running, change={"bucket": "photos"}).status_code == 204


def test_an_unknown_bucket(running: Running) -> None:
    made = running.clients[0].generate_presigned_post("nowhere", "k")
    reply = requests.post(made["url"], made["fields"], files={"file": b"x"}, timeout=20)
    assert (reply.status_code, code(reply)) == (404, "NoSuchBucket")


def test_another_mechanism_beside_the_form_is_no_form(running: Running) -> None:
    assert post(running, headers={"authorization": "Bearer x"}).status_code == 405
    assert keys(running) == []


def signed(policy: Any, secret: str = SECRET_KEY, moment: datetime | None = None, **more: str) -> dict[str, str]:
    """The fields of a form by version 4, for any policy."""
    moment = moment or datetime.now(UTC)
    scope = moment.strftime("%Y%m%d/us-east-1/s3/aws4_request")
    text = policy if isinstance(policy, str) else base64.b64encode(json.dumps(policy).encode()).decode()
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return {
        "key": "k",
        "policy": text,
        "x-amz-algorithm": "AWS4-HMAC-SHA256",
        "x-amz-credential": f"{ACCESS_KEY}/{scope}",
        "x-amz-date": moment.strftime("%Y%m%dT%H%M%SZ"),
        "x-amz-signature": hmac.digest(key, text.encode(), "sha256").hex(),
        **more,
    }


SIGNING = [["starts-with", f"$x-amz-{name}", ""] for name in ("algorithm", "credential", "date")]
WHERE = [{"bucket": "photos"}, ["eq", "$key", "k"]]
LATER = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def send(running: Running, fields: Mapping[str, str]) -> requests.Response:
    return requests.post(f"{running.url}/photos", fields, files={"file": b"x"}, timeout=20)


@pytest.mark.parametrize(
    ("policy", "status", "said"),
    [
        ({"expiration": LATER, "conditions": [*WHERE, *SIGNING]}, 204, ""),
        ({"expiration": "2015-01-01T00:00:00Z", "conditions": [*WHERE, *SIGNING]}, 403, "Policy expired"),
        ({"expiration": LATER, "conditions": [WHERE[1], *SIGNING]}, 403, "Extra input fields: bucket"),
        ({"expiration": LATER, "conditions": [WHERE[0], *SIGNING]}, 403, "Extra input fields: key"),
        ({"expiration": LATER, "conditions": WHERE}, 403, "Extra input fields: x-amz-algorithm"),
        ({"expiration": LATER, "conditions": [["eq", "$bucket", "photo"]]}, 403, "Policy Condition failed"),
        ({"conditions": [*WHERE, *SIGNING]}, 400, "missing expiration"),
        ({"expiration": "tomorrow", "conditions": []}, 400, "Invalid &apos;expiration&apos;"),
        ({"expiration": "2999-99-99T00:00:00Z", "conditions": []}, 400, "Invalid 'expiration'"),
        ({"expiration": LATER}, 400, "missing conditions"),
        ({"expiration": LATER, "conditions": {}}, 400, "missing conditions"),
        ({"expiration": LATER, "conditions": [{"key": "k", "bucket": "photos"}]}, 400, "exactly one property"),
        ({"expiration": LATER, "conditions": [{"key": 1}]}, 400, "must be a string"),
        ({"expiration": LATER, "conditions": [["ends-with", "$key", "k"]]}, 400, "unknown operation"),
        ({"expiration": LATER, "conditions": [["eq", "key", "k"]]}, 400, "unknown operation"),
        ({"expiration": LATER, "conditions": [["content-length-range", -1, 5]]}, 400, "content-length-range"),
        ({"expiration": LATER, "conditions": [["content-length-range", 1]]}, 400, "content-length-range"),
        ({"expiration": LATER, "conditions": [], "more": 1}, 400, "Unexpected"),
        ([], 400, "Invalid JSON"),
        ("e30", 400, "Invalid Base64"),
        ("\u00fc", 400, "Invalid Base64"),
        (base64.b64encode(b'{"expiration": NaN, "conditions": []}').decode(), 400, "Invalid JSON"),
        (base64.b64encode(b'{"conditions": [], "conditions": []}').decode(), 400, "Invalid JSON"),
        (base64.b64encode(b"[" * 10_000).decode(), 400, "Invalid JSON"),
    ],
)
def test_policies(running: Running, policy: Any, status: int, said: str) -> None:
    reply = send(running, signed(policy))
    assert (reply.status_code, said.replace("&apos;", "'") in reply.text) == (status, True), reply.text
    assert keys(running) == (["k"] if status == 204 else [])


def test_the_key_of_a_day_is_good_for_a_week(running: Running) -> None:
    policy = {"expiration": LATER, "conditions": [*WHERE, *SIGNING]}
    now = datetime.now(UTC)
    assert send(running, signed(policy, moment=now - timedelta(days=6))).status_code == 204
    assert send(running, signed(policy, moment=now - timedelta(days=8))).status_code == 403
    assert send(running, signed(policy, moment=now + timedelta(hours=1))).status_code == 403


def test_the_signer_needs_the_permission(running: Running) -> None:
    """A worker's session key signs with its token, which the policy covers, and its role decides."""
    for key, status in (("may/k", 204), ("other/k", 403)):
        fields = {"key": key, "x-amz-security-token": "session-token"}
        conditions: list[Any] = [{name: value} for name, value in fields.items()]
        form = signed(
            {"expiration": LATER, "conditions": [{"bucket": "photos"}, *conditions, *SIGNING]}, "session-secret"
        ) | fields  # fmt: skip
        form["x-amz-credential"] = form["x-amz-credential"].replace(ACCESS_KEY, "ASIASESSION")
        assert send(running, form).status_code == status
        assert send(running, form | {"x-amz-security-token": "stolen"}).status_code == 403
        form.pop("x-amz-security-token")
        assert send(running, form).status_code == 403
    assert keys(running) == ["may/k"]
