"""A request's bytes to the operation's members, driven by the model alone: one function per protocol.

REST protocols collect members from path, query, headers and body; JSON and query read all from the body. What
the model does not know is refused by name, what it requires and is missing too: a handler may trust its input.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from typing import Any
from urllib.parse import parse_qsl

from botocore.model import Shape

from alight.calls import Members, Stream
from alight.errors.common import NotImplemented_
from alight.errors.gateway import EntityTooLarge, InvalidArgument, MissingMember, SerializationException
from alight.gateway.decode_json import parse_json, read_json
from alight.gateway.decode_query import read_query
from alight.gateway.decode_xml import read_root
from alight.gateway.models import Binding, Bindings
from alight.gateway.request import Request
from alight.gateway.route import Match
from alight.gateway.scalars import read_scalar
from alight.gateway.xml import parse_xml
from alight.parsed import parsed

#: Bytes that a compressed request may be unpacked to.
MOST_UNPACKED = 10 * 1024 * 1024


def decode(match: Match, request: Request, body: bytes | Stream, form: list[tuple[str, str]] | None = None) -> Members:
    """`body` is a `Stream` where the operation has a streaming input, else the whole (already verified) body; `form`
    its pairs where it was read for its action.

    Raises a `Fault` that names the member that could not be read.
    """
    operation = match.operation
    shape = operation.input_shape
    if shape is None:
        return {}
    if operation.is_compressed and isinstance(body, bytes):
        body = _unpacked(request, body)
    match match.protocol:
        case "json":
            given = _json_members(shape, _whole(body))
        case "query":
            given = read_query(shape, (form or parse_form(_whole(body))) + list(request.parameters))
        case _:
            given = _rest_members(match, request, body)
    for name in operation.required:
        if name not in given:
            raise MissingMember(f"{name} is required.")
    return given


def parse_form(body: bytes) -> list[tuple[str, str]]:
    """The pairs of an `application/x-www-form-urlencoded` body."""
    try:
        return parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=20_000)
    except ValueError:
        raise SerializationException("The form could not be read.") from None


def _unpacked(request: Request, body: bytes) -> bytes:
    """Clients compress large requests of some operations."""
    match request.headers.get("content-encoding", "").strip().lower():
        case "" | "identity":
            return body
        case "gzip":
            unpacking = zlib.decompressobj(wbits=31)
            try:
                plain = unpacking.decompress(body, MOST_UNPACKED)
            except zlib.error:
                raise SerializationException("The compressed request could not be read.") from None
            if unpacking.unconsumed_tail:
                raise EntityTooLarge
            if not unpacking.eof:
                raise SerializationException("The compressed request ends early.")
            return plain
        case other:
            raise NotImplemented_(f"Alight does not read requests in the content encoding {other}.")


def _whole(body: bytes | Stream) -> bytes:
    if not isinstance(body, bytes):
        raise TypeError("this protocol has no streams")
    return body


def _json_members(shape: Shape, body: bytes) -> Members:
    if not body:
        return {}
    members: Members = read_json(shape, parse_json(body), "")
    return members


def _rest_members(match: Match, request: Request, body: bytes | Stream) -> Members:
    bindings = match.operation.inputs
    given: Members = {}
    for item in bindings.uri:
        text = match.labels[item.name]
        given[item.member] = text if item.is_text else _read(item, text, "iso8601")
    if request.parameters:
        _refuse_unknown(match, request)
        _read_query_string(match, request, given)
    headers = request.headers
    named = bindings.by_header
    for name in [name for name in headers if name in named]:
        found, text = named[name], headers[name]
        given[found.member] = _text(text) if found.is_text else _read_header(found, text)
    for item in bindings.header_maps:
        if item.name not in "\n".join(headers):
            continue
        size = len(item.name)
        mapped = {name[size:]: _text(value) for name, value in headers.items() if name.startswith(item.name)}
        if mapped:
            given[item.member] = mapped
    _read_body(match, bindings, body, given)
    return given


def _refuse_unknown(match: Match, request: Request) -> None:
    """In S3 a name without a value asks for a subresource: one that we do not know is not the resource itself."""
    if match.service.name != "s3":
        return
    known = {item.name for item in match.operation.inputs.query} | {name for name, _ in match.operation.literals}
    for name, value in request.parameters:
        if not value and name not in known and not name.lower().startswith("x-"):
            raise NotImplemented_(f"Alight does not know the parameter {name} of {match.operation.name}.")


def _read_query_string(match: Match, request: Request, given: Members) -> None:
    bindings = match.operation.inputs
    for item in bindings.query:
        values = [value for name, value in request.parameters if name == item.name]
        if values and item.shape.type_name == "list":
            member = item.shape.member
            given[item.member] = [_read(Binding(item.member, item.name, member), value, "iso8601") for value in values]
        elif values:
            given[item.member] = _read(item, values[0], "iso8601")
    named = {item.name for item in bindings.query} | {name for name, _ in match.operation.literals}
    for item in bindings.query_maps:
        found: dict[str, Any] = {}
        for name, value in request.parameters:
            if name not in named and item.shape.value.type_name == "list":
                found.setdefault(name, []).append(value)
            elif name not in named:
                found.setdefault(name, value)
        if found:
            given[item.member] = found


def _read(item: Binding, text: str, timestamp: str) -> Any:
    try:
        return read_scalar(item.shape, text, timestamp)
    except ValueError as error:
        raise InvalidArgument(f"{item.member}: {text[:100]!r} is {error}.") from None


def _read_header(item: Binding, text: str) -> Any:
    if item.shape.type_name == "list":
        return [
            _read(Binding(item.member, item.name, item.shape.member), part.strip(), "rfc822")
            for part in text.split(",")
        ]
    if item.shape.serialization.get("jsonvalue"):
        try:
            return parsed(base64.b64decode(text, validate=True))
        except (binascii.Error, ValueError):
            raise InvalidArgument(f"{item.member} is not JSON in base64.") from None
    return _read(item, _text(text), "rfc822")


def _text(value: str) -> str:
    """Header bytes are UTF-8 where they can be; Latin-1 (as they came) where not."""
    if value.isascii():
        return value
    try:
        return value.encode("latin-1").decode()
    except UnicodeDecodeError:
        return value


def _read_body(match: Match, bindings: Bindings, body: bytes | Stream, given: Members) -> None:
    payload = bindings.payload
    if payload is not None and bindings.is_blob:
        required = payload.member in match.operation.required
        given_body = _blob(payload, body) if body or not required else b""
        if given_body is not None:
            given[payload.member] = given_body
        return
    raw = _whole(body)
    if not raw or (payload is None and not bindings.body):
        return
    reader = _xml_body if match.protocol == "rest-xml" else _json_body
    shape = payload.shape if payload is not None else match.operation.input_shape
    values = reader(match, shape, raw)
    if payload is not None:
        given[payload.member] = values
    else:
        given.update(values)


def _blob(payload: Binding, body: bytes | Stream) -> Any:
    if not isinstance(body, bytes):
        return body
    if payload.shape.type_name == "blob":
        return body or None
    try:
        return body.decode() or None
    except UnicodeDecodeError:
        raise InvalidArgument(f"{payload.member} is not UTF-8.") from None


def _xml_body(match: Match, shape: Any, body: bytes) -> Any:
    return read_root(shape, parse_xml(body), match.service.namespace)


def _json_body(match: Match, shape: Any, body: bytes) -> Any:
    return read_json(shape, parse_json(body), "")
