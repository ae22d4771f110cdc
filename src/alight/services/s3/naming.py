"""What a bucket or a key may be called. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from alight.errors.s3 import InvalidArgument, InvalidBucketName, KeyTooLongError

KEY_BYTES = 1024
_BUCKET = re.compile(r"[a-z0-9](?:[a-z0-9.-]{1,61})[a-z0-9]")
_RESERVED = re.compile(r"(?:xn--|sthree-|amzn-s3-demo-).*|.*(?:-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3)")


def check_bucket_name(name: str) -> None:
    """Raises `InvalidBucketName` unless S3's rules for new buckets allow `name`."""
    if not _BUCKET.fullmatch(name) or ".." in name or _RESERVED.fullmatch(name) or _is_address(name):
        raise InvalidBucketName(BucketName=name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.IPv4Address(name)
    except ValueError:
        return False
    return True


def check_key(key: str) -> None:
    """Raises `KeyTooLongError` over 1,024 bytes of UTF-8, `InvalidArgument` for what is not legal text.

    Everything else is a legal key: `..`, `//`, a leading or a trailing slash mean nothing to the store.
    """
    try:
        size = len(key.encode())
    except UnicodeEncodeError as problem:
        raise InvalidArgument("Object key is not valid UTF-8.", ArgumentName="key") from problem
    if size > KEY_BYTES:
        raise KeyTooLongError(Size=size, MaxSizeAllowed=KEY_BYTES)
    if "\x00" in key:
        raise InvalidArgument("Object key must not contain a NUL character.", ArgumentName="key")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a copy comes from."""

    bucket: str
    key: str
    version: str | None = None


def copy_source(given: Mapping[str, Any]) -> Source:
    """The object that CopyObject or UploadPartCopy reads. Raises `InvalidArgument` for what names none.

    Whoever decides whether the caller may read it must ask here, so that both mean the same object.
    """
    text, found, version = str(given.get("CopySource") or "").partition("?versionId=")
    try:
        bucket, slash, key = unquote(text, errors="strict").removeprefix("/").partition("/")
    except UnicodeDecodeError:
        bucket = slash = key = ""
    if not bucket or not slash or not key or bucket.startswith("arn:"):
        raise InvalidArgument(
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
            ArgumentName="x-amz-copy-source",
            ArgumentValue=given.get("CopySource"),
        )
    return Source(bucket, key, version if found else None)
