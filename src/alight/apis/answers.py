"""What goes back: a function's result, read by the rules of its format, as status, headers and body.

Format 1.0 is strict: a REST API takes the five members that it knows and nothing else. Format 2.0 takes anything: what
has no `statusCode` is itself the body. Whatever breaks a rule is a `Malformed`; the kind of API decides how it says so.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alight.apis.api import Api
from alight.apis.media import wants_bytes

Headers = Sequence[tuple[str, str]]

#: The members of a REST API's answer.
_MEMBERS = frozenset({"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"})
#: Written by API Gateway itself; what a function says instead goes out under another name.
_REMAPPED = {
    name.lower(): f"x-amzn-Remapped-{name}"
    for name in ("Connection", "Content-Length", "Date", "Server", "WWW-Authenticate")
}
#: Never handed on, by either kind.
_DROPPED = frozenset({"keep-alive", "proxy-authenticate", "te", "trailer", "transfer-encoding", "upgrade"})
_DROPPED_HTTP = _DROPPED | {"connection", "content-length", "date", "server"}

#: How an object in UTF-8 begins.
_OBJECTS = (b'{"', b"{ ", b"{}", b"{\n")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")


class Malformed(Exception):
    """The function's answer is not one; the text says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent; `why` is for the story where it is not what the function said."""

    status: int
    headers: Headers
    body: bytes
    why: str = ""


def answer_v1(api: Api, payload: bytes, accept: str | None) -> Answer:
    """`accept` is the caller's Accept header. Raises `Malformed`."""
    given = _parsed(payload)
    is_rest = api.kind == "REST"
    if not isinstance(given, dict):
        raise Malformed("the function did not return an object")
    if is_rest and (unknown := sorted(set(given) - _MEMBERS)):
        raise Malformed(f"the function returned {', '.join(map(repr, unknown[:3]))}, which an answer may not have")
    if not is_rest and "statusCode" not in given:
        raise Malformed("the function returned no statusCode")
    body = given.get("body")
    if body is not None and not isinstance(body, str):
        raise Malformed("the function returned a body that is not a string")
    is_base64 = _flag(given) and (not is_rest or wants_bytes(api, accept))
    headers = list(_permitted(_merged(given), is_rest))
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("Content-Type", "application/json" if is_rest else "text/plain;charset=UTF-8"))
    return Answer(_status(given.get("statusCode")), headers, _bytes(body or "", is_base64))


def answer_v2(payload: bytes, kind: str = "text/plain;charset=UTF-8") -> Answer:
    """`kind` is the type of a body of which the function does not say it. Raises `Malformed`."""
    given = _parsed(payload)
    if not isinstance(given, dict) or "statusCode" not in given:
        # A bare string is the text itself; anything else is JSON.
        whole = given.encode("utf-8", "replace") if isinstance(given, str) else payload
        return Answer(200, [("content-type", "application/json")], whole)
    headers = list(_permitted(_pairs(given, "headers"), is_rest=False))
    if cookies := given.get("cookies"):
        headers += _permitted(_cookies(cookies), is_rest=False)
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("content-type", kind))
    body = given.get("body")
    text = body if isinstance(body, str) else "" if body is None else json.dumps(body, ensure_ascii=False)
    return Answer(_status(given["statusCode"]), headers, _bytes(text, _flag(given)))


def answer_through(payload: bytes, headers: Mapping[str, str]) -> Answer:
    """An AWS integration hands the function's result on as it is."""
    rest = [pair for pair in headers.items() if pair[0].lower() != "content-type"]
    kind = next((value for name, value in headers.items() if name.lower() == "content-type"), "application/json")
    return Answer(200, [("Content-Type", kind), *rest], payload)


def _parsed(payload: bytes) -> Any:
    try:
        # What begins so is UTF-8; else `json` finds out which Unicode it is.
        return json.loads(payload.decode("utf-8", "surrogatepass") if payload[:2] in _OBJECTS else payload)
    except (ValueError, RecursionError):
        raise Malformed("the function did not return JSON") from None


def _status(given: Any) -> int:
    """A REST API takes a status in digits, too; none at all is 200."""
    if type(given) is int and 200 <= given < 600:
        return given
    if given is None:
        return 200
    text = str(given) if isinstance(given, int | str) and not isinstance(given, bool) else ""
    if isinstance(given, float) and given.is_integer():
        text = str(int(given))
    if not re.fullmatch(r"[2-5][0-9][0-9]", text):
        raise Malformed(f"{given!r} is not a status code")
    return int(text)


def _flag(given: Mapping[str, Any]) -> bool:
    flag = given.get("isBase64Encoded")
    if flag is None or isinstance(flag, bool):
        return bool(flag)
    if str(flag).lower() in ("true", "false"):
        return str(flag).lower() == "true"
    raise Malformed("isBase64Encoded is neither true nor false")


def _bytes(text: str, is_base64: bool) -> bytes:
    if not is_base64:
        # A lone surrogate can come out of JSON, but not go out as UTF-8.
        return text.encode("utf-8", "replace")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("the body is said to be base64, and is not") from None


def _merged(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Both kinds of headers as one list; the same value in both counts once."""
    several = given.get("multiValueHeaders") or {}
    if not isinstance(several, dict):
        raise Malformed("multiValueHeaders is not an object")
    seen: set[tuple[str, str]] = set()
    for name, values in several.items():
        for value in values if isinstance(values, list) else [values]:
            text = _text(name, value)
            seen.add((name.lower(), text))
            yield name, text
    for name, text in _pairs(given, "headers"):
        if (name.lower(), text) not in seen:
            yield name, text


def _pairs(given: Mapping[str, Any], member: str) -> Iterator[tuple[str, str]]:
    headers = given.get(member) or {}
    if not isinstance(headers, dict):
        raise Malformed(f"{member} is not an object")
    for name, value in headers.items():
        if value is not None:
            yield name, _text(name, value)


def _cookies(given: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(given, list) or not all(isinstance(cookie, str) for cookie in given):
        raise Malformed("the function returned cookies that are not a list of strings")
    for cookie in given:
        yield "set-cookie", cookie


def _text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise Malformed(f"the header {name} is not a string")


def can_be_sent(name: str, value: str) -> bool:
    """Whether a header stays one header: nothing in it ends a line."""
    return bool(_NAME.fullmatch(name) and _VALUE.fullmatch(value))


def _permitted(pairs: Iterator[tuple[str, str]], is_rest: bool) -> Iterator[tuple[str, str]]:
    """What may go out, under the name by which it may; a name or value that would break the answer is an error."""
    dropped = _DROPPED if is_rest else _DROPPED_HTTP
    for name, value in pairs:
        if not can_be_sent(name, value):
            raise Malformed(f"the header {name!r} cannot be sent")
        lower = name.lower()
        if lower not in dropped:
            yield (_REMAPPED.get(lower, name) if is_rest else name), value
