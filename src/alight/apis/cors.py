"""CORS of HTTP APIs: preflights are answered here, and the headers of every other answer are written here.

What a function says itself in such headers is dropped: an API that has CORS decides alone.
"""

from __future__ import annotations

from alight.apis.answers import Answer
from alight.apis.api import Cors
from alight.apis.request import Incoming

#: What `*` stands for where methods are listed.
_METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")


def preflight(cors: Cors, incoming: Incoming) -> Answer | None:
    """The answer to a browser's question, None where the request is none."""
    if incoming.method != "OPTIONS" or incoming.header("access-control-request-method") is None:
        return None
    origin = _origin(cors, incoming)
    if origin is None:
        return Answer(204, [], b"")
    headers = _common(cors, origin)
    methods = _METHODS if "*" in cors.methods else cors.methods
    if methods:
        headers.append(("access-control-allow-methods", ",".join(methods)))
    if cors.headers:
        headers.append(("access-control-allow-headers", _asked(cors, incoming)))
    if cors.max_age is not None:
        headers.append(("access-control-max-age", str(cors.max_age)))
    return Answer(204, headers, b"")


def with_cors(cors: Cors, incoming: Incoming, answer: Answer) -> Answer:
    """The answer with this API's headers instead of the function's."""
    kept = [pair for pair in answer.headers if not pair[0].lower().startswith("access-control-")]
    origin = _origin(cors, incoming)
    added = [] if origin is None else _common(cors, origin)
    if added and cors.exposed:
        added.append(("access-control-expose-headers", ",".join(cors.exposed)))
    return Answer(answer.status, [*kept, *added], answer.body, answer.why)


def _common(cors: Cors, origin: str) -> list[tuple[str, str]]:
    headers = [("access-control-allow-origin", origin)]
    if origin != "*":
        # What is kept for one origin must not be given to another.
        headers.append(("vary", "Origin"))
    if cors.credentials:
        headers.append(("access-control-allow-credentials", "true"))
    return headers


def _origin(cors: Cors, incoming: Incoming) -> str | None:
    """What the page is allowed by; None where there is no page or it is not allowed."""
    given = incoming.header("origin")
    if given is None:
        return None
    if "*" in cors.origins:
        return "*"
    allowed = any(
        given == wanted or (wanted in ("http://*", "https://*") and given.startswith(wanted[:-1]))
        for wanted in cors.origins
    )
    return given if allowed else None


def _asked(cors: Cors, incoming: Incoming) -> str:
    """For `*`, what was asked for: a literal star would not cover Authorization."""
    if "*" not in cors.headers:
        return ",".join(cors.headers)
    return incoming.header("access-control-request-headers") or "*"
