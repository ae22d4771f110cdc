"""PutObject, GetObject, HeadObject, GetObjectAttributes: one object in, one object out.

A PUT walks here: everything that the headers say is checked, the body is received and compared with what the client
said of it, then one transaction re-checks the conditions, writes the row and hands on the events.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import replace
from email.utils import format_datetime

from alight.calls import Call, Handler, Members
from alight.errors.s3 import InvalidArgument, InvalidPartNumber, InvalidRequest, NotModified
from alight.errors.store import Damaged
from alight.events.event import CREATED_POST, CREATED_PUT
from alight.services.s3 import checksums, conditions, headers
from alight.services.s3.acl import acl_for
from alight.services.s3.checksums import FULL
from alight.services.s3.ground import Ground, moment, quoted
from alight.services.s3.listing import page_size
from alight.services.s3.naming import check_key
from alight.services.s3.placing import check_now, place, receive
from alight.services.s3.ranges import Span, requested
from alight.services.s3.tagging import from_header
from alight.store.reading import Body
from alight.store.shapes import ObjectInfo, ObjectRow

_ATTRIBUTES = ("ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize")
#: Members that say where the bytes go, what they are and how they come: of most objects nothing else is said.
_USUAL = frozenset(
    {"Bucket", "Key", "Body", "ContentType", "ContentLength", "ContentMD5", "ChecksumAlgorithm", *checksums.MEMBERS}
)
# What browsers would run rather than show is kept from acting on behalf of this origin.
_ACTIVE = ("text/html", "application/xhtml", "image/svg", "text/xml", "application/xml", "+xml")


class Objects:
    """Handlers of the operations on one object's bytes."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def handlers(self) -> dict[str, Handler]:
        return {
            "PutObject": self.put_object,
            "PostObject": self.post_object,
            "GetObject": self.get_object,
            "HeadObject": self.head_object,
            "GetObjectAttributes": self.get_object_attributes,
        }

    def put_object(self, call: Call, given: Members) -> Awaitable[Members]:
        return self._create(call, given, CREATED_PUT)

    def post_object(self, call: Call, given: Members) -> Awaitable[Members]:
        """A browser's form, which arrives as the PutObject that it stands for."""
        return self._create(call, given, CREATED_POST)

    async def _create(self, call: Call, given: Members, event_name: str) -> Members:
        bucket, key = self._ground.bucket(given), str(given["Key"])
        check_key(key)
        info = info_of(given)
        if acl := acl_for(call, bucket, given):
            info = replace(info, acl=acl)
        asked = conditions.of(given)
        conditions.check_form(asked)
        # Asked twice: here so that a body which cannot be kept need not travel, and again when it counts.
        check_now(self._ground, bucket.name, key, asked)
        arrived = await receive(self._ground, call, given)
        row = await place(self._ground, call, bucket.name, key, arrived, info, asked, event_name)
        return {"ETag": quoted(row.etag), **sums_of(row), **headers.encryption(row), **self._ground.facts(row)}

    async def get_object(self, call: Call, given: Members) -> Members:
        row = self._ground.object(given)
        span, reply = _answer(call, row, given)
        reply |= self._facts(row, given)
        try:
            reply["Body"] = self._body(row, *((span.start, span.end) if span else (0, row.size)))
        except Damaged:
            # A small body is a row of its own, and goes with its object: between the two looks that may be another.
            if self._ground.object(given) == row:
                raise
            return await self.get_object(call, given)
        return reply

    def _body(self, row: ObjectRow, start: int, end: int) -> bytes | Body:
        body = self._ground.objects.read_at_once(row.segments, start, end)
        return self._ground.objects.open_body(row, start, end) if body is None else body

    async def head_object(self, call: Call, given: Members) -> Members:
        row = self._ground.object(given)
        return _answer(call, row, given)[1] | self._facts(row, given)

    def _facts(self, row: ObjectRow, given: Members) -> Members:
        """Its version; and when it expires, of what is current."""
        return self._ground.version(row) if given.get("VersionId") else self._ground.facts(row)

    async def get_object_attributes(self, call: Call, given: Members) -> Members:
        row = self._ground.object(given)
        asked = given.get("ObjectAttributes") or ()
        if not asked or set(asked) - set(_ATTRIBUTES):
            raise InvalidArgument("Invalid attribute name specified.", ArgumentName="x-amz-object-attributes")
        reply: Members = {"LastModified": moment(row.last_modified), **self._ground.version(row)}
        facts: Members = {
            "ETag": row.etag,
            "StorageClass": "STANDARD",
            "ObjectSize": row.size,
            "Checksum": sums_of(row),
            "ObjectParts": _parts(row, given),
        }
        return reply | {name: facts[name] for name in asked if facts[name] or name == "ObjectSize"}


def info_of(given: Members) -> ObjectInfo:
    """Everything that the request says of the object but its bytes; what cannot be kept is refused here."""
    if given.keys() <= _USUAL:
        return ObjectInfo(content_type=headers.content_type(given))
    headers.check_storage(given)
    headers.check_acl(given)
    return ObjectInfo(
        content_type=headers.content_type(given),
        headers=headers.kept(given),
        metadata=headers.metadata(given),
        storage=headers.stored(given),
        tags=from_header(given.get("Tagging")),
    )


def sums_of(row: ObjectInfo) -> Members:
    """The object's checksums as members of a reply."""
    if not row.checksums:
        return {}
    named: Members = {f"Checksum{name.upper()}": value for name, value in row.checksums.items()}
    return named | {"ChecksumType": row.checksum_type or FULL}


def _answer(call: Call, row: ObjectRow, given: Members) -> tuple[Span | None, Members]:
    """What GetObject and HeadObject have in common; the span where not all bytes are meant."""
    try:
        conditions.check_read(conditions.of(given), row.etag, row.last_modified)
    except NotModified:
        raise NotModified(
            HTTPHeaders={
                "etag": quoted(row.etag),
                "last-modified": format_datetime(moment(row.last_modified), usegmt=True),
            }
        ) from None
    number, header = given.get("PartNumber"), given.get("Range")
    if not conditions.is_same(call.headers.get("if-range"), row.etag, row.last_modified):
        header = None
    if number is not None and header is not None:
        raise InvalidRequest("Cannot specify both Range header and partNumber query parameter")
    span = _part(row, number) if number is not None else requested(header, row.size)
    chosen = headers.overrides(given)
    if chosen and call.principal.kind == "anonymous":
        raise InvalidRequest("Request specific response headers cannot be used for anonymous GET requests.")
    reply: Members = {
        "AcceptRanges": "bytes",
        "LastModified": moment(row.last_modified),
        "ETag": quoted(row.etag),
        "ContentLength": span.length if span else row.size,
        **headers.shown(row),
        **chosen,
    }
    if row.tags:
        reply["TagCount"] = len(row.tags)
    if number is not None and row.parts:
        reply["PartsCount"] = len(row.parts)
    if given.get("ChecksumMode") == "ENABLED" and (span is None or span.length == row.size):
        reply |= sums_of(row)
    extra = {"x-content-type-options": "nosniff"}
    if any(each in reply["ContentType"].lower() for each in _ACTIVE):
        extra["content-security-policy"] = "sandbox"
    reply["ResponseMetadata"] = {"HTTPHeaders": extra}
    if span is not None:
        reply["ContentRange"] = span.content_range()
        reply["ResponseMetadata"]["HTTPStatusCode"] = 206
    return span, reply


def _part(row: ObjectRow, number: int) -> Span | None:
    """The bytes of one part; an object that came in one piece is its own first part."""
    if number < 1:
        raise InvalidArgument(
            "Part number must be an integer between 1 and 10000, inclusive",
            ArgumentName="partNumber",
            ArgumentValue=number,
        )
    start = 0
    for position, part in enumerate(row.parts, 1):
        if position == number:
            return Span(start, start + part.size, row.size)
        start += part.size
    if row.parts or number > 1:
        raise InvalidPartNumber(ActualPartCount=max(len(row.parts), 1), PartNumberRequested=number)
    return Span(0, row.size, row.size) if row.size else None


def _parts(row: ObjectRow, given: Members) -> Members:
    """ObjectParts: the count, and the parts themselves where they have checksums of their own."""
    if not row.parts:
        return {}
    reply: Members = {"TotalPartsCount": len(row.parts)}
    if row.checksum_type == FULL:
        return reply
    marker, limit = int(given.get("PartNumberMarker") or 0), page_size(given.get("MaxParts"), "max-parts")
    rest = [part for part in row.parts if part.number > marker]
    page = rest[:limit]
    reply |= {
        "PartNumberMarker": marker,
        "MaxParts": limit,
        "IsTruncated": 0 < len(page) < len(rest),
        "NextPartNumberMarker": page[-1].number if page else 0,
        "Parts": [
            {
                "PartNumber": part.number,
                "Size": part.size,
                **{f"Checksum{name.upper()}": part.checksums[name] for name in row.checksums},
            }
            for part in page
        ],
    }
    return reply
