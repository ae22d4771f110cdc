"""What a bucket or a key may be called. Pure."""

from __future__ import annotations

import ipaddress
import re

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
