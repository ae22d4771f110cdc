"""What a lifecycle configuration has to look like, in S3's words where it does not. Pure.

What would move objects to other storage classes is refused by name: everything is kept in one.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any

from alight.calls import Members
from alight.errors.common import NotImplemented_
from alight.errors.s3 import InvalidArgument, InvalidRequest, MalformedXML

MOST_RULES = 1_000
MOST_ID = 255
MOST_NEWER = 100

_ACTIONS = ("Expiration", "NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload")
_TRANSITIONS = ("Transitions", "NoncurrentVersionTransitions")
_FILTERS = ("Prefix", "Tag", "ObjectSizeGreaterThan", "ObjectSizeLessThan", "And")
_AND = ("Prefix", "Tags", "ObjectSizeGreaterThan", "ObjectSizeLessThan")


def read_rules(given: Members) -> list[Members]:
    """The rules as they are kept: ids made where missing, dates in seconds since 1970.

    Raises `MalformedXML`, `InvalidArgument`, `InvalidRequest`, or `NotImplemented_` for transitions.
    """
    every = given.get("Rules") or []
    if not 0 < len(every) <= MOST_RULES:
        raise MalformedXML
    rules = [_rule(one) for one in every]
    if len({rule["ID"] for rule in rules}) < len(rules):
        raise InvalidArgument("Rule ID must be unique. Found same ID for more than one rule")
    return rules


def shown_rules(rules: list[Members]) -> list[Members]:
    """The rules as S3 gives them back."""
    return [rule | ({"Expiration": _shown(rule["Expiration"])} if "Expiration" in rule else {}) for rule in rules]


def _shown(expiration: Members) -> Members:
    if "Date" not in expiration:
        return expiration
    return expiration | {"Date": datetime.fromtimestamp(expiration["Date"], UTC)}


def _rule(given: Members) -> Members:
    for name in _TRANSITIONS:
        if given.get(name):
            raise NotImplemented_(
                f"Alight does not support {name} of s3 PutBucketLifecycleConfiguration: objects are kept in STANDARD."
            )
    if given.get("Status") not in ("Enabled", "Disabled"):
        raise MalformedXML
    name = given.get("ID") or secrets.token_urlsafe(36)
    if len(name) > MOST_ID:
        raise InvalidArgument(f"ID length should not exceed allowed limit of {MOST_ID}")
    rule: Members = {"ID": name, "Status": given["Status"], **_filter(given)}
    if not any(given.get(action) is not None for action in _ACTIONS):
        raise InvalidRequest("At least one action needs to be specified in a rule")
    if given.get("Expiration") is not None:
        rule["Expiration"] = _expiration(given["Expiration"])
    if given.get("NoncurrentVersionExpiration") is not None:
        rule["NoncurrentVersionExpiration"] = _noncurrent(given["NoncurrentVersionExpiration"])
    if given.get("AbortIncompleteMultipartUpload") is not None:
        days = given["AbortIncompleteMultipartUpload"].get("DaysAfterInitiation")
        _check_days(days, "DaysAfterInitiation", "AbortIncompleteMultipartUpload")
        rule["AbortIncompleteMultipartUpload"] = {"DaysAfterInitiation": days}
    _check_together(rule)
    return rule


def _filter(given: Members) -> Members:
    """The rule's Filter, or the Prefix that older clients write instead."""
    prefix, chosen = given.get("Prefix"), given.get("Filter")
    if (prefix is None) == (chosen is None):
        raise MalformedXML
    if chosen is None:
        return {"Prefix": prefix}
    asked = {name: chosen[name] for name in _FILTERS if chosen.get(name) is not None}
    if len(asked) > 1:
        raise MalformedXML
    if "And" in asked:
        both = {name: asked["And"][name] for name in _AND if asked["And"].get(name) is not None}
        tags = both.get("Tags") or []
        if len(both) + max(len(tags) - 1, 0) < 2:
            raise MalformedXML
        if len({tag["Key"] for tag in tags}) < len(tags):
            raise InvalidRequest("Duplicate Tag Keys are not allowed.")
        least, most = both.get("ObjectSizeGreaterThan"), both.get("ObjectSizeLessThan")
        if least is not None and most is not None and most <= least + 1:
            raise InvalidRequest("'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'.")
        asked = {"And": both}
    return {"Filter": asked}


def _expiration(given: Members) -> Members:
    said = {name: given[name] for name in ("Days", "Date", "ExpiredObjectDeleteMarker") if given.get(name) is not None}
    if len(said) != 1:
        raise MalformedXML
    if "Days" in said:
        _check_days(said["Days"], "Days", "Expiration")
    if "Date" in said:
        said["Date"] = _midnight(said["Date"])
    return said


def _midnight(date: Any) -> float:
    moment = date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    if (moment.hour, moment.minute, moment.second, moment.microsecond) != (0, 0, 0, 0):
        raise InvalidArgument("'Date' must be at midnight GMT", ArgumentName="Date", ArgumentValue=moment.isoformat())
    return float(moment.timestamp())


def _noncurrent(given: Members) -> Members:
    days, newer = given.get("NoncurrentDays"), given.get("NewerNoncurrentVersions")
    if days is None:
        raise MalformedXML
    _check_days(days, "NoncurrentDays", "NoncurrentVersionExpiration")
    if newer is None:
        return {"NoncurrentDays": days}
    if not 1 <= newer <= MOST_NEWER:
        raise InvalidArgument(
            "'NewerNoncurrentVersions' for NoncurrentVersionExpiration action must be a positive integer up to 100",
            ArgumentName="NewerNoncurrentVersions",
            ArgumentValue=newer,
        )
    return {"NoncurrentDays": days, "NewerNoncurrentVersions": newer}


def _check_days(days: Any, name: str, action: str) -> None:
    if not isinstance(days, int) or days < 1:
        raise InvalidArgument(
            f"'{name}' for {action} action must be a positive integer", ArgumentName=name, ArgumentValue=days
        )


def _check_together(rule: Members) -> None:
    """What has neither tags nor a size cannot be chosen by them."""
    chosen = rule.get("Filter") or {}
    chosen = chosen.get("And") or chosen
    markers = "ExpiredObjectDeleteMarker" in rule.get("Expiration", {})
    for present, name in (
        (markers, "ExpiredObjectDeleteMarker"),
        ("AbortIncompleteMultipartUpload" in rule, _ACTIONS[2]),
    ):
        if present and ("Tag" in chosen or "Tags" in chosen):
            raise InvalidRequest(f"{name} cannot be specified with Tags.")
        if present and ("ObjectSizeGreaterThan" in chosen or "ObjectSizeLessThan" in chosen):
            raise InvalidRequest(f"{name} cannot be specified with Object Size.")
