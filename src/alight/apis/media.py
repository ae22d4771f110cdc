"""Text or bytes: what of a body travels as it is in an event, and what as base64.

A REST API says which media types are binary; all else is text. An HTTP API decides by itself: what it knows to be text
is text, everything else is base64, forms and bodies without a type included.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

from alight.apis.api import Api

_TEXT = ("application/json", "application/javascript", "application/xml")


def media_type(text: str) -> str:
    """The type itself, lower-case, without parameters; of several (an Accept header) the first."""
    return text.partition(",")[0].partition(";")[0].strip().lower()


def is_listed(text: str, types: Sequence[str]) -> bool:
    """Whether a type is one of `types`, of which `*/*` and `image/*` stand for many."""
    given = media_type(text)
    for wanted in types:
        wanted = wanted.lower()
        if wanted == "*/*" or (given and given == wanted):
            return True
        if wanted.endswith("/*") and given.startswith(wanted[:-1]):
            return True
    return False


def is_text(content_type: str) -> bool:
    """What an HTTP API takes for text."""
    given = media_type(content_type)
    return (
        given.startswith("text/")
        or given in _TEXT
        or (given.startswith("application/") and given.endswith(("+json", "+xml")))
    )


def body_for_event(api: Api, content_type: str | None, body: bytes) -> tuple[str | None, bool]:
    """`body` and `isBase64Encoded`. Text that is not UTF-8 gets replacement characters, as it does on AWS."""
    if not body:
        return None, False
    if api.kind == "REST":
        # A REST API takes a request without a type for JSON.
        is_binary = is_listed(content_type or "application/json", api.binary_media_types)
    else:
        is_binary = not is_text(content_type or "")
    if is_binary:
        return base64.b64encode(body).decode("ascii"), True
    return body.decode("utf-8", "replace"), False


def wants_bytes(api: Api, accept: str | None) -> bool:
    """Whether a REST API turns base64 of a function into bytes: where the caller's first Accept is a binary type."""
    return is_listed(accept or "", api.binary_media_types)
