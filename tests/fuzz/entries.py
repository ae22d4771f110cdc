"""Every parser of what a stranger sends, as one function of bytes: it answers, or it refuses in words.

`entry(name)` makes one: `take` is given whatever comes, `seeds` are bytes that are right, from which changes begin.
What `take` raises is a crash: refusals are caught here, and nothing else.
"""

from __future__ import annotations

import asyncio
import io
import json
import tempfile
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_plus

from alight.calls import ANONYMOUS
from alight.errors import AlightError, Fault
from alight.errors.gateway import SerializationException
from alight.events.event import encoded_key
from alight.expressions import InvalidExpression, compile_expression
from alight.functions.archive import unpack
from alight.gateway.chunks import ChunkDecoder
from alight.gateway.decode import decode, parse_form
from alight.gateway.decode_json import parse_json
from alight.gateway.hosts import Hosts
from alight.gateway.multipart import Form, boundary_of
from alight.gateway.post_policy import read_policy as read_post_policy
from alight.gateway.request import Request, read_request
from alight.gateway.route import Match, Pending, Router
from alight.gateway.signature import CHUNKED, ChunkSeed, Payload, examine
from alight.gateway.xml import parse_xml
from alight.notifications import filter_rules, filters
from alight.services.logs.patterns import compile_pattern
from alight.services.s3.naming import check_bucket_name, check_key, copy_source
from alight.stacks.load import parse as parse_template
from tests.unit.gateway.asking import operations
from tests.unit.gateway.signing import NOW, lookup, sha256, signed_scope

Take = Callable[[bytes], None]


@dataclass(frozen=True)
class Entry:
    """`take` may be called any number of times."""

    take: Take
    seeds: tuple[bytes, ...]


def entry(name: str) -> Entry:
    return _ENTRIES[name]()


def names() -> list[str]:
    return sorted(_ENTRIES)


# Requests: the first line names method and address, then come headers, then the body ----------------------------------


def written(scope: dict[str, Any], body: bytes) -> bytes:
    query = b"?" + scope["query_string"] if scope["query_string"] else b""
    lines = [scope["method"].encode() + b" " + scope["raw_path"] + query]
    lines += [name + b": " + value for name, value in scope["headers"]]
    return b"\n".join(lines) + b"\n\n" + body


def read(data: bytes) -> tuple[dict[str, Any], bytes]:
    """What a server makes of it, which lets no line end through."""
    head, _, body = data.partition(b"\n\n")
    first, *lines = head.split(b"\n")
    method, _, address = first.partition(b" ")
    path, _, query = address.partition(b"?")
    headers = [(name.strip().lower(), value.strip()) for name, _, value in (line.partition(b":") for line in lines)]
    text = method.decode("latin-1")
    return {
        "type": "http", "method": text, "raw_path": path, "path": path.decode("latin-1"), "query_string": query,
        "headers": headers, "client": ("127.0.0.1", 50_000), "server": ("127.0.0.1", 4566), "scheme": "http",
    }, body  # fmt: skip


def _asked(protocols: tuple[str, ...]) -> Iterator[bytes]:
    """Of each operation that speaks so a request as botocore writes it."""
    router = Router()
    for asked in operations():
        if router.service(asked.service).protocol in protocols:
            headers = {"content-length": str(len(asked.body))} | dict(asked.headers)
            scope = signed_scope(
                asked.method, asked.url, asked.body, service=asked.signing, headers=headers, said=sha256(asked.body)
            )
            yield written(scope, asked.body)


def _codec(*protocols: str) -> Entry:
    """From the request to the operation's members, as far as a signature is not asked for."""
    router = Router()

    def take(data: bytes) -> None:
        scope, body = read(data)
        with suppress(Fault):
            request = read_request(scope)
            hosts = Hosts()
            hosts.check(request, 4566)
            found: Any = router.match(request, hosts.named(request.host).bucket)
            form = None
            if isinstance(found, Pending):
                form = parse_form(body)
                found = found.match(dict(form).get("Action", ""))
            if isinstance(found, Match):
                decode(found, request, body, form)

    return Entry(take, tuple(_asked(protocols)))


def _signature() -> Entry:
    """No change of a good request may be another principal's, and a wrong one is refused."""

    def take(data: bytes) -> None:
        scope, body = read(data)
        with suppress(Fault):
            request = read_request(scope)
            for service in ("s3", "lambda"):
                with suppress(Fault):
                    _settle(request, body, service)

    def _settle(request: Request, body: bytes, service: str) -> None:
        claim = examine(request, lookup, now=NOW, service=service, bucket="bucket")
        principal, _ = claim.settle(sha256(body) if claim.payload is Payload.BODY else None)
        assert claim.is_anonymous == (principal == ANONYMOUS)

    places = ("header", "query", "query v2", "none")
    scopes = [signed_scope(place=place) for place in places]
    scopes += [signed_scope(said=kind.value, url="/b/k?x=1&y") for kind in CHUNKED]
    scopes += [signed_scope("POST", "/2015-03-31/functions", service="lambda")]
    return Entry(take, tuple(written(scope, b"hello") for scope in scopes))


# Bodies ---------------------------------------------------------------------------------------------------------------

_SEED = ChunkSeed(b"k" * 32, "20260102T030405Z", "20260102/us-east-1/s3/aws4_request", "0" * 64)


def _chunks() -> Entry:
    """The first byte: signed or not; the second: in pieces of how many bytes it comes."""

    def take(data: bytes) -> None:
        kind, size, body = data[:1], max(1, data[1] if len(data) > 1 else 1), data[2:]
        decoder = ChunkDecoder(_SEED if kind > b"m" else None, frozenset({"x-amz-checksum-crc32"}))
        taken = 0
        with suppress(Fault):
            for at in range(0, len(body), size):
                taken += sum(map(len, decoder.feed(body[at : at + size])))
            decoder.finish()
        assert taken <= len(body)
        assert decoder.trailers.keys() <= {"x-amz-checksum-crc32", "x-amz-trailer-signature"}, decoder.trailers

    plain = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"
    signed = b"5;chunk-signature=%b\r\nhello\r\n0;chunk-signature=%b\r\n\r\n" % (b"0" * 64, b"0" * 64)
    return Entry(take, (b"a\xff" + plain, b"a\x01" + plain, b"z\xff" + signed, b"z\x03" + signed))


def _form() -> Entry:
    """A browser's form: the content type on the first line."""

    async def whole(kind: str, body: bytes) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            for at in range(0, len(body), 7):
                yield body[at : at + 7]

        form = Form(pieces(), boundary_of(kind))
        await form.front()
        async for _ in form.file():
            pass

    def take(data: bytes) -> None:
        kind, _, body = data.partition(b"\n")
        with suppress(Fault):
            asyncio.run(whole(kind.decode("latin-1"), body))

    part = b'--b\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n%b\r\n'
    parts = part % (b"key", b"", b"a/b") + part % (b"file", b'; filename="c.jpg"', b"hello")
    return Entry(take, (b"multipart/form-data; boundary=b\n" + parts + b"--b--\r\n",))


def _post_policy() -> Entry:
    def take(data: bytes) -> None:
        with suppress(Fault):
            read_post_policy(data)

    good = {
        "expiration": "2030-01-01T00:00:00.000Z",
        "conditions": [{"bucket": "b"}, ["starts-with", "$key", "a"], ["content-length-range", 1, 9]],
    }
    return Entry(take, (json.dumps(good).encode(),))


def _xml() -> Entry:
    def take(data: bytes) -> None:
        with suppress(Fault):
            parse_xml(data)

    good = b'<?xml version="1.0"?><Tagging xmlns="http://a/doc/2006-03-01/"><TagSet>a &amp; b</TagSet></Tagging>'
    return Entry(take, (good, b"<a b='c'><![CDATA[x]]></a>"))


def _json() -> Entry:
    """What is read is JSON to everybody else, too."""

    def take(data: bytes) -> None:
        try:
            value = parse_json(data)
        except SerializationException:
            return
        assert json.loads(json.dumps(value)) == value

    return Entry(take, (b'{"a": [1, 2.5, null, "\\u00e9", {"b": true}]}', b"[]", b'"\\ud83e\\udd89"'))


# Words ----------------------------------------------------------------------------------------------------------------


def _keys() -> Entry:
    """A key that is taken comes back from every spelling of it."""

    def take(data: bytes) -> None:
        try:
            key = data.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            key = data.decode("latin-1")
        with suppress(Fault):
            check_bucket_name(key)
        with suppress(Fault):
            copy_source({"CopySource": key})
        try:
            check_key(key)
        except Fault:
            return
        assert unquote_plus(encoded_key(key)) == key
        if key:
            source = copy_source({"CopySource": f"bucket/{quote(key)}?versionId=1"})
            assert (source.bucket, source.key, source.version) == ("bucket", key, "1")

    good = "a/b c+d%20é", "../..//x", "bucket/key?versionId=3", "\U0001f989"
    return Entry(take, tuple(one.encode() for one in good))


def _halves(data: bytes) -> tuple[str, str]:
    first, _, second = data.partition(b"\n")
    return first.decode("utf-8", "replace"), second.decode("utf-8", "replace")


def _filters() -> Entry:
    """A policy on the first line, what is published below it."""

    def take(data: bytes) -> None:
        text, body = _halves(data)
        for scope in ("MessageAttributes", "MessageBody"):
            with suppress(Fault, filter_rules.PolicyError):
                policy = filter_rules.read_policy(text, scope)
                attributes = {"a": {"Type": "String.Array", "Value": body}, "b": {"Type": "Number", "Value": body}}
                filters.wants(policy, scope, body, attributes)

    policies = (
        {"a": ["x", {"prefix": "y"}, {"anything-but": ["z"]}, {"numeric": [">", 1, "<=", 5]}, {"exists": False}]},
        {"a": {"b": [{"cidr": "10.0.0.0/8"}, {"equals-ignore-case": "Q"}]}, "$or": [{"c": [1]}, {"d": [None]}]},
    )
    return Entry(take, tuple(json.dumps(one).encode() + b'\n{"a": {"b": "10.1.1.1"}, "c": 1}' for one in policies))


def _patterns() -> Entry:
    """A pattern of logs on the first line, a message below it."""

    def take(data: bytes) -> None:
        text, message = _halves(data)
        with suppress(Fault):
            compile_pattern(text)(message)

    good = (
        b'ERROR -debug "two words" ?a ?b\nan ERROR of two words',
        b'{ ($.a.b[0] = "x*") && ($.n >= 5 || $.gone NOT EXISTS) }\n{"a": {"b": ["xy"]}, "n": 7}',
        b"[ip, user, ..., status = 4*, bytes > 10]\n10.0.0.1 me here 404 12",
        b"%[Ee]rr.r%\nError",
    )
    return Entry(take, good)


def _expressions() -> Entry:
    def take(data: bytes) -> None:
        text, value = _halves(data)
        with suppress(InvalidExpression):
            compile_expression(text).search(value)

    return Entry(take, (b"^[a-z]+(x|y){2,3}$\nabxy", b"(?i)\\d+\\.\\p{L}\n1.e"))


# Files ----------------------------------------------------------------------------------------------------------------


def _templates() -> Entry:
    def take(data: bytes) -> None:
        with suppress(AlightError):
            parse_template(data.decode("utf-8", "replace"), Path("template.yaml"), anchored=False)

    good = (
        b"Resources:\n  B:\n    Type: AWS::S3::Bucket\n    Properties: {BucketName: !Sub '${AWS::Region}-b'}\n",
        b"A: &a [1, !GetAtt B.Arn]\nResources: {C: {Type: T, D: *a}}\n",
        b'{"Resources": {"B": {"Type": "AWS::S3::Bucket"}}}',
    )
    return Entry(take, good)


def _archives() -> Entry:
    """Whatever a zip file holds, it is written into its folder, or nothing is."""

    def take(data: bytes) -> None:
        with tempfile.TemporaryDirectory() as folder:
            top = Path(folder)
            (top / "code.zip").write_bytes(data)
            (top / "code").mkdir()
            with suppress(AlightError):
                unpack(top / "code.zip", top / "code", limit=1 << 20)
            assert sorted(path.name for path in top.iterdir()) == ["code", "code.zip"]

    return Entry(take, (_zipped(),))


def _zipped() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("app.py", "def handler(event, context):\n    return event\n")
        archive.writestr("data/a.txt", "a" * 1000)
    return held.getvalue()


_ENTRIES: dict[str, Callable[[], Entry]] = {
    "archives": _archives,
    "chunks": _chunks,
    "codec-json": partial(_codec, "json"),
    "codec-query": partial(_codec, "query", "ec2"),
    "codec-rest-json": partial(_codec, "rest-json"),
    "codec-rest-xml": partial(_codec, "rest-xml"),
    "expressions": _expressions,
    "filters": _filters,
    "form": _form,
    "json": _json,
    "keys": _keys,
    "patterns": _patterns,
    "post-policy": _post_policy,
    "signature": _signature,
    "templates": _templates,
    "xml": _xml,
}
