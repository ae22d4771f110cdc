"""Single values as text, both ways: numbers, booleans, blobs and AWS's three timestamp formats.

A reader raises `ValueError`; whoever called it knows which member it was and says so.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from datetime import UTC, datetime
from email.utils import formatdate, parsedate_to_datetime
from functools import lru_cache
from typing import Any

from botocore.model import Shape

_INTEGER = re.compile(r"[+-]?\d{1,38}")
_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def read_scalar(shape: Shape, text: str, timestamp: str) -> Any:
    """`timestamp` is the place's default format: iso8601, rfc822 or unixTimestamp."""
    match shape.type_name:
        case "string" | "character":
            return text
        case "integer" | "long":
            return read_integer(text)
        case "boolean":
            return read_boolean(text)
        case "timestamp":
            return read_timestamp(text, shape.serialization.get("timestampFormat", timestamp))
        case "blob":
            return read_blob(text)
        case "float" | "double":
            return _SPECIAL[text.strip()] if text.strip() in _SPECIAL else read_float(text)
    raise ValueError(f"a {shape.type_name} cannot stand here")


def read_integer(text: str) -> int:
    text = text.strip()
    if not _INTEGER.fullmatch(text):
        raise ValueError("not an integer")
    return int(text)


def read_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("not a finite number")
    return number


def read_boolean(text: str) -> bool:
    match text.strip().lower():
        case "true":
            return True
        case "false":
            return False
    raise ValueError("not a boolean")


def read_blob(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        # Line breaks inside base64 are legal in XML and common in hand-made JSON.
        return base64.b64decode("".join(text.split()), validate=True)


def read_timestamp(value: str | float, form: str) -> datetime:
    """Clients do not always keep to the format, so each is tried; the result is aware, in UTC."""
    if isinstance(value, int | float) or form == "unixTimestamp":
        return _from_seconds(float(value))
    text = value.strip()
    try:
        try:
            moment = parsedate_to_datetime(text) if form == "rfc822" else datetime.fromisoformat(text)
        except (ValueError, TypeError):
            moment = datetime.fromisoformat(text) if form == "rfc822" else parsedate_to_datetime(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (TypeError, OverflowError):
        raise ValueError("not a moment") from None


def _from_seconds(seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError):
        raise ValueError("not a moment") from None


def write_scalar(shape: Shape, value: Any, timestamp: str) -> str:
    """The text of one value; the handler's wrong types are our own bug and raise."""
    match shape.type_name:
        case "boolean":
            return "true" if value else "false"
        case "timestamp":
            return str(write_timestamp(value, shape.serialization.get("timestampFormat", timestamp)))
        case "blob":
            return write_blob(value)
        case "float" | "double":
            return write_float(float(value))
        case "integer" | "long":
            return str(int(value))
    if not isinstance(value, str):
        raise TypeError(f"{shape.name} wants text, got {type(value).__name__}")
    return value


def write_blob(value: bytes | str) -> str:
    return base64.b64encode(value.encode() if isinstance(value, str) else value).decode()


def write_float(number: float) -> str:
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    return repr(number)


@lru_cache(maxsize=64)
def _http_date(second: int) -> str:
    """What is asked for together was often made together."""
    return formatdate(second, usegmt=True)


def write_timestamp(moment: datetime | float, form: str) -> str | int | float:
    """Milliseconds where there are any, as AWS does; rfc822 has whole seconds."""
    if not isinstance(moment, datetime):
        moment = datetime.fromtimestamp(moment, UTC)
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    if form == "rfc822":
        return _http_date(math.floor(moment.timestamp()))
    if form == "unixTimestamp":
        seconds = round(moment.timestamp(), 3)
        return int(seconds) if seconds.is_integer() else seconds
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
