"""The words of resource policies that every service knows alike: whom they name, and how they compare. Pure."""

from __future__ import annotations

import re
from typing import Any

PRINCIPALS = {
    "AWS": re.compile(
        r"\*|\d{12}|arn:aws:iam::\d{12}:(root|(role|user)/[\w+=,.@/-]+)|"
        r"arn:aws:sts::\d{12}:(assumed-role/[\w+=,.@-]+/[\w+=,.@-]+|federated-user/[\w+=,.@-]+)"
    ),
    "Service": re.compile(r"[a-z0-9.-]+\.amazonaws\.com"),
    "CanonicalUser": re.compile(r"[0-9a-f]{64}"),
    "Federated": re.compile(r"arn:aws:iam::\d{12}:\S+|[a-z0-9.-]+"),
}
OPERATOR = re.compile(
    r"(ForAllValues:|ForAnyValue:)?(String(Not)?(Equals(IgnoreCase)?|Like)|"
    r"(Numeric|Date)((Not)?Equals|(LessThan|GreaterThan)(Equals)?)|Bool|BinaryEquals|(Not)?IpAddress|"
    r"Arn(Not)?(Equals|Like))(IfExists)?|Null"
)


def listed(value: Any) -> list[Any]:
    """A value that may be one or a list of them, as a list."""
    return value if isinstance(value, list) else [value]


def texts(value: Any) -> list[str]:
    """A text or a list of texts as a list; empty where it is neither."""
    values = listed(value)
    return values if all(isinstance(one, str) for one in values) else []


def names_somebody(principal: Any) -> bool:
    """Whether a statement's Principal is one: `*`, or lists of names by their kind."""
    named = {"AWS": principal} if principal == "*" else principal
    if not isinstance(named, dict) or not named:
        return False
    for kind, values in named.items():
        form = PRINCIPALS.get(kind)
        if form is None or not texts(values) or not all(form.fullmatch(text) for text in texts(values)):
            return False
    return True
