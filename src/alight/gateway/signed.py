"""What a request says of its signature: the Authorization header, or a presigned link's parameters, taken apart.

Nothing is believed here; `signature` checks it. Whatever is not exactly in AWS's form is refused with its reason.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from alight.errors.common import AccessDenied
from alight.errors.gateway import (
    AuthorizationHeaderMalformed,
    AuthorizationQueryParametersError,
    InvalidRequest,
    SignatureDoesNotMatch,
)
from alight.gateway.canonical import ALGORITHM, Scope
from alight.gateway.request import Request

#: Seconds that a presigned URL may live.
MAX_EXPIRES = 604_800

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 +Credential=(?P<credential>[^,\s]+) *, *SignedHeaders=(?P<headers>[^,\s]+) *, *"
)
_SHA256 = re.compile(r"[0-9a-f]{64}")
DATE = re.compile(r"\d{8}T\d{6}Z")
_SIGNED_NAMES = re.compile(r"[!-:<-~]+(?:;[!-:<-~]+)*")


@dataclass(frozen=True, slots=True)
class Signed:
    """What the client says of its signature, from the header or the query."""

    scope: Scope
    names: tuple[str, ...]
    signature: str
    moment: str
    token: str | None
    #: Seconds that a presigned URL lives; None for the header.
    expires: int | None


def from_header(request: Request) -> Signed:
    header = request.headers["authorization"]
    said, _, signature = header.rpartition("Signature=")
    found = _said(said)
    if found is None or not _SHA256.fullmatch(signature):
        if header.startswith("AWS "):
            raise InvalidRequest("Signature version 2 is not accepted here. Please use AWS4-HMAC-SHA256.")
        raise AuthorizationHeaderMalformed
    moment = request.headers.get("x-amz-date", "")
    if not DATE.fullmatch(moment):
        raise AccessDenied("AWS authentication requires a valid x-amz-date header.")
    credential, headers = found
    scope = read_scope(credential, AuthorizationHeaderMalformed)
    names = _names(headers, AuthorizationHeaderMalformed)
    return Signed(scope, names, signature, moment, request.headers.get("x-amz-security-token"), None)


@lru_cache(maxsize=256)
def _said(text: str) -> tuple[str, str] | None:
    """Credential and signed headers of an Authorization header up to its signature: a client says the same all day."""
    found = _AUTHORIZATION.fullmatch(text)
    return (found["credential"], found["headers"]) if found else None


def from_query(request: Request) -> Signed:
    wanted = ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders",
              "X-Amz-Signature")  # fmt: skip
    found: dict[str, str] = {}
    for name, value in request.parameters:
        if name in wanted or name == "X-Amz-Security-Token":
            if name in found:
                raise AuthorizationQueryParametersError(f"{name} was given twice.")
            found[name] = value
    missing = [name for name in wanted if name not in found]
    if missing:
        raise AuthorizationQueryParametersError(f"Query-string authentication requires {', '.join(missing)}.")
    if found["X-Amz-Algorithm"] != ALGORITHM:
        raise AuthorizationQueryParametersError(f"X-Amz-Algorithm only supports {ALGORITHM}.")
    if not DATE.fullmatch(found["X-Amz-Date"]):
        raise AuthorizationQueryParametersError("X-Amz-Date must be in the format yyyyMMdd'T'HHmmss'Z'.")
    if not _SHA256.fullmatch(found["X-Amz-Signature"]):
        raise SignatureDoesNotMatch
    return Signed(
        scope=read_scope(found["X-Amz-Credential"], AuthorizationQueryParametersError),
        names=_names(found["X-Amz-SignedHeaders"], AuthorizationQueryParametersError),
        signature=found["X-Amz-Signature"],
        moment=found["X-Amz-Date"],
        token=found.get("X-Amz-Security-Token"),
        expires=_expires(found["X-Amz-Expires"]),
    )


def _expires(text: str) -> int:
    if not re.fullmatch(r"-?\d{1,12}", text):
        raise AuthorizationQueryParametersError("X-Amz-Expires should be a number.")
    seconds = int(text)
    if seconds < 0:
        raise AuthorizationQueryParametersError("X-Amz-Expires must be non-negative.")
    if seconds > MAX_EXPIRES:
        raise AuthorizationQueryParametersError("X-Amz-Expires must be less than a week (in seconds).")
    return seconds


@lru_cache(maxsize=1_024)
def read_scope(text: str, fault: type[AuthorizationHeaderMalformed] | type[AuthorizationQueryParametersError]) -> Scope:
    parts = text.split("/")
    if len(parts) != 5 or parts[4] != "aws4_request" or not all(parts):
        raise fault("The credential must be ACCESS-KEY/DATE/REGION/SERVICE/aws4_request.")
    return Scope(*parts[:4])


@lru_cache(maxsize=1_024)
def _names(
    text: str, fault: type[AuthorizationHeaderMalformed] | type[AuthorizationQueryParametersError]
) -> tuple[str, ...]:
    names = tuple(text.split(";"))
    if not _SIGNED_NAMES.fullmatch(text) or text != text.lower() or list(names) != sorted(set(names)):
        raise fault("SignedHeaders must be lower-case, sorted and without doubles.")
    return names
