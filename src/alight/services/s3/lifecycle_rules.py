"""What lifecycle rules say of an object, of its versions and of an upload, at a moment. Pure.

A number of days ends at the midnight (UTC) after it, as on S3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote

from alight.calls import Members
from alight.store.shapes import ObjectRow, Upload

SETTING = "lifecycle"
DAY = 86_400


@dataclass(frozen=True, slots=True)
class Rule:
    """One enabled rule. Numbers that are None say nothing; `date` is in seconds since 1970."""

    id: str
    prefix: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    greater: int | None = None
    less: int | None = None
    days: int | None = None
    date: float | None = None
    markers: bool = False
    noncurrent_days: int | None = None
    newer: int = 0
    abort_days: int | None = None

    def wants(self, row: ObjectRow) -> bool:
        """Whether the rule is about this version."""
        return (
            row.key.startswith(self.prefix)
            and (self.greater is None or row.size > self.greater)
            and (self.less is None or row.size < self.less)
            and self.tags.items() <= row.tags.items()
        )

    def expires(self, row: ObjectRow) -> float | None:
        """When a current version is due; None where this rule lets it stay."""
        if self.days is not None:
            return after_days(row.last_modified, self.days)
        return self.date


@dataclass(frozen=True, slots=True)
class Due:
    """What is due of one key: the current object, and versions that go for good."""

    current: ObjectRow | None
    versions: tuple[ObjectRow, ...]

    def __bool__(self) -> bool:
        return self.current is not None or bool(self.versions)


def rules_of(settings: Mapping[str, Any]) -> tuple[Rule, ...]:
    """The enabled rules of a bucket."""
    return tuple(_rule(one) for one in (settings.get(SETTING) or {}).get("Rules") or () if one["Status"] == "Enabled")


def _rule(one: Members) -> Rule:
    chosen = one.get("Filter") or {}
    chosen = chosen.get("And") or chosen
    tags = chosen.get("Tags") or ([chosen["Tag"]] if "Tag" in chosen else [])
    expiration, old = one.get("Expiration") or {}, one.get("NoncurrentVersionExpiration") or {}
    return Rule(
        id=one["ID"],
        prefix=one.get("Prefix") or chosen.get("Prefix") or "",
        tags={tag["Key"]: tag["Value"] for tag in tags},
        greater=chosen.get("ObjectSizeGreaterThan"),
        less=chosen.get("ObjectSizeLessThan"),
        days=expiration.get("Days"),
        date=expiration.get("Date"),
        markers=bool(expiration.get("ExpiredObjectDeleteMarker")),
        noncurrent_days=old.get("NoncurrentDays"),
        newer=old.get("NewerNoncurrentVersions") or 0,
        abort_days=(one.get("AbortIncompleteMultipartUpload") or {}).get("DaysAfterInitiation"),
    )


def after_days(moment: float, days: int) -> float:
    """The midnight after so many days."""
    return float(-(-(moment + days * DAY) // DAY) * DAY)


def due(rules: Sequence[Rule], versions: Sequence[ObjectRow], now: float) -> Due:
    """What is due of a key whose versions (newest first) these are."""
    newest = versions[0]
    wanted = [rule for rule in rules if rule.wants(newest)]
    expired = any((at := rule.expires(newest)) is not None and at <= now for rule in wanted)
    gone = [row for place, row in enumerate(versions) if place and _old(rules, row, versions[place - 1], place, now)]
    if not newest.marker:
        return Due(newest if expired else None, tuple(gone))
    # A marker that stands for nothing any more.
    alone = len(versions) == 1 and (expired or any(rule.markers for rule in wanted))
    return Due(None, (newest,) if alone else tuple(gone))


def _old(rules: Sequence[Rule], row: ObjectRow, newer: ObjectRow, place: int, now: float) -> bool:
    """Whether a version that stopped to be the current one when `newer` came has been kept for long enough."""
    return any(
        rule.noncurrent_days is not None
        and place > rule.newer
        and after_days(newer.last_modified, rule.noncurrent_days) <= now
        and rule.wants(row)
        for rule in rules
    )


def ends(rules: Sequence[Rule], upload: Upload) -> tuple[float, str] | None:
    """When an unfinished upload is given up, and the id of the rule that says so."""
    found = [
        (after_days(upload.initiated, rule.abort_days), rule.id)
        for rule in rules
        if rule.abort_days is not None and upload.key.startswith(rule.prefix)
    ]
    return min(found, default=None)


def expiration(rules: Sequence[Rule], row: ObjectRow) -> str:
    """The header `x-amz-expiration` of a current object; empty where no rule is about it."""
    found = [(at, rule.id) for rule in rules if rule.wants(row) and (at := rule.expires(row)) is not None]
    if not found:
        return ""
    at, name = min(found)
    date = format_datetime(datetime.fromtimestamp(at, UTC), usegmt=True)
    return f'expiry-date="{date}", rule-id="{quote(name, safe="")}"'
