"""Links signed with version 2: what boto3's `generate_presigned_url` still makes for S3 in us-east-1.

Only in the query and only for S3. Version 2 does not sign every query parameter, so a link with one that it does
not cover is refused: nobody can turn a link to an object into a link to something else.
"""

from __future__ import annotations

import base64
import hmac
import re
from urllib.parse import unquote, unquote_plus

from alight.errors.gateway import AuthorizationQueryParametersError, RequestExpired
from alight.gateway.request import Request

#: Query parameters that are part of what version 2 signs.
SIGNED = frozenset(
    {
        "acl",
        "cors",
        "delete",
        "lifecycle",
        "location",
        "logging",
        "notification",
        "partNumber",
        "policy",
        "requestPayment",
        "response-cache-control",
        "response-content-disposition",
        "response-content-encoding",
        "response-content-language",
        "response-content-type",
        "response-expires",
        "restore",
        "tagging",
        "torrent",
        "uploadId",
        "uploads",
        "versionId",
        "versioning",
        "versions",
        "website",
    }
)
_OWN = frozenset({"AWSAccessKeyId", "Signature", "Expires"})
#: Unsigned, but without effect: some clients say the operation's name.
_HARMLESS = frozenset({"x-id"})
_STANDARD = ("content-md5", "content-type")
#: The furthest that a link may reach into the future, as version 4 has it.
MAX_AHEAD = 604_800


def check_v2(request: Request, secret: str, bucket: str | None) -> bool:
    """True where the link is signed with `secret`; `bucket` is the one in the Host."""
    expected = hmac.digest(secret.encode(), _string_to_sign(request, bucket).encode(), "sha1")
    given = request.parameter("Signature") or ""
    return hmac.compare_digest(base64.b64encode(expected), given.encode())


def read_v2(request: Request, now: float) -> tuple[str, str | None]:
    """Access key id and session token of a link that is well-formed and timely. Raises a `Fault`."""
    names = [name for name, _ in request.parameters]
    if len(set(names)) != len(names) or not set(names) >= _OWN:
        raise AuthorizationQueryParametersError("AWSAccessKeyId, Signature and Expires are required, each once.")
    for name in names:
        if name not in _OWN | SIGNED | _HARMLESS and not _is_header(name):
            raise AuthorizationQueryParametersError(f"Signature version 2 does not cover {name}.")
    expires = request.parameter("Expires") or ""
    if not re.fullmatch(r"\d{1,12}", expires):
        raise AuthorizationQueryParametersError("Expires should be a number.")
    if now >= int(expires):
        raise RequestExpired
    if int(expires) - now > MAX_AHEAD:
        raise AuthorizationQueryParametersError("Expires must be less than a week ahead.")
    return request.parameter("AWSAccessKeyId") or "", _headers(request).get("x-amz-security-token")


def _is_header(name: str) -> bool:
    return name.lower().startswith("x-amz-") or name.lower() in _STANDARD


def _headers(request: Request) -> dict[str, str]:
    """What is signed as a header, wherever it stands; in two places it must be the same."""
    found = {name: value for name, value in request.headers.items() if _is_header(name)}
    for name, value in request.parameters:
        if _is_header(name) and found.setdefault(name.lower(), value) != value:
            raise AuthorizationQueryParametersError(f"{name} stands in the query and in a header.")
    return found


def _string_to_sign(request: Request, bucket: str | None) -> str:
    headers = _headers(request)
    lines = [request.method, *(headers.get(name, "") for name in _STANDARD), request.parameter("Expires") or ""]
    lines += [f"{name}:{headers[name]}" for name in sorted(headers) if name.startswith("x-amz-")]
    return "\n".join([*lines, _resource(request, bucket)])


def _resource(request: Request, bucket: str | None) -> str:
    path = f"/{bucket}{request.path}" if bucket else request.path
    # By the names that are acted on: one that is written in another way (`%61cl`) is signed as well.
    parts = [[unquote_plus(name), *value] for name, *value in (part.split("=", 1) for part in request.query.split("&"))]
    kept = sorted((part for part in parts if part[0] in SIGNED), key=lambda part: part[0])
    written = "&".join("=".join([part[0], *(unquote(value) for value in part[1:])]) for part in kept)
    return f"{path}?{written}" if written else path
