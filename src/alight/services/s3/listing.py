"""ListObjects and ListObjectsV2: keys in the order of their bytes, page by page, folders rolled up.

A page continues behind the last name that was shown, be it a key or a common prefix; a continuation token is that
name in base64, with a mark to tell it from junk.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable

from alight.calls import Call, Handler, Members
from alight.errors.s3 import InvalidArgument
from alight.events.event import encoded_key
from alight.services.s3.ground import OWNER, Ground, moment, quoted
from alight.store.shapes import ObjectRow, Page

PAGE = 1000
_LARGEST = 2**31 - 1
_MARK = "a1:"


class Listing:
    """The two ways to list a bucket."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def handlers(self) -> dict[str, Handler]:
        return {"ListObjects": self.list_objects, "ListObjectsV2": self.list_objects_v2}

    async def list_objects(self, call: Call, given: Members) -> Members:
        page = self._page(given, given.get("Marker") or "")
        spell = speller(given)
        reply = _common(given, page, spell, with_owner=True)
        reply["Marker"] = spell(given.get("Marker") or "")
        if page.next is not None and given.get("Delimiter"):
            reply["NextMarker"] = spell(page.next)
        return reply

    async def list_objects_v2(self, call: Call, given: Members) -> Members:
        token = given.get("ContinuationToken")
        page = self._page(given, opened(token) if token is not None else given.get("StartAfter") or "")
        spell = speller(given)
        reply = _common(given, page, spell, with_owner=bool(given.get("FetchOwner")))
        reply["KeyCount"] = len(page.rows) + len(page.common_prefixes)
        if token is not None:
            reply["ContinuationToken"] = token
        if given.get("StartAfter"):
            reply["StartAfter"] = spell(given["StartAfter"])
        if page.next is not None:
            reply["NextContinuationToken"] = sealed(page.next)
        return reply

    def _page(self, given: Members, after: str) -> Page:
        bucket = self._ground.bucket(given)
        limit = page_size(given.get("MaxKeys"), "maxKeys")
        if limit == 0:
            return Page([], [], None)
        prefix, delimiter = given.get("Prefix") or "", given.get("Delimiter") or ""
        return self._ground.objects.list_page(bucket.name, prefix, delimiter, after, limit)


def page_size(given: int | None, argument: str) -> int:
    """At most 1,000; the client may ask for less. Raises `InvalidArgument` below 0 or beyond 2^31 - 1."""
    if given is None:
        return PAGE
    if not 0 <= given <= _LARGEST:
        raise InvalidArgument(
            f"Argument {argument} must be an integer between 0 and {_LARGEST}",
            ArgumentName=argument,
            ArgumentValue=given,
        )
    return min(given, PAGE)


def sealed(name: str) -> str:
    """A continuation token: opaque to the client, the name to go on behind for us."""
    return base64.urlsafe_b64encode((_MARK + name).encode()).decode()


def opened(token: str) -> str:
    """The name in a token. Raises `InvalidArgument` for what is not one of ours."""
    try:
        text = base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        text = ""
    if not text.startswith(_MARK):
        raise InvalidArgument(
            "The continuation token provided is incorrect", ArgumentName="continuation-token", ArgumentValue=token
        )
    return text.removeprefix(_MARK)


def speller(given: Members) -> Callable[[str], str]:
    """How names are written in the reply: plain, or URL-encoded for `EncodingType=url`."""
    kind = given.get("EncodingType")
    if kind not in (None, "url"):
        raise InvalidArgument(
            "Invalid Encoding Method specified in Request", ArgumentName="encoding-type", ArgumentValue=kind
        )
    return encoded_key if kind == "url" else str


def _common(given: Members, page: Page, spell: Callable[[str], str], *, with_owner: bool) -> Members:
    reply: Members = {
        "Name": given["Bucket"],
        "Prefix": spell(given.get("Prefix") or ""),
        "MaxKeys": page_size(given.get("MaxKeys"), "maxKeys"),
        "IsTruncated": page.next is not None,
        "Contents": [content_of(row, spell, with_owner=with_owner) for row in page.rows],
        "CommonPrefixes": [{"Prefix": spell(prefix)} for prefix in page.common_prefixes],
    }
    if given.get("Delimiter"):
        reply["Delimiter"] = spell(given["Delimiter"])
    if given.get("EncodingType"):
        reply["EncodingType"] = given["EncodingType"]
    return reply


def content_of(row: ObjectRow, spell: Callable[[str], str], *, with_owner: bool) -> Members:
    """One object of a listing."""
    content: Members = {
        "Key": spell(row.key),
        "LastModified": moment(row.last_modified),
        "ETag": quoted(row.etag),
        "Size": row.size,
        "StorageClass": "STANDARD",
    }
    if row.checksums:
        content["ChecksumAlgorithm"] = [name.upper() for name in row.checksums]
        content["ChecksumType"] = row.checksum_type
    if with_owner:
        content["Owner"] = OWNER
    return content
