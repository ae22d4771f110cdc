"""What travels with an object besides its bytes: content headers, user metadata, class, encryption. Pure.

Requests are checked here before their body is read; the same members come back on GetObject and HeadObject.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from alight.calls import Members
from alight.errors.common import NotImplemented_
from alight.errors.s3 import InvalidArgument, InvalidRedirectLocation, InvalidStorageClass, MetadataTooLarge
from alight.services.s3.site_rules import is_redirect_location
from alight.store.shapes import ObjectInfo

DEFAULT_TYPE = "binary/octet-stream"
METADATA_BYTES = 2048

# Kept as given and returned under the same name.
_PLAIN = ("CacheControl", "ContentDisposition", "ContentLanguage", "WebsiteRedirectLocation")
_STORAGE_CLASSES = frozenset({
    "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER", "DEEP_ARCHIVE", "OUTPOSTS",
    "GLACIER_IR", "SNOW", "EXPRESS_ONEZONE", "FSX_OPENZFS", "FSX_ONTAP", "AWS_BACKUP_WARM",
    "AWS_BACKUP_LOW_COST_WARM",
})  # fmt: skip
_ALLOWED = frozenset({"private", "bucket-owner-full-control", "bucket-owner-read", "public-read"})
_UNKNOWN_HERE = frozenset({"public-read-write", "authenticated-read", "aws-exec-read", "log-delivery-write"})

# GetObject's overrides: member of the request → member of the reply.
OVERRIDES = {
    "ResponseCacheControl": "CacheControl",
    "ResponseContentDisposition": "ContentDisposition",
    "ResponseContentEncoding": "ContentEncoding",
    "ResponseContentLanguage": "ContentLanguage",
    "ResponseContentType": "ContentType",
    "ResponseExpires": "Expires",
}


def content_type(given: Members) -> str:
    return str(given.get("ContentType") or DEFAULT_TYPE)


def kept(given: Members) -> dict[str, str]:
    """The headers to keep with an object. Raises `InvalidRedirectLocation` for what a website cannot lead to."""
    if given.get("WebsiteRedirectLocation") and not is_redirect_location(given["WebsiteRedirectLocation"]):
        raise InvalidRedirectLocation
    headers = {name: str(given[name]) for name in _PLAIN if given.get(name)}
    if not given.get("ContentEncoding"):
        return headers
    codings = [each.strip() for each in given["ContentEncoding"].split(",")]
    # aws-chunked says how the body travelled, not what it is.
    if left := [each for each in codings if each and each.lower() != "aws-chunked"]:
        headers["ContentEncoding"] = ",".join(left)
    return headers


def stored(given: Members) -> dict[str, Any]:
    """The further members to keep, in a form that JSON holds (`Expires` in seconds since 1970)."""
    storage: dict[str, Any] = {}
    if isinstance(expires := given.get("Expires"), datetime):
        storage["Expires"] = expires.timestamp()
    if given.get("ServerSideEncryption"):
        storage["ServerSideEncryption"] = given["ServerSideEncryption"]
    return storage


def shown(row: ObjectInfo) -> Members:
    """What was kept, as members of a reply."""
    members: Members = {"ContentType": row.content_type, **row.headers, "Metadata": metadata_shown(row.metadata)}
    if "Expires" in row.storage:
        members["Expires"] = datetime.fromtimestamp(row.storage["Expires"], UTC)
    return members | encryption(row)


def encryption(row: ObjectInfo) -> Members:
    """`ServerSideEncryption` where it was asked for: returned, and of no effect here."""
    asked = row.storage.get("ServerSideEncryption")
    return {"ServerSideEncryption": asked} if asked else {}


def metadata(given: Members) -> dict[str, str]:
    """User metadata with lower-case names. Raises `MetadataTooLarge` over 2 KB of names and values."""
    if not given.get("Metadata"):
        return {}
    pairs = {name.lower(): value for name, value in given["Metadata"].items()}
    size = sum(len(name.encode()) + len(value.encode()) for name, value in pairs.items())
    if size > METADATA_BYTES:
        raise MetadataTooLarge(Size=size, MaxSizeAllowed=METADATA_BYTES)
    return pairs


def metadata_shown(pairs: Mapping[str, str]) -> dict[str, str]:
    """Metadata for headers: what is not ASCII goes as an RFC 2047 word, as S3 sends it."""
    return {name: value if value.isascii() else _encoded_word(value) for name, value in pairs.items()}


def _encoded_word(value: str) -> str:
    return f"=?UTF-8?B?{base64.b64encode(value.encode()).decode()}?="


def overrides(given: Members) -> Members:
    """GetObject's response headers as asked for in the query. Raises `InvalidArgument` for control characters."""
    found = {reply: given[asked] for asked, reply in OVERRIDES.items() if given.get(asked) is not None}
    for value in found.values():
        if isinstance(value, str) and not value.isprintable():
            raise InvalidArgument("Header value cannot be represented", ArgumentValue=value.encode().hex())
    return found


def check_storage(given: Members) -> None:
    """Refuse what would be stored otherwise than asked: storage classes and encryption that are not here."""
    storage = given.get("StorageClass")
    if storage in _STORAGE_CLASSES:
        raise NotImplemented_(f"Alight does not support StorageClass {storage}: objects are kept in STANDARD.")
    if storage not in (None, "STANDARD"):
        raise InvalidStorageClass(StorageClassRequested=storage)
    encryption = given.get("ServerSideEncryption")
    if encryption in ("aws:kms", "aws:kms:dsse", "aws:fsx", "aws:backup"):
        raise NotImplemented_(f"Alight does not support ServerSideEncryption {encryption}.")
    if encryption not in (None, "AES256"):
        raise InvalidArgument(
            "The encryption method specified is not supported",
            ArgumentName="x-amz-server-side-encryption",
            ArgumentValue=encryption,
        )


def check_acl(given: Members) -> None:
    """Which canned ACLs there are: the owner's, and `public-read` (`acl`); the others are refused by name."""
    acl = given.get("ACL")
    if acl is None or acl in _ALLOWED:
        return
    if acl in _UNKNOWN_HERE:
        raise NotImplemented_(f"Alight does not support the ACL {acl}.")
    raise InvalidArgument(ArgumentName="x-amz-acl", ArgumentValue=acl)
