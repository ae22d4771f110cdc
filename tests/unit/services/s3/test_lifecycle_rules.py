"""Lifecycle rules: which are taken, and what is due of which object at which moment."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from alight.errors import Fault
from alight.services.s3.lifecycle_form import read_rules, shown_rules
from alight.services.s3.lifecycle_rules import after_days, due, ends, expiration, rules_of
from alight.stacks.resources.s3_lifecycle import lifecycle_rule
from alight.store.shapes import ObjectInfo, ObjectRow, Upload

DAY = 86_400.0
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()


def rule(**fields: Any) -> dict[str, Any]:
    return {"ID": "r", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 1}} | fields


def row(key: str = "k", at: float = NOON, **fields: Any) -> ObjectRow:
    given: dict[str, Any] = {"size": 1, "etag": "", "sequencer": "", "crc64nvme": "", "segments": (), "version_id": key}
    return ObjectRow(bucket="b", key=key, last_modified=at, **given | fields)


def test_a_number_of_days_ends_at_the_midnight_after_it() -> None:
    assert after_days(NOON, 1) == datetime(2026, 3, 3, tzinfo=UTC).timestamp()
    midnight = datetime(2026, 3, 1, tzinfo=UTC).timestamp()
    assert after_days(midnight, 1) == midnight + DAY


@pytest.mark.parametrize(
    ("chosen", "wanted"),
    [
        ({}, True),
        ({"Prefix": "logs/"}, True),
        ({"Prefix": "birds/"}, False),
        ({"Tag": {"Key": "a", "Value": "b"}}, True),
        ({"Tag": {"Key": "a", "Value": "c"}}, False),
        ({"ObjectSizeGreaterThan": 9}, True),
        ({"ObjectSizeGreaterThan": 10}, False),
        ({"ObjectSizeLessThan": 10}, False),
        ({"And": {"Prefix": "logs/", "Tags": [{"Key": "a", "Value": "b"}], "ObjectSizeLessThan": 11}}, True),
        ({"And": {"Prefix": "logs/", "Tags": [{"Key": "x", "Value": "b"}]}}, False),
    ],
)
def test_filters(chosen: dict[str, Any], wanted: bool) -> None:
    [one] = rules_of({"lifecycle": {"Rules": read_rules({"Rules": [rule(Filter=chosen)]})}})
    assert one.wants(row("logs/1", size=10, tags={"a": "b"})) is wanted


def test_what_is_due() -> None:
    def rules(**fields: Any) -> Any:
        return rules_of({"lifecycle": {"Rules": [rule(**fields)]}})

    current = row()
    assert not due(rules(), [current], after_days(NOON, 1) - 1)
    assert due(rules(), [current], after_days(NOON, 1)).current == current
    assert not due(rules(Status="Disabled"), [current], NOON + 99 * DAY)
    assert due(rules(Expiration={"Date": 1.0}), [current], NOON)
    marker = row(marker=True)
    assert due(rules(Expiration={"ExpiredObjectDeleteMarker": True}), [marker], NOON).versions == (marker,)
    assert not due(rules(Expiration={"ExpiredObjectDeleteMarker": True}), [marker, current], NOON)
    assert due(rules(), [marker], after_days(NOON, 1)).versions == (marker,)
    # An old version's time begins when the next one came.
    old = rules(Expiration={}, NoncurrentVersionExpiration={"NoncurrentDays": 1})
    versions = [row(at=NOON), row(at=NOON - 50 * DAY), row(at=NOON - 99 * DAY)]
    assert due(old, versions, NOON).versions == (versions[2],)
    assert due(old, versions, NOON + 2 * DAY).versions == tuple(versions[1:])
    newer = rules(Expiration={}, NoncurrentVersionExpiration={"NoncurrentDays": 1, "NewerNoncurrentVersions": 1})
    assert due(newer, versions, NOON + 2 * DAY).versions == (versions[2],)


def test_what_headers_say() -> None:
    rules = rules_of({"lifecycle": {"Rules": [rule(ID="a b"), rule(ID="late", Expiration={"Days": 9})]}})
    assert expiration(rules, row()) == 'expiry-date="Tue, 03 Mar 2026 00:00:00 GMT", rule-id="a%20b"'
    assert expiration((), row()) == ""
    [abort] = rules_of(
        {"lifecycle": {"Rules": [rule(Expiration={}, AbortIncompleteMultipartUpload={"DaysAfterInitiation": 1})]}}
    )
    assert ends([abort], Upload("u", "b", "k", NOON, ObjectInfo())) == (after_days(NOON, 1), "r")


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        ([], "MalformedXML", "did not validate"),
        ([rule(Status="On")], "MalformedXML", "did not validate"),
        ([rule(Filter=None)], "MalformedXML", "did not validate"),
        ([rule(Prefix="x")], "MalformedXML", "did not validate"),
        ([rule(Filter={"Prefix": "a", "ObjectSizeLessThan": 3})], "MalformedXML", "did not validate"),
        ([rule(Filter={"And": {"Prefix": "a"}})], "MalformedXML", "did not validate"),
        ([rule(Expiration={"Days": 1, "ExpiredObjectDeleteMarker": True})], "MalformedXML", "did not validate"),
        ([rule(Expiration=None)], "InvalidRequest", "At least one action"),
        ([rule(Expiration={"Days": 0})], "InvalidArgument", "'Days' for Expiration action must be a positive integer"),
        ([rule(Expiration={"Date": datetime(2026, 1, 1, 1)})], "InvalidArgument", "midnight GMT"),
        ([rule(), rule()], "InvalidArgument", "Rule ID must be unique"),
        ([rule(ID="x" * 256)], "InvalidArgument", "ID length"),
        ([rule(Transitions=[{"Days": 1, "StorageClass": "GLACIER"}])], "NotImplemented", "Transitions"),
        ([rule(NoncurrentVersionTransitions=[{}])], "NotImplemented", "NoncurrentVersionTransitions"),
        (
            [rule(Filter={"Tag": {"Key": "a", "Value": "b"}}, Expiration={"ExpiredObjectDeleteMarker": True})],
            "InvalidRequest",
            "cannot be specified with Tags",
        ),
        (
            [rule(NoncurrentVersionExpiration={"NoncurrentDays": 1, "NewerNoncurrentVersions": 101})],
            "InvalidArgument",
            "NewerNoncurrentVersions",
        ),
    ],
)
def test_what_is_refused(given: list[dict[str, Any]], code: str, words: str) -> None:
    with pytest.raises(Fault, match=words) as refused:
        read_rules({"Rules": given})
    assert refused.value.code == code


def test_rules_of_templates_are_the_operations() -> None:
    given = {
        "Id": "old",
        "Status": "Enabled",
        "Prefix": "logs/",
        "TagFilters": [{"Key": "a", "Value": "b"}],
        "ExpirationDate": "2026-01-01T00:00:00Z",
        "NoncurrentVersionExpirationInDays": 3,
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": "7"},
    }
    with pytest.raises(Fault, match="AbortIncompleteMultipartUpload cannot be specified with Tags"):
        read_rules({"Rules": [lifecycle_rule(given)]})
    del given["AbortIncompleteMultipartUpload"]
    kept = read_rules({"Rules": [lifecycle_rule(given)]})
    assert shown_rules(kept) == [
        {
            "ID": "old",
            "Status": "Enabled",
            "Filter": {"And": {"Prefix": "logs/", "Tags": [{"Key": "a", "Value": "b"}]}},
            "Expiration": {"Date": datetime(2026, 1, 1, tzinfo=UTC)},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 3},
        }
    ]
    assert lifecycle_rule({"Status": "Enabled", "ExpirationInDays": "1"})["Filter"] == {}
    one_tag = lifecycle_rule({"Status": "Enabled", "TagFilters": [{"Key": "a", "Value": "b"}]})
    assert one_tag["Filter"] == {"Tag": {"Key": "a", "Value": "b"}}
