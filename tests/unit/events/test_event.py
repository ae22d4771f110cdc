"""Records against those that AWS sent: same fields, same nesting, same kinds of value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alight.events import event
from alight.events.event import Change

GOLDEN = Path(__file__).parents[4] / "shared" / "golden" / "s3_event_record.json"

OURS: dict[str, dict[str, Any]] = {
    event.CREATED_PUT: {"size": 9, "etag": "437b930db84b8079c2dd804a71936b5f", "sequencer": "0000000000000001"},
    event.CREATED_POST: {"size": 9, "etag": "437b930db84b8079c2dd804a71936b5f", "sequencer": "0000000000000001"},
    event.CREATED_COPY: {"size": 9, "etag": "437b930db84b8079c2dd804a71936b5f", "sequencer": "0000000000000001"},
    event.CREATED_MULTIPART: {"size": 9, "etag": "8eabe9d6b43316e840b079170916c079-1", "sequencer": "01"},
    event.REMOVED_DELETE: {"sequencer": "0000000000000001"},
    event.TAGGING_PUT: {"etag": "437b930db84b8079c2dd804a71936b5f"},
    event.TAGGING_DELETE: {"etag": "437b930db84b8079c2dd804a71936b5f"},
    event.ACL_PUT: {"etag": "437b930db84b8079c2dd804a71936b5f"},
}


def change(name: str = event.CREATED_PUT, key: str = "my key", **fields: Any) -> Change:
    return Change(
        name=name,
        bucket="photos",
        key=key,
        when=1_700_000_000.25,
        request_id="6f3c",
        principal_id="AWS:AIDA",
        source_ip="127.0.0.1",
        owner_id="A1B2",
        **fields,
    )


def shape(value: Any) -> Any:
    """The nesting and the kinds of a JSON value without its contents."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    return type(value).__name__


def recorded() -> dict[str, Any]:
    if not GOLDEN.exists():
        pytest.skip("the recorded events are not beside this checkout")
    found: dict[str, Any] = {}
    for entry in json.loads(GOLDEN.read_text()):
        payload = entry["payload"]
        for record in payload if isinstance(payload, list) else [payload]:
            whole = isinstance(record, dict) and "eventVersion" in record
            if whole and "versionId" not in record["s3"]["object"]:
                found.setdefault(record["eventName"], record)
    return found


@pytest.mark.parametrize("name", OURS)
def test_fields_are_those_of_aws(name: str) -> None:
    theirs = recorded()[name]
    ours = event.record(change(name, **OURS[name]), "rule")
    assert shape(ours) == shape(theirs)
    assert ours["eventVersion"] == theirs["eventVersion"]
    assert ours["eventSource"] == theirs["eventSource"]
    assert ours["s3"]["s3SchemaVersion"] == theirs["s3"]["s3SchemaVersion"]
    assert ours["eventName"] == name


def test_values_of_a_put() -> None:
    one = event.payload(change(key="a b/ü@c.jpg", **OURS[event.CREATED_PUT]), "rule")["Records"]
    assert len(one) == 1
    assert one[0]["eventTime"] == "2023-11-14T22:13:20.250Z"
    assert one[0]["s3"]["object"] == {
        "key": "a+b/%C3%BC%40c.jpg",
        "size": 9,
        "eTag": "437b930db84b8079c2dd804a71936b5f",
        "sequencer": "0000000000000001",
    }
    assert one[0]["s3"]["bucket"] == {
        "name": "photos",
        "ownerIdentity": {"principalId": "A1B2"},
        "arn": "arn:aws:s3:::photos",
    }
    assert one[0]["s3"]["configurationId"] == "rule"
    assert one[0]["responseElements"]["x-amz-request-id"] == "6f3c"
    assert one[0]["userIdentity"] == {"principalId": "AWS:AIDA"}


def test_a_delete_has_neither_size_nor_tag() -> None:
    fields = event.record(change(event.REMOVED_DELETE, sequencer="01"), "rule")["s3"]["object"]
    assert set(fields) == {"key", "sequencer"}


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300))
def test_handlers_get_the_key_back(key: str) -> None:
    written = event.encoded_key(key)
    assert unquote_plus(written) == key
    assert written.isascii()
    assert " " not in written


def test_the_announcement_of_a_new_target() -> None:
    said = event.announcement("photos", 1_700_000_000.0, "6f3c")
    assert said == {
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": "2023-11-14T22:13:20.000Z",
        "Bucket": "photos",
        "RequestId": "6f3c",
        "HostId": "NmYzYw==",
    }
