"""Members to a response, driven by the model alone; and any fault to the error format of who was asked.

`Response` is what `asgi` sends. A body is bytes, or an async iterator that is sent as it comes.
"""

from __future__ import annotations

import base64
import json
from binascii import b2a_base64
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from botocore.model import Shape

from alight.calls import Members
from alight.errors import Fault
from alight.gateway.dialects import Spelling, spell
from alight.gateway.encode_json import write_json
from alight.gateway.encode_xml import write_children, write_document
from alight.gateway.eventstream import CONTENT_TYPE, frames, is_stream, payload_frames
from alight.gateway.models import Binding, Bindings, Service
from alight.gateway.route import Match
from alight.gateway.scalars import write_scalar
from alight.gateway.xml import escape

Headers = list[tuple[bytes, bytes]]
_XML = '<?xml version="1.0" encoding="UTF-8"?>\n'
#: Seconds after which whoever was one too many may come again.
RETRY_AFTER = b"1"
#: Statuses that never have a body.
BODILESS = frozenset({204, 304})


@dataclass(frozen=True, slots=True)
class Response:
    """`length` is None only where the body is an iterator of unknown size (sent chunked)."""

    status: int
    headers: Headers
    body: bytes | AsyncIterator[bytes]
    length: int | None


def encode(match: Match, reply: Members, request_id: str) -> Response:
    """A handler's reply as its operation's response; `ResponseMetadata` in it overrides status and headers."""
    metadata = reply.get("ResponseMetadata", {})
    operation = match.operation
    headers: Headers = identity(match.service.name, request_id)
    status = operation.status
    body: bytes | AsyncIterator[bytes]
    match match.protocol:
        case "json" if is_stream(operation.model):
            headers.append((b"content-type", CONTENT_TYPE))
            body = frames(operation.model, reply)
        case "json":
            headers.append((b"content-type", match.content_type.encode()))
            body = write_json(operation.output_shape, reply) if operation.output_shape else b"{}"
        case "query":
            headers.append((b"content-type", b"text/xml"))
            body = _query_body(match, reply, request_id)
        case _:
            status, body = _rest(match, reply, headers)
    for name, value in metadata.get("HTTPHeaders", {}).items():
        _set(headers, name.lower().encode("latin-1"), _header_bytes(str(value)))
    status = int(metadata.get("HTTPStatusCode", status))
    return _finish(status, headers, body, reply.get("ContentLength"))


def identity(service: str, request_id: str) -> Headers:
    """The headers by which a response can be found again."""
    if service == "s3":
        return [
            (b"x-amz-request-id", request_id.encode()),
            (b"x-amz-id-2", b2a_base64(request_id.encode(), newline=False)),
        ]
    return [(b"x-amzn-requestid", request_id.encode())]


def _finish(status: int, headers: Headers, body: bytes | AsyncIterator[bytes], announced: Any) -> Response:
    if status in BODILESS:
        kept = [pair for pair in headers if pair[0] not in (b"content-type", b"content-length")]
        return Response(status, kept, b"", 0)
    given = dict(headers).get(b"content-length")
    if given is not None:
        headers = [pair for pair in headers if pair[0] != b"content-length"]
    if isinstance(body, bytes):
        return Response(status, headers, body, int(given) if given is not None and not body else len(body))
    length = announced if announced is not None else given
    return Response(status, headers, body, int(length) if length is not None else None)


def _rest(match: Match, reply: Members, headers: Headers) -> tuple[int, bytes | AsyncIterator[bytes]]:
    bindings = match.operation.outputs
    status = match.operation.status
    if bindings.status is not None and reply.get(bindings.status.member) is not None:
        status = int(reply[bindings.status.member])
    write_headers(bindings, reply, headers)
    body, content_type = _rest_body(match, bindings, reply)
    if content_type and b"content-type" not in dict(headers):
        headers.append((b"content-type", content_type))
    return status, body


def write_headers(bindings: Bindings, reply: Members, headers: Headers) -> None:
    """Members that travel in headers; None is not sent."""
    named = bindings.by_member
    for member, value in reply.items():
        if value is not None and (item := named.get(member)) is not None:
            is_plain = item.is_text and type(value) is str
            headers.append((item.raw_name, _header_bytes(value) if is_plain else _header_value(item, value)))
    for item in bindings.header_maps:
        for name, value in (reply.get(item.member) or {}).items():
            headers.append((f"{item.name}{name}".lower().encode("latin-1"), _header_bytes(str(value))))


def _header_value(item: Binding, value: Any) -> bytes:
    if item.shape.serialization.get("jsonvalue"):
        return base64.b64encode(json.dumps(value).encode())
    if item.shape.type_name == "list":
        return _header_bytes(", ".join(write_scalar(item.shape.member, part, "rfc822") for part in value))
    return _header_bytes(write_scalar(item.shape, value, "rfc822"))


def _header_bytes(text: str) -> bytes:
    """Line breaks would begin a new header; whatever is not ASCII goes as UTF-8."""
    return text.replace("\r", " ").replace("\n", " ").encode()


def _rest_body(match: Match, bindings: Bindings, reply: Members) -> tuple[bytes | AsyncIterator[bytes], bytes]:
    payload = bindings.payload
    is_xml = match.protocol == "rest-xml"
    if payload is not None and payload.shape.serialization.get("eventstream"):
        return payload_frames(payload.shape, reply[payload.member]), CONTENT_TYPE
    if payload is not None and bindings.is_blob:
        value = reply.get(payload.member)
        kind = b"binary/octet-stream" if match.service.name == "s3" else b"application/octet-stream"
        return (value.encode() if isinstance(value, str) else value if value is not None else b""), kind
    if is_xml:
        return _xml_body(match, bindings, reply), b"application/xml"
    if payload is not None:
        value = reply.get(payload.member)
        return (write_json(payload.shape, value) if value is not None else b""), b"application/json"
    return _json_body(match, bindings, reply)


def _json_body(match: Match, bindings: Bindings, reply: Members) -> tuple[bytes, bytes]:
    if match.operation.output_shape is None or not bindings.body:
        return b"", b""
    return write_json(match.operation.output_shape, reply), b"application/json"


#: Root elements that S3 calls otherwise than botocore calls the shape.
S3_ROOTS = {
    "CompleteMultipartUpload": "CompleteMultipartUploadResult",
    "CreateMultipartUpload": "InitiateMultipartUploadResult",
    "DeleteObjects": "DeleteResult",
    "GetBucketAcl": "AccessControlPolicy",
    "GetBucketCors": "CORSConfiguration",
    "GetBucketLifecycleConfiguration": "LifecycleConfiguration",
    "GetBucketLogging": "BucketLoggingStatus",
    "GetBucketRequestPayment": "RequestPaymentConfiguration",
    "GetBucketTagging": "Tagging",
    "GetBucketVersioning": "VersioningConfiguration",
    "GetBucketWebsite": "WebsiteConfiguration",
    "GetObjectAcl": "AccessControlPolicy",
    "GetObjectAttributes": "GetObjectAttributesResponse",
    "GetObjectTagging": "Tagging",
    "ListBuckets": "ListAllMyBucketsResult",
    "ListMultipartUploads": "ListMultipartUploadsResult",
    "ListObjectVersions": "ListVersionsResult",
    "ListObjects": "ListBucketResult",
    "ListObjectsV2": "ListBucketResult",
    "ListParts": "ListPartsResult",
}


def _xml_body(match: Match, bindings: Bindings, reply: Members) -> bytes:
    operation = match.operation
    namespace = match.service.namespace
    if operation.name == "GetBucketLocation":
        # The one reply whose root element is the member itself.
        text = escape(reply.get("LocationConstraint") or "")
        return f'{_XML}<LocationConstraint xmlns="{namespace}">{text}</LocationConstraint>'.encode()
    payload = bindings.payload
    if payload is not None:
        value = reply.get(payload.member)
        name = payload.shape.serialization.get("name", payload.shape.name)
        return (_XML + write_document(name, payload.shape, value, namespace)).encode() if value is not None else b""
    if operation.output_shape is None or not bindings.body:
        return b""
    root = S3_ROOTS.get(operation.name, operation.output_shape.name)
    return (_XML + write_document(root, operation.output_shape, reply, namespace)).encode()


def _query_body(match: Match, reply: Members, request_id: str) -> bytes:
    shape = match.operation.output_shape
    name = match.operation.name
    wrapper = shape.serialization.get("resultWrapper", f"{name}Result") if shape else ""
    result = f"<{wrapper}>{write_children(shape, reply)}</{wrapper}>" if shape else ""
    return (
        f'{_XML}<{name}Response xmlns="{match.service.namespace}">{result}'
        f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{name}Response>"
    ).encode()


def encode_error(service: Service, protocol: str, fault: Fault, request_id: str, resource: str = "") -> Response:
    """`resource` is the path, which S3 repeats. Members that the model gives the error are written in its names."""
    spelling = spell(service, protocol, fault)
    headers = identity(service.name, request_id)
    if fault.status in (429, 503):
        headers.append((b"retry-after", RETRY_AFTER))
    for name, value in fault.members.get("HTTPHeaders", {}).items():
        _set(headers, name.lower().encode("latin-1"), _header_bytes(str(value)))
    if spelling.status in BODILESS:
        return _finish(spelling.status, headers, b"", None)
    body = _ERROR_WRITERS[protocol](spelling, fault, headers, request_id, resource)
    return _finish(spelling.status, headers, body, None)


def _error_members(spelling: Spelling, fault: Fault) -> dict[str, tuple[Shape | None, Any]]:
    """Wire name -> (shape or None, value), without the message."""
    shape = spelling.shape
    known = shape.members if shape is not None else {}
    found: dict[str, tuple[Shape | None, Any]] = {}
    for name, value in fault.members.items():
        if name == "HTTPHeaders" or value is None:
            continue
        member = known.get(name)
        found[member.serialization.get("name", name) if member is not None else name] = (member, value)
    return found


def _error_elements(spelling: Spelling, fault: Fault) -> str:
    found = _error_members(spelling, fault)
    return "".join(f"<{name}>{escape(str(value))}</{name}>" for name, (_, value) in found.items())


def _s3_error(spelling: Spelling, fault: Fault, headers: Headers, request_id: str, resource: str) -> bytes:
    headers.append((b"content-type", b"application/xml"))
    members = _error_elements(spelling, fault)
    host_id = base64.b64encode(request_id.encode()).decode()
    return (
        f"{_XML}<Error><Code>{spelling.code}</Code><Message>{escape(fault.message)}</Message>{members}"
        f"<Resource>{escape(resource)}</Resource><RequestId>{request_id}</RequestId><HostId>{host_id}</HostId></Error>"
    ).encode()


def _query_error(spelling: Spelling, fault: Fault, headers: Headers, request_id: str, _: str) -> bytes:
    headers.append((b"content-type", b"text/xml"))
    side = "Sender" if spelling.status < 500 else "Receiver"
    members = _error_elements(spelling, fault)
    return (
        f'{_XML}<ErrorResponse xmlns="{spelling.namespace}"><Error><Type>{side}</Type><Code>{spelling.code}</Code>'
        f"<Message>{escape(fault.message)}</Message>{members}</Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    ).encode()


def _json_error(spelling: Spelling, fault: Fault, headers: Headers, _: str, __: str) -> bytes:
    headers.append((b"content-type", spelling.content_type))
    if spelling.query_code:
        side = "Sender" if spelling.status < 500 else "Receiver"
        headers.append((b"x-amzn-query-error", f"{spelling.query_code};{side}".encode()))
    return _json_error_body({"__type": spelling.code}, spelling, fault)


def _rest_json_error(spelling: Spelling, fault: Fault, headers: Headers, _: str, __: str) -> bytes:
    headers.append((b"content-type", b"application/json"))
    headers.append((b"x-amzn-errortype", spelling.code.encode()))
    return _json_error_body({"Type": "User" if spelling.status < 500 else "Service"}, spelling, fault)


def _json_error_body(values: dict[str, Any], spelling: Spelling, fault: Fault) -> bytes:
    values[spelling.message_name] = fault.message
    for name, (shape, value) in _error_members(spelling, fault).items():
        values[name] = json.loads(write_json(shape, value)) if shape is not None else value
    return json.dumps(values, default=str, ensure_ascii=False).encode()


_ERROR_WRITERS: dict[str, Callable[[Spelling, Fault, Headers, str, str], bytes]] = {
    "rest-xml": _s3_error,
    "rest-json": _rest_json_error,
    "json": _json_error,
    "query": _query_error,
}


def _set(headers: Headers, name: bytes, value: bytes) -> None:
    headers[:] = [pair for pair in headers if pair[0] != name]
    headers.append((name, value))
