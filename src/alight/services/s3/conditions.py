"""Conditional requests, pure: If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since.

Three readers with three rules: reads answer 304 or 412 in HTTP's order of precedence; copy sources answer 412 only;
writes look at what is there under the key at the moment of the transaction, so that exactly one of many racing
writers wins.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime

from alight.calls import Members
from alight.errors.common import NotImplemented_
from alight.errors.s3 import NoSuchKey, NotModified, PreconditionFailed


@dataclass(frozen=True, slots=True)
class Conditions:
    """The four conditions as given: entity tags as the client wrote them, times with a zone."""

    if_match: str | None = None
    if_none_match: str | None = None
    if_modified_since: datetime | None = None
    if_unmodified_since: datetime | None = None


_NONE = Conditions()
_MEMBERS = frozenset({"IfMatch", "IfNoneMatch", "IfModifiedSince", "IfUnmodifiedSince"})


def of(given: Members, prefix: str = "") -> Conditions:
    """The conditions among the members of a request; `prefix` is `CopySource` for those on a copy's source."""
    if not prefix and _MEMBERS.isdisjoint(given):
        return _NONE
    return Conditions(
        given.get(f"{prefix}IfMatch"),
        given.get(f"{prefix}IfNoneMatch"),
        given.get(f"{prefix}IfModifiedSince"),
        given.get(f"{prefix}IfUnmodifiedSince"),
    )


def bare(tag: str) -> str:
    """An entity tag without quotes and weakness mark: S3 compares tags that way."""
    return tag.strip().removeprefix("W/").strip('"')


def fits(tags: str, etag: str) -> bool:
    """Whether a list of entity tags (or `*`) names `etag`, which is bare."""
    return tags.strip() == "*" or any(bare(tag) == etag for tag in tags.split(","))


def _not_after(modified: float, moment: datetime) -> bool:
    # HTTP dates have whole seconds: what changed within the second has not changed since.
    return int(modified) <= int(moment.timestamp())


def check_read(conditions: Conditions, etag: str, modified: float) -> None:
    """For GetObject and HeadObject. Raises `PreconditionFailed` (412) or `NotModified` (304)."""
    if conditions.if_match is not None:
        if not fits(conditions.if_match, etag):
            raise PreconditionFailed(Condition="If-Match")
    elif conditions.if_unmodified_since is not None and not _not_after(modified, conditions.if_unmodified_since):
        raise PreconditionFailed(Condition="If-Unmodified-Since")
    if conditions.if_none_match is not None:
        if fits(conditions.if_none_match, etag):
            raise NotModified
    elif conditions.if_modified_since is not None and _not_after(modified, conditions.if_modified_since):
        raise NotModified


def is_same(if_range: str | None, etag: str, modified: float) -> bool:
    """Whether a range may be sent: If-Range (an entity tag or a date) still names this object. Else send it all."""
    if if_range is None:
        return True
    if '"' in if_range:
        return not if_range.startswith("W/") and bare(if_range) == etag
    try:
        return int(parsedate_to_datetime(if_range).timestamp()) == int(modified)
    except ValueError:
        return False


def check_source(conditions: Conditions, etag: str, modified: float, now: float) -> None:
    """For the source of a copy. Raises `PreconditionFailed`; a modified-since in the future says nothing."""
    if conditions.if_match is not None:
        if not fits(conditions.if_match, etag):
            raise PreconditionFailed(Condition="x-amz-copy-source-If-Match")
    elif conditions.if_unmodified_since is not None and not _not_after(modified, conditions.if_unmodified_since):
        raise PreconditionFailed(Condition="x-amz-copy-source-If-Unmodified-Since")
    if conditions.if_none_match is not None:
        if fits(conditions.if_none_match, etag):
            raise PreconditionFailed(Condition="x-amz-copy-source-If-None-Match")
    elif (
        conditions.if_modified_since is not None
        and conditions.if_modified_since.timestamp() <= now
        and _not_after(modified, conditions.if_modified_since)
    ):
        raise PreconditionFailed(Condition="x-amz-copy-source-If-Modified-Since")


def check_form(conditions: Conditions) -> None:
    """Writes know `If-None-Match: *` only, as on S3, and one of the two conditions at a time."""
    if conditions.if_none_match is not None and conditions.if_none_match.strip() != "*":
        raise NotImplemented_(
            "A header you provided implies functionality that is not implemented", Header="If-None-Match"
        )
    if conditions.if_none_match is not None and conditions.if_match is not None:
        raise NotImplemented_(
            "A header you provided implies functionality that is not implemented", Header="If-Match,If-None-Match"
        )


def check_write(conditions: Conditions, key: str, etag: str | None) -> None:
    """For writes: `etag` is that of the object under `key` now, None where there is none.

    Raises `NoSuchKey` (If-Match and nothing there) or `PreconditionFailed`.
    """
    if conditions.if_match is not None:
        if etag is None:
            raise NoSuchKey(Key=key)
        if not fits(conditions.if_match, etag):
            raise PreconditionFailed(Condition="If-Match")
    if conditions.if_none_match is not None and etag is not None:
        raise PreconditionFailed(Condition="If-None-Match")
