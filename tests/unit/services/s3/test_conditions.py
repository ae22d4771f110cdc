"""The conditions as tables: HTTP's order of precedence, S3's for copies, writers' own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from alight.errors import Fault
from alight.errors.common import NotImplemented_
from alight.errors.s3 import NoSuchKey, NotModified, PreconditionFailed
from alight.services.s3.conditions import Conditions, check_form, check_read, check_source, check_write, is_same, of

MODIFIED = 1_700_000_000.7
NOW = MODIFIED + 1000


def at(offset: float) -> datetime:
    return datetime.fromtimestamp(int(MODIFIED) + offset, UTC)


READS: list[tuple[dict[str, Any], type[Fault] | None]] = [
    ({}, None),
    ({"if_match": '"abc"'}, None),
    ({"if_match": "abc"}, None),
    ({"if_match": "*"}, None),
    ({"if_match": '"x", "abc"'}, None),
    ({"if_match": '"x"'}, PreconditionFailed),
    ({"if_none_match": '"abc"'}, NotModified),
    ({"if_none_match": 'W/"abc"'}, NotModified),
    ({"if_none_match": "*"}, NotModified),
    ({"if_none_match": '"x"'}, None),
    ({"if_modified_since": at(0)}, NotModified),
    ({"if_modified_since": at(1)}, NotModified),
    ({"if_modified_since": at(-1)}, None),
    ({"if_unmodified_since": at(0)}, None),
    ({"if_unmodified_since": at(-1)}, PreconditionFailed),
    # The tag decides where both are given.
    ({"if_match": "abc", "if_unmodified_since": at(-1)}, None),
    ({"if_none_match": "x", "if_modified_since": at(1)}, None),
    ({"if_none_match": "abc", "if_modified_since": at(-1)}, NotModified),
]


@pytest.mark.parametrize(("given", "fault"), READS)
def test_reads(given: dict[str, Any], fault: type[Fault] | None) -> None:
    if fault is None:
        check_read(Conditions(**given), "abc", MODIFIED)
        return
    with pytest.raises(fault):
        check_read(Conditions(**given), "abc", MODIFIED)


@pytest.mark.parametrize(
    ("given", "condition"),
    [
        ({}, None),
        ({"if_match": "x"}, "If-Match"),
        ({"if_none_match": "abc"}, "If-None-Match"),
        ({"if_unmodified_since": at(-1)}, "If-Unmodified-Since"),
        ({"if_modified_since": at(0)}, "If-Modified-Since"),
        ({"if_modified_since": at(5000)}, None),  # in the future: says nothing
        ({"if_match": "abc", "if_unmodified_since": at(-1)}, None),
        ({"if_none_match": "abc", "if_modified_since": at(-1)}, "If-None-Match"),
    ],
)
def test_sources(given: dict[str, Any], condition: str | None) -> None:
    if condition is None:
        check_source(Conditions(**given), "abc", MODIFIED, NOW)
        return
    with pytest.raises(PreconditionFailed) as refused:
        check_source(Conditions(**given), "abc", MODIFIED, NOW)
    assert refused.value.members["Condition"] == f"x-amz-copy-source-{condition}"


@pytest.mark.parametrize(
    ("given", "etag", "fault"),
    [
        ({}, None, None),
        ({}, "abc", None),
        ({"if_none_match": "*"}, None, None),
        ({"if_none_match": "*"}, "abc", PreconditionFailed),
        ({"if_match": '"abc"'}, "abc", None),
        ({"if_match": '"x"'}, "abc", PreconditionFailed),
        ({"if_match": '"abc"'}, None, NoSuchKey),
    ],
)
def test_writes(given: dict[str, Any], etag: str | None, fault: type[Fault] | None) -> None:
    if fault is None:
        check_write(Conditions(**given), "key", etag)
        return
    with pytest.raises(fault):
        check_write(Conditions(**given), "key", etag)


def test_writes_know_only_the_star() -> None:
    check_form(Conditions(if_none_match="*"))
    with pytest.raises(NotImplemented_):
        check_form(Conditions(if_none_match='"abc"'))
    with pytest.raises(NotImplemented_):
        check_form(Conditions(if_match="abc", if_none_match="*"))


def test_members_of_a_request() -> None:
    assert of({"CopySourceIfMatch": "a", "IfMatch": "b"}, "CopySource").if_match == "a"
    assert of({"CopySourceIfMatch": "a", "IfMatch": "b"}).if_match == "b"


@pytest.mark.parametrize(
    ("header", "same"),
    [
        (None, True),
        ('"abc"', True),
        ('"other"', False),
        ('W/"abc"', False),
        ("Tue, 14 Nov 2023 22:13:20 GMT", True),
        ("Tue, 14 Nov 2023 22:13:21 GMT", False),
        ("junk", False),
    ],
)
def test_ranges_of_what_has_changed_are_not_sent(header: str | None, same: bool) -> None:
    assert is_same(header, "abc", MODIFIED) is same
