"""How each kind of API says no: status, words and headers of REST APIs and of HTTP APIs."""

from __future__ import annotations

import json

from alight.apis.answers import Answer
from alight.apis.api import Kind
from alight.errors import Fault
from alight.errors.apis import (
    AuthorizerFailed,
    BadAnswer,
    EventTooLarge,
    IntegrationBusy,
    IntegrationFailed,
    IntegrationTimeout,
    NotAuthorized,
    RequestTooLargeException,
)

#: What an HTTP API says otherwise than a REST API.
_HTTP: dict[type[Fault], tuple[int, str]] = {
    AuthorizerFailed: (500, "Internal Server Error"),
    BadAnswer: (500, "Internal Server Error"),
    EventTooLarge: (413, "Request Entity Too Large"),
    IntegrationBusy: (503, "Service Unavailable"),
    IntegrationFailed: (500, "Internal Server Error"),
    IntegrationTimeout: (503, "Service Unavailable"),
    NotAuthorized: (403, "Forbidden"),
    RequestTooLargeException: (413, "Request Entity Too Large"),
}


def refuse(kind: Kind, fault: Fault, why: str = "") -> Answer:
    """`why` is for the story, never for the caller."""
    if kind == "HTTP":
        # Of signatures it says nothing but that they do not do.
        otherwise = (fault.status, "Forbidden" if fault.status == 403 else fault.message)
        status, message = _HTTP.get(type(fault), otherwise)
        later = [("retry-after", "1")] if status == 503 else []
        return Answer(status, [("content-type", "application/json"), *later], _body("message", message), why)
    headers = [("Content-Type", "application/json"), ("x-amzn-ErrorType", fault.code)]
    headers += [("Retry-After", "1")] if fault.status in (429, 503) else []
    if isinstance(fault, AuthorizerFailed):
        return Answer(fault.status, headers, _body("message", None), why)
    # The one refusal that API Gateway spells with a capital.
    member = "Message" if isinstance(fault, NotAuthorized) else "message"
    return Answer(fault.status, headers, _body(member, fault.message), why)


def _body(member: str, text: str | None) -> bytes:
    return json.dumps({member: text}, separators=(",", ":")).encode()
