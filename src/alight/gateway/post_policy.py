"""The policy of a browser's form: which fields it may carry, how large the file may be, until when. Pure.

The policy is JSON that the owner of a key has signed; the form is filled in by somebody else. So every field has to
be named by a condition, and every condition has to hold, or the form is refused with S3's sentences.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from alight.errors.common import AccessDenied
from alight.errors.gateway import SerializationException
from alight.errors.s3 import InvalidPolicyDocument
from alight.gateway.decode_json import parse_json

#: Fields that no condition has to name: they carry the policy itself and its signature (version 4 and 2).
EXEMPT = frozenset({"policy", "x-amz-signature", "signature", "awsaccesskeyid"})
_EXPIRATION = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d{1,9})?Z", re.ASCII)
_SIZE = re.compile(r"\d{1,15}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Condition:
    """`operator` is eq or starts-with; `field` is lower-case, without its `$`."""

    operator: str
    field: str
    value: str

    def holds(self, fields: Mapping[str, str]) -> bool:
        given = fields.get(self.field)
        if given is None:
            return False
        if self.operator == "eq":
            return given == self.value
        if self.field == "content-type":
            return all(each.strip().startswith(self.value) for each in given.split(","))
        return given.startswith(self.value)


@dataclass(frozen=True, slots=True)
class Policy:
    """`expires` in seconds since 1970; `smallest` and `largest` are bytes of the file (None: as large as S3 takes)."""

    expires: float
    conditions: tuple[Condition, ...]
    smallest: int = 0
    largest: int | None = None


def check(policy: Policy, fields: Mapping[str, str], now: float) -> None:
    """`fields` by lower-case names, `bucket` among them. Raises `AccessDenied` with S3's reason."""
    if now >= policy.expires:
        raise AccessDenied("Invalid according to Policy: Policy expired.")
    for condition in policy.conditions:
        if not condition.holds(fields):
            said = json.dumps([condition.operator, f"${condition.field}", condition.value], ensure_ascii=False)
            raise AccessDenied(f"Invalid according to Policy: Policy Condition failed: {said}")
    covered = {condition.field for condition in policy.conditions} | EXEMPT
    extra = [name for name in fields if name not in covered and not name.startswith("x-ignore-")]
    if extra:
        raise AccessDenied(f"Invalid according to Policy: Extra input fields: {', '.join(sorted(extra))}")


def read_policy(text: bytes) -> Policy:
    """Raises `InvalidPolicyDocument`."""
    try:
        document = parse_json(text)
    except SerializationException:
        raise InvalidPolicyDocument("Invalid Policy: Invalid JSON.") from None
    if not isinstance(document, dict):
        raise InvalidPolicyDocument("Invalid Policy: Invalid JSON.")
    unknown = set(document) - {"expiration", "conditions"}
    if unknown:
        raise InvalidPolicyDocument(f"Invalid Policy: Unexpected: '{sorted(unknown)[0]}'")
    if not isinstance(document.get("conditions"), list):
        raise InvalidPolicyDocument("Invalid Policy: Policy missing conditions.")
    conditions: list[Condition] = []
    smallest, largest = 0, None
    for item in document["conditions"]:
        if isinstance(item, list) and item and _is_range(item[0]):
            low, high = _range(item)
            smallest, largest = max(smallest, low), high if largest is None else min(largest, high)
        else:
            conditions += _conditions(item)
    return Policy(_expiration(document.get("expiration")), tuple(conditions), smallest, largest)


def _expiration(given: Any) -> float:
    if given is None:
        raise InvalidPolicyDocument("Invalid Policy: Policy missing expiration.")
    found = _EXPIRATION.fullmatch(given) if isinstance(given, str) else None
    try:
        return datetime.fromisoformat(found[1]).replace(tzinfo=UTC).timestamp() if found else _refuse_expiration(given)
    except ValueError:
        return _refuse_expiration(given)


def _refuse_expiration(given: Any) -> float:
    raise InvalidPolicyDocument(f"Invalid Policy: Invalid 'expiration' value: '{str(given)[:100]}'")


def _conditions(item: Any) -> Iterator[Condition]:
    if isinstance(item, dict):
        if len(item) != 1:
            reason = "Simple-Conditions must have exactly one property specified."
            raise InvalidPolicyDocument(f"Invalid Policy: Invalid Simple-Condition: {reason}")
        ((name, value),) = item.items()
        if not isinstance(value, str):
            raise InvalidPolicyDocument("Invalid Policy: Invalid Simple-Condition: value must be a string.")
        yield Condition("eq", name.lower().removeprefix("$"), value)
        return
    if not isinstance(item, list) or len(item) != 3 or not all(isinstance(part, str) for part in item):
        raise InvalidPolicyDocument("Invalid Policy: Invalid Condition: it must be an object or a list of three.")
    operator, name, value = item
    if operator.lower() not in ("eq", "starts-with") or not name.startswith("$"):
        raise InvalidPolicyDocument(f"Invalid Policy: Invalid Condition: unknown operation '{operator[:100]}'.")
    yield Condition(operator.lower(), name[1:].lower(), value)


def _is_range(operator: Any) -> bool:
    return isinstance(operator, str) and operator.lower() == "content-length-range"


def _range(item: list[Any]) -> tuple[int, int]:
    sizes = [str(part) for part in item[1:] if isinstance(part, int | str) and not isinstance(part, bool)]
    if len(item) != 3 or len(sizes) != 2 or not all(_SIZE.fullmatch(size) for size in sizes):
        raise InvalidPolicyDocument("Invalid Policy: Invalid content-length-range: two sizes in bytes are needed.")
    return int(sizes[0]), int(sizes[1])
