"""Who signed this request: Signature Version 4, every case decided, and everything else refused.

`examine` is the one function. It reads where the signature stands (header, query, nowhere, or both, which is
refused), how the payload is covered, whether the time is right and whose key it is; what it returns is a
`Claim`, and a `Principal` comes only out of `Claim.settle`, which compares. The path and query are used as they
were sent. Signed this way: `METHOD`, path, query, signed headers, payload hash, each on its line.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import NoReturn

from alight.calls import ANONYMOUS, Principal
from alight.errors.common import AccessDenied
from alight.errors.gateway import (
    AuthorizationHeaderMalformed,
    AuthorizationQueryParametersError,
    ExpiredToken,
    InvalidAccessKeyId,
    InvalidArgument,
    InvalidRequest,
    MissingSecurityHeader,
    RequestExpired,
    RequestTimeTooSkewed,
    SignatureDoesNotMatch,
    UnknownPayloadHash,
    XAmzContentSHA256Mismatch,
)
from alight.gateway.canonical import (
    ALGORITHM,
    Scope,
    canonical_path,
    canonical_query,
    derive_key,
    string_to_sign,
)
from alight.gateway.request import Request

#: Seconds that a client's clock may be off.
MAX_SKEW = 900
#: Seconds that a presigned URL may live.
MAX_EXPIRES = 604_800

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 +Credential=(?P<credential>[^,\s]+) *, *SignedHeaders=(?P<headers>[^,\s]+) *, *"
    r"Signature=(?P<signature>[0-9a-f]{64})"
)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DATE = re.compile(r"\d{8}T\d{6}Z")
_SIGNED_NAMES = re.compile(r"[!-:<-~]+(?:;[!-:<-~]+)*")


class Payload(Enum):
    """How a body is covered by the signature; the value is what stands in `x-amz-content-sha256`."""

    HASHED = "hex sha256"
    #: No header: the hash of the body itself is signed (all services but S3).
    BODY = "body"
    UNSIGNED = "UNSIGNED-PAYLOAD"
    UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    SIGNED_CHUNKS = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    SIGNED_CHUNKS_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"


_LITERAL = {mode.value: mode for mode in Payload if mode not in (Payload.HASHED, Payload.BODY)}
CHUNKED = frozenset({Payload.UNSIGNED_TRAILER, Payload.SIGNED_CHUNKS, Payload.SIGNED_CHUNKS_TRAILER})


@dataclass(frozen=True, slots=True)
class Key:
    """What a lookup knows of an access key. `expires` is in seconds since 1970, None for never."""

    secret: str
    principal: Principal
    expires: float | None = None


Lookup = Callable[[str, str | None], Key | None]


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


@dataclass(frozen=True, slots=True)
class ChunkSeed:
    """What chunk signatures are chained from."""

    key: bytes
    moment: str
    scope: str
    signature: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A request examined but not yet believed. `payload` says how the body has to be read."""

    payload: Payload
    #: The hex hash that the body must have, for `Payload.HASHED`.
    expected: str | None
    _head: str
    _signed: Signed | None
    _key: Key | None

    @property
    def is_anonymous(self) -> bool:
        return self._signed is None

    def settle(self, body_hash: str | None = None) -> tuple[Principal, ChunkSeed | None]:
        """The verified principal. `body_hash` is needed for `Payload.BODY`. Raises `SignatureDoesNotMatch`."""
        signed, key = self._signed, self._key
        if signed is None or key is None:
            return ANONYMOUS, None
        if self.payload is Payload.BODY:
            covered = body_hash
        elif self.payload is Payload.HASHED:
            covered = self.expected
        else:
            covered = self.payload.value
        if covered is None:
            raise SignatureDoesNotMatch
        signing_key = derive_key(key.secret, signed.scope)
        text = string_to_sign(signed.moment, signed.scope.text, self._head + covered)
        expected = hmac.digest(signing_key, text.encode("latin-1"), "sha256").hex()
        if not hmac.compare_digest(expected, signed.signature):
            raise SignatureDoesNotMatch
        seed = ChunkSeed(signing_key, signed.moment, signed.scope.text, signed.signature)
        return key.principal, seed


def examine(request: Request, lookup: Lookup, *, now: float, service: str, region: str | None = None) -> Claim:
    """`service` is the signing name of the operation that was routed to; `region` None accepts any.

    Raises a `Fault` for whatever is not exactly one well-formed, timely signature of a known key (or none at all).
    """
    signed = _signed(request)
    payload, expected = _payload(request, signed, service)
    if signed is None:
        return Claim(payload, expected, "", None, None)
    _check_scope(signed, service, region)
    _check_time(signed, now)
    key = lookup(signed.scope.access_key_id, signed.token)
    if key is None:
        raise InvalidAccessKeyId
    if key.expires is not None and now >= key.expires:
        raise ExpiredToken
    _check_names(request, signed)
    return Claim(payload, expected, canonical_head(request, signed, service), signed, key)


def canonical_head(request: Request, signed: Signed, service: str) -> str:
    """The canonical request up to the payload hash."""
    headers = request.headers
    lines = "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in signed.names)
    path = canonical_path(request.path, service)
    query = canonical_query(request.query, presigned=signed.expires is not None)
    return f"{request.method}\n{path}\n{query}\n{lines}\n{';'.join(signed.names)}\n"


# Where the signature stands ------------------------------------------------------------------------------------------


def _signed(request: Request) -> Signed | None:
    """Exactly one place, or none."""
    header = request.headers.get("authorization")
    in_query = {name for name, _ in request.parameters if name.lower() in _QUERY_NAMES} if request.query else set()
    match header, bool(in_query):
        case None, False:
            return None
        case None, True:
            return _from_query(request)
        case str(), False:
            return _from_header(request, header)
        case _:
            raise InvalidArgument("Only one authentication mechanism is allowed: header or query, not both.")


#: Any of these in a query claims a signature there: version 4's and the long-gone version 2's.
_QUERY_NAMES = frozenset({"x-amz-algorithm", "x-amz-credential", "x-amz-signature", "awsaccesskeyid", "signature"})


def _from_header(request: Request, header: str) -> Signed:
    found = _AUTHORIZATION.fullmatch(header)
    if found is None:
        if header.startswith("AWS "):
            raise InvalidRequest("Signature version 2 is not accepted. Please use AWS4-HMAC-SHA256.")
        raise AuthorizationHeaderMalformed
    moment = request.headers.get("x-amz-date", "")
    if not _DATE.fullmatch(moment):
        raise AccessDenied("AWS authentication requires a valid x-amz-date header.")
    scope = _scope(found["credential"], AuthorizationHeaderMalformed)
    names = _names(found["headers"], AuthorizationHeaderMalformed)
    return Signed(scope, names, found["signature"], moment, request.headers.get("x-amz-security-token"), None)


def _from_query(request: Request) -> Signed:
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
    if not _DATE.fullmatch(found["X-Amz-Date"]):
        raise AuthorizationQueryParametersError("X-Amz-Date must be in the format yyyyMMdd'T'HHmmss'Z'.")
    if not _SHA256.fullmatch(found["X-Amz-Signature"]):
        raise SignatureDoesNotMatch
    return Signed(
        scope=_scope(found["X-Amz-Credential"], AuthorizationQueryParametersError),
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


def _scope(text: str, fault: type[AuthorizationHeaderMalformed] | type[AuthorizationQueryParametersError]) -> Scope:
    parts = text.split("/")
    if len(parts) != 5 or parts[4] != "aws4_request" or not all(parts):
        raise fault("The credential must be ACCESS-KEY/DATE/REGION/SERVICE/aws4_request.")
    return Scope(*parts[:4])


def _names(
    text: str, fault: type[AuthorizationHeaderMalformed] | type[AuthorizationQueryParametersError]
) -> tuple[str, ...]:
    names = tuple(text.split(";"))
    if not _SIGNED_NAMES.fullmatch(text) or text != text.lower() or list(names) != sorted(set(names)):
        raise fault("SignedHeaders must be lower-case, sorted and without doubles.")
    return names


# How the payload is covered ------------------------------------------------------------------------------------------


def _payload(request: Request, signed: Signed | None, service: str) -> tuple[Payload, str | None]:
    """The grid of place x `x-amz-content-sha256` x service. A cell that is not written here is refused."""
    said = request.headers.get("x-amz-content-sha256")
    if said is None and signed is not None and signed.expires is not None:
        said = request.parameter("X-Amz-Content-Sha256")
    place = "none" if signed is None else "header" if signed.expires is None else "query"
    if said is None:
        return _unsaid(place, service), None
    mode = Payload.HASHED if _SHA256.fullmatch(said) else _LITERAL.get(said)
    expected = said if mode is Payload.HASHED else None
    match place, mode:
        case (_, Payload.HASHED):
            return Payload.HASHED, expected
        case (_, Payload.UNSIGNED) if service == "s3":
            return Payload.UNSIGNED, None
        case ("header" | "none", Payload.UNSIGNED_TRAILER) if service == "s3":
            return Payload.UNSIGNED_TRAILER, None
        case ("header", Payload.SIGNED_CHUNKS) if service == "s3":
            return Payload.SIGNED_CHUNKS, None
        case ("header", Payload.SIGNED_CHUNKS_TRAILER) if service == "s3":
            return Payload.SIGNED_CHUNKS_TRAILER, None
    raise UnknownPayloadHash(f"x-amz-content-sha256 may not be {said[:100]!r} here.")


def _unsaid(place: str, service: str) -> Payload:
    match place, service == "s3":
        case "header", True:
            raise MissingSecurityHeader("Missing required header for this request: x-amz-content-sha256")
        case ("query" | "none", True):
            return Payload.UNSIGNED
        case (_, False):
            return Payload.BODY
    _impossible()


def _impossible() -> NoReturn:
    raise UnknownPayloadHash


# Time, scope and headers ---------------------------------------------------------------------------------------------


def _check_scope(signed: Signed, service: str, region: str | None) -> None:
    scope = signed.scope
    if scope.service != service:
        raise SignatureDoesNotMatch(f"Credential should be scoped to the service {service}.")
    if scope.date != signed.moment[:8]:
        raise SignatureDoesNotMatch("The credential's date is not the request's.")
    if region is not None and scope.region != region:
        if service == "s3":
            message = f"The authorization is malformed; the region '{scope.region}' is wrong; expecting '{region}'"
            raise AuthorizationHeaderMalformed(message, Region=region)
        raise SignatureDoesNotMatch(f"Credential should be scoped to a valid region: {region}.")


def _check_time(signed: Signed, now: float) -> None:
    try:
        moment = _seconds(signed.moment)
    except ValueError:
        raise AccessDenied("AWS authentication requires a valid date.") from None
    if signed.expires is None:
        if abs(now - moment) > MAX_SKEW:
            raise RequestTimeTooSkewed
    elif moment - now > MAX_SKEW:
        raise RequestExpired("Request is not yet valid")
    elif now >= moment + signed.expires:
        raise RequestExpired


def _seconds(text: str) -> int:
    """`20150830T123600Z` as seconds since 1970 (strptime would take longer than all the rest)."""
    parts = (text[:4], text[4:6], text[6:8], text[9:11], text[11:13], text[13:15])
    return int(datetime(*map(int, parts), tzinfo=UTC).timestamp())  # type: ignore[arg-type, misc]


def _check_names(request: Request, signed: Signed) -> None:
    """Whatever changes what the request does has to be signed."""
    names = set(signed.names)
    if "host" not in names:
        raise SignatureDoesNotMatch("The Host header must be signed.")
    if any(name not in request.headers for name in names):
        raise SignatureDoesNotMatch("A signed header is missing.")
    unsigned = [name for name in request.headers if name.startswith("x-amz-") and name not in names]
    if unsigned:
        message = f"There were headers present in the request which were not signed: {', '.join(sorted(unsigned))}"
        raise AccessDenied(message, HeadersNotSigned=", ".join(sorted(unsigned)))


def check_hash(expected: str, actual: str) -> None:
    """Raises `XAmzContentSHA256Mismatch`."""
    if not hmac.compare_digest(expected, actual):
        raise XAmzContentSHA256Mismatch(None, ClientComputedContentSHA256=expected, S3ComputedContentSHA256=actual)
