"""Tags: of a bucket, of an object, in a header. The rules are pure; the handlers of object tagging stand below."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl

from alight.errors.s3 import InvalidArgument, InvalidTag

OBJECT_TAGS, BUCKET_TAGS = 10, 50
KEY_LETTERS, VALUE_LETTERS = 128, 256


def from_header(header: str | None) -> dict[str, str]:
    """Tags of `x-amz-tagging`, which is a query string. Raises `InvalidArgument` or `InvalidTag`."""
    if not header:
        return {}
    try:
        pairs = parse_qsl(header, keep_blank_values=True, strict_parsing=False, errors="strict", max_num_fields=100)
    except (ValueError, UnicodeDecodeError) as problem:
        raise _bad_header(header) from problem
    if len(pairs) != len({key for key, _ in pairs}) or not pairs:
        raise _bad_header(header)
    return checked(pairs, OBJECT_TAGS)


def _bad_header(header: str) -> InvalidArgument:
    return InvalidArgument(
        "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name "
        "duplicates.",
        ArgumentName="x-amz-tagging",
        ArgumentValue=header,
    )


def from_set(tag_set: Iterable[dict[str, str]], limit: int) -> dict[str, str]:
    """Tags of a `TagSet`. Raises `InvalidTag`, also for a key given twice."""
    pairs = [(tag.get("Key", ""), tag.get("Value", "")) for tag in tag_set]
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise InvalidTag("Cannot provide multiple Tags with the same key", TagKey=key)
        seen.add(key)
    return checked(pairs, limit)


def checked(pairs: Iterable[tuple[str, str]], limit: int) -> dict[str, str]:
    tags = dict(pairs)
    if len(tags) > limit:
        raise InvalidTag(f"Tags cannot be greater than {limit}")
    for key, value in tags.items():
        if not key or len(key) > KEY_LETTERS or not _legal(key):
            raise InvalidTag("The TagKey you have provided is invalid", TagKey=key)
        if len(value) > VALUE_LETTERS or not _legal(value):
            raise InvalidTag("The TagValue you have provided is invalid", TagKey=key, TagValue=value)
        if key.lower().startswith("aws:"):
            raise InvalidTag("System tags cannot be added/updated by requester", TagKey=key)
    return tags


def _legal(text: str) -> bool:
    return all(letter.isalnum() or letter.isspace() or letter in "_.:/=+-@" for letter in text)


def to_set(tags: dict[str, str]) -> list[dict[str, Any]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
