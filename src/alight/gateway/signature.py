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
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache, partial

from alight.calls import ANONYMOUS, Principal
from alight.errors.common import AccessDenied
from alight.errors.gateway import (
    AuthorizationHeaderMalformed,
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
    canonical_path,
    canonical_query,
    derive_key,
    is_plain_path,
    signature_of,
    string_to_sign,
)
from alight.gateway.request import Request
from alight.gateway.signature_v2 import check_v2, read_v2
from alight.gateway.signed import Signed, from_header, from_query

#: Seconds that a client's clock may be off.
MAX_SKEW = 900

_SHA256 = re.compile(r"[0-9a-f]{64}")


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
CHUNKED = (Payload.UNSIGNED_TRAILER, Payload.SIGNED_CHUNKS, Payload.SIGNED_CHUNKS_TRAILER)


@dataclass(frozen=True, slots=True)
class Key:
    """What a lookup knows of an access key. `expires` is in seconds since 1970, None for never."""

    secret: str = field(repr=False)
    principal: Principal
    expires: float | None = None


Lookup = Callable[[str, str | None], Key | None]


@dataclass(frozen=True, slots=True)
class ChunkSeed:
    """What chunk signatures are chained from."""

    key: bytes
    moment: str
    scope: str
    signature: str


#: Given the payload's hash, who signed; raises `SignatureDoesNotMatch`.
Proof = Callable[[str], tuple[Principal, ChunkSeed | None]]


@dataclass(frozen=True, slots=True)
class Claim:
    """A request examined but not yet believed. `payload` says how the body has to be read."""

    payload: Payload
    #: The hex hash that the body must have, for `Payload.HASHED`.
    expected: str | None
    _proof: Proof | None

    @property
    def is_anonymous(self) -> bool:
        return self._proof is None

    def settle(self, body_hash: str | None = None) -> tuple[Principal, ChunkSeed | None]:
        """The verified principal. `body_hash` is needed for `Payload.BODY`. Raises `SignatureDoesNotMatch`."""
        if self._proof is None:
            return ANONYMOUS, None
        if self.payload is Payload.BODY:
            covered = body_hash
        elif self.payload is Payload.HASHED:
            covered = self.expected
        else:
            covered = self.payload.value
        if covered is None:
            raise SignatureDoesNotMatch
        return self._proof(covered)


def examine(
    request: Request,
    lookup: Lookup,
    *,
    now: float,
    service: str,
    region: str | None = None,
    bucket: str | None = None,
) -> Claim:
    """`service` is the signing name of the operation that was routed to, `bucket` the one in the Host.

    Raises a `Fault` for whatever is not exactly one well-formed, timely signature of a known key (or none at all).
    `region` None accepts any.
    """
    place = _place(request)
    payload, expected = _payload(request, place, service)
    match place:
        case Place.NONE:
            return Claim(payload, expected, None)
        case Place.QUERY_V2 if service == "s3":
            return Claim(payload, expected, _proof_v2(request, lookup, now, bucket))
        case Place.HEADER:
            signed = from_header(request)
        case Place.QUERY:
            signed = from_query(request)
        case _:
            raise InvalidRequest("This signature is not accepted. Please use AWS4-HMAC-SHA256.")
    check_scope(signed, service, region)
    if service != "s3" and not is_plain_path(request.path):
        # Signed as if these were not there, and routed as they stand: one signature would be good for two paths.
        raise SignatureDoesNotMatch("The path of a signed request may have no empty steps and no dots for steps.")
    _check_time(signed, now)
    key = find_key(lookup, signed.scope.access_key_id, signed.token, now)
    _check_names(request, signed)
    head = canonical_head(request, signed, service)
    return Claim(payload, expected, partial(_prove, signed, key, payload in CHUNKED, head))


def _prove(signed: Signed, key: Key, is_chunked: bool, head: str, covered: str) -> tuple[Principal, ChunkSeed | None]:
    signing_key, scope = derive_key(key.secret, signed.scope), signed.scope.text
    expected = signature_of(signing_key, string_to_sign(signed.moment, scope, head + covered))
    if not hmac.compare_digest(expected, signed.signature):
        raise SignatureDoesNotMatch
    return key.principal, ChunkSeed(signing_key, signed.moment, scope, signed.signature) if is_chunked else None


def _proof_v2(request: Request, lookup: Lookup, now: float, bucket: str | None) -> Proof:
    access_key_id, token = read_v2(request, now)
    key = find_key(lookup, access_key_id, token, now)

    def prove(_: str) -> tuple[Principal, ChunkSeed | None]:
        if not check_v2(request, key.secret, bucket):
            raise SignatureDoesNotMatch
        return key.principal, None

    return prove


def find_key(lookup: Lookup, access_key_id: str, token: str | None, now: float) -> Key:
    """Raises `InvalidAccessKeyId` or `ExpiredToken`."""
    key = lookup(access_key_id, token)
    if key is None:
        raise InvalidAccessKeyId
    if key.expires is not None and now >= key.expires:
        raise ExpiredToken
    return key


def canonical_head(request: Request, signed: Signed, service: str) -> str:
    """The canonical request up to the payload hash."""
    headers = request.headers
    lines = "".join([f"{name}:{' '.join(headers[name].split())}\n" for name in signed.names])
    path = canonical_path(request.path, service)
    query = canonical_query(request.query, presigned=signed.expires is not None)
    return f"{request.method}\n{path}\n{query}\n{lines}\n{';'.join(signed.names)}\n"


# Where the signature stands ------------------------------------------------------------------------------------------


class Place(Enum):
    """Where a request says who signed it."""

    NONE = "none"
    HEADER = "header"
    QUERY = "query"
    QUERY_V2 = "query, version 2"


_QUERY_NAMES = frozenset({"x-amz-algorithm", "x-amz-credential", "x-amz-signature"})
_QUERY_NAMES_V2 = frozenset({"awsaccesskeyid", "signature"})


def _place(request: Request) -> Place:
    """Exactly one place, or none. Any one of a place's names claims it, in whatever case."""
    if not request.parameters:
        return Place.HEADER if "authorization" in request.headers else Place.NONE
    names = {name.lower() for name, _ in request.parameters}
    match "authorization" in request.headers, bool(names & _QUERY_NAMES), bool(names & _QUERY_NAMES_V2):
        case False, False, False:
            return Place.NONE
        case True, False, False:
            return Place.HEADER
        case False, True, False:
            return Place.QUERY
        case False, False, True:
            return Place.QUERY_V2
    raise InvalidArgument("Only one authentication mechanism is allowed: header or query, not both.")


# How the payload is covered ------------------------------------------------------------------------------------------


def _payload(request: Request, place: Place, service: str) -> tuple[Payload, str | None]:
    """The grid of place x `x-amz-content-sha256` x service. A cell that is not written here is refused."""
    said = request.headers.get("x-amz-content-sha256")
    if said is None and place is Place.QUERY:
        said = request.parameter("X-Amz-Content-Sha256")
    if said is None:
        return _unsaid(place, service), None
    mode = Payload.HASHED if _SHA256.fullmatch(said) else _LITERAL.get(said)
    match place, mode:
        case (_, Payload.HASHED):
            return Payload.HASHED, said
        case (_, Payload.UNSIGNED) if service == "s3":
            return Payload.UNSIGNED, None
        case (Place.HEADER | Place.NONE, Payload.UNSIGNED_TRAILER) if service == "s3":
            return Payload.UNSIGNED_TRAILER, None
        case (Place.HEADER, Payload.SIGNED_CHUNKS) if service == "s3":
            return Payload.SIGNED_CHUNKS, None
        case (Place.HEADER, Payload.SIGNED_CHUNKS_TRAILER) if service == "s3":
            return Payload.SIGNED_CHUNKS_TRAILER, None
    raise UnknownPayloadHash(f"x-amz-content-sha256 may not be {said[:100]!r} here.")


def _unsaid(place: Place, service: str) -> Payload:
    if service != "s3":
        return Payload.BODY
    if place is Place.HEADER:
        raise MissingSecurityHeader("Missing required header for this request: x-amz-content-sha256")
    return Payload.UNSIGNED


# Time, scope and headers ---------------------------------------------------------------------------------------------


def check_scope(signed: Signed, service: str, region: str | None) -> None:
    """Raises a `Fault` where the credential is for another service, day or region (None: any)."""
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
        moment = seconds(signed.moment)
    except ValueError:
        raise AccessDenied("AWS authentication requires a valid date.") from None
    if signed.expires is None:
        if abs(now - moment) > MAX_SKEW:
            raise RequestTimeTooSkewed
    elif moment - now > MAX_SKEW:
        raise RequestExpired("Request is not yet valid")
    elif now >= moment + signed.expires:
        raise RequestExpired


@lru_cache(maxsize=64)
def seconds(text: str) -> int:
    """`20150830T123600Z` as seconds since 1970 (strptime would take longer than all the rest)."""
    parts = (text[:4], text[4:6], text[6:8], text[9:11], text[11:13], text[13:15])
    return int(datetime(*map(int, parts), tzinfo=UTC).timestamp())  # type: ignore[arg-type, misc]


def _check_names(request: Request, signed: Signed) -> None:
    """Whatever changes what the request does has to be signed."""
    names, given = set(signed.names), request.headers.keys()
    if "host" not in names:
        raise SignatureDoesNotMatch("The Host header must be signed.")
    if not given >= names:
        raise SignatureDoesNotMatch("A signed header is missing.")
    unsigned = [name for name in given - names if name.startswith("x-amz-")]
    if unsigned:
        message = f"There were headers present in the request which were not signed: {', '.join(sorted(unsigned))}"
        raise AccessDenied(message, HeadersNotSigned=", ".join(sorted(unsigned)))


def check_hash(expected: str, actual: str) -> None:
    """Raises `XAmzContentSHA256Mismatch`."""
    if not hmac.compare_digest(expected, actual):
        raise XAmzContentSHA256Mismatch(None, ClientComputedContentSHA256=expected, S3ComputedContentSHA256=actual)
