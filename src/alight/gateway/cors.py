"""Pages of other origins: what a bucket's own rules allow them, asked of the service that keeps the rules.

A page in a browser may not change anything here from another origin (`hosts.check_origin`). A bucket's CORS rules open
that bucket, for the verbs and origins that they name, and nothing else: whose rules count is decided by the operation
that the router finds, not by the look of the path.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol
from urllib.parse import unquote

from alight.errors.gateway import MethodNotAllowed
from alight.gateway.encode import Response, identity
from alight.gateway.request import Request, with_hoisted
from alight.gateway.route import Match, Router


class CrossOrigin(Protocol):
    """Asked with the bucket, the page's origin and the verb; answers with headers, none where nothing is allowed."""

    def preflight(self, bucket: str, origin: str | None, method: str | None, headers: str) -> Mapping[str, str]:
        """The answer to OPTIONS. Raises a `Fault` where no rule allows what is announced."""

    def headers(self, bucket: str, origin: str, method: str) -> Mapping[str, str]:
        """What goes with the answer to the request itself."""


class SameOriginOnly:
    """Where nobody keeps rules: nothing is open."""

    def preflight(self, bucket: str, origin: str | None, method: str | None, headers: str) -> Mapping[str, str]:
        raise MethodNotAllowed

    def headers(self, bucket: str, origin: str, method: str) -> Mapping[str, str]:
        return {}


def opened(request: Request, in_host: str | None, router: Router, rules: CrossOrigin) -> Mapping[str, str]:
    """The headers by which the addressed bucket lets the asking page in; none where it does not."""
    origin = request.headers.get("origin")
    if origin is None or request.method == "OPTIONS":
        return {}
    found = router.match(with_hoisted(request), in_host)
    if isinstance(found, Match):
        bucket = found.labels.get("Bucket") if found.service.name == "s3" else None
    else:
        # A browser's form: the router knows no operation for it.
        bucket = _addressed(request, in_host) if request.method == "POST" and found.service == "s3" else None
    return rules.headers(bucket, origin, request.method) if bucket else {}


def preflight(request: Request, in_host: str | None, rules: CrossOrigin, request_id: str) -> Response | None:
    """The answer to OPTIONS of a bucket or an object; None where there is no bucket in the address."""
    bucket = _addressed(request, in_host)
    if not bucket:
        return None
    asked = request.headers
    told = rules.preflight(
        bucket,
        asked.get("origin"),
        asked.get("access-control-request-method"),
        asked.get("access-control-request-headers", ""),
    )
    return with_headers(Response(200, identity("s3", request_id), b"", 0), told)


def with_headers(response: Response, told: Mapping[str, str]) -> Response:
    """The same answer with further headers."""
    pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in told.items()]
    return replace(response, headers=[*response.headers, *pairs])


def _addressed(request: Request, in_host: str | None) -> str:
    """The bucket in the Host or at the beginning of the path."""
    return in_host or unquote(request.path[1:].partition("/")[0], errors="replace")
