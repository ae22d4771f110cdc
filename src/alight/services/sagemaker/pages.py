"""Lists: what the filters let through, in the order that was asked for, page by page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from alight.calls import Members
from alight.errors.sagemaker import ValidationException
from alight.services.sagemaker.ledger import arn, moment
from alight.store.records import Record

PAGE = 10
MOST = 100


def listing(records: Sequence[Record], given: Members, member: str, show: Callable[[Record], Members]) -> Members:
    """One page of records; newest first where nothing else is asked."""
    kept = sorted((record for record in records if _wanted(record, given)), key=_ORDERS[given.get("SortBy")])
    if given.get("SortOrder", "Descending") == "Descending":
        kept.reverse()
    return page([show(record) for record in kept], given, member, PAGE)


def page(entries: Sequence[Members], given: Members, member: str, size: int) -> Members:
    """`MaxResults` entries, or `size`; the token is the number of entries already shown."""
    token = given.get("NextToken")
    if token and not token.isdigit():
        raise ValidationException("Invalid pagination token.")
    start = int(token or 0)
    end = start + min(given.get("MaxResults") or size, MOST)
    shown: Members = {member: list(entries[start:end])}
    return {**shown, "NextToken": str(end)} if end < len(entries) else shown


def summary(kind: str, word: str) -> Callable[[Record], Members]:
    """How a list shows a model or a configuration; `word` begins the names of its members."""

    def show(record: Record) -> Members:
        return {
            f"{word}Name": record.name,
            f"{word}Arn": arn(kind, record.name),
            "CreationTime": moment(record.created),
        }

    return show


def _by_time(record: Record) -> tuple[Any, ...]:
    return (record.created, record.name)


_ORDERS: dict[str | None, Callable[[Record], tuple[Any, ...]]] = {
    None: _by_time,
    "CreationTime": _by_time,
    "Name": lambda record: (record.name,),
    "Status": lambda record: (record.body["EndpointStatus"], record.created, record.name),
}


def _wanted(record: Record, given: Members) -> bool:
    def between(value: float, after: Any, before: Any) -> bool:
        return (after is None or value > after.timestamp()) and (before is None or value < before.timestamp())

    return (
        (given.get("NameContains") or "").lower() in record.name.lower()
        and given.get("StatusEquals") in (None, record.body.get("EndpointStatus"))
        and between(record.created, given.get("CreationTimeAfter"), given.get("CreationTimeBefore"))
        and between(record.modified, given.get("LastModifiedTimeAfter"), given.get("LastModifiedTimeBefore"))
    )
