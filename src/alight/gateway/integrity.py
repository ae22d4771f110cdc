"""What a client says of a body that is read whole: Content-MD5 and x-amz-checksum-*, compared before it is decoded.

For every operation of the XML protocol (DeleteObjects, PutObjectTagging, PutBucketNotificationConfiguration ...). A
checksum header that is a member of the operation speaks of something else (CompleteMultipartUpload: of the object) and
is the service's. Streamed bodies are compared by whoever reads them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping

from alight.errors.s3 import BadDigest, InvalidDigest, InvalidRequest
from alight.gateway.request import Request
from alight.gateway.route import Match

#: `digest(algorithm, data)`: the algorithm's name in lower case; base64. Raises KeyError for an unknown one.
Digest = Callable[[str, bytes], str]

_PREFIX = "x-amz-checksum-"
#: Headers of that family that are no checksums.
_OTHERS = frozenset({"x-amz-checksum-algorithm", "x-amz-checksum-mode", "x-amz-checksum-type"})
_HASHES = {"md5": 16, "sha1": 20, "sha256": 32, "sha512": 64}


def plain_digest(algorithm: str, data: bytes) -> str:
    """What the standard library can do; the CRCs have to be handed over."""
    if algorithm not in _HASHES:
        raise KeyError(algorithm)
    return base64.b64encode(hashlib.new(algorithm, data, usedforsecurity=False).digest()).decode()


def check_body(match: Match, request: Request, body: bytes, trailers: Mapping[str, str], digest: Digest) -> None:
    """Raises `InvalidDigest`, `InvalidRequest` (malformed, doubled, missing) or `BadDigest` (another body)."""
    if match.protocol != "rest-xml":
        return
    _check_md5(request.headers.get("content-md5"), body)
    given: Mapping[str, str] = request.headers
    if trailers:
        given = {**given, **{name.lower(): value for name, value in trailers.items()}}
    members = match.operation.inputs.by_header
    said = {
        name: given[name].strip()
        for name in given
        if name.startswith(_PREFIX) and name not in _OTHERS and name not in members
    }
    if len(said) > 1:
        raise InvalidRequest("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
    chosen = given.get("x-amz-sdk-checksum-algorithm") if match.operation.model.http_checksum else None
    if chosen is not None and not said:
        raise InvalidRequest(
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers "
            "were found."
        )
    for name, value in said.items():
        algorithm = name.removeprefix(_PREFIX)
        if chosen is not None and chosen.strip().lower() != algorithm:
            raise InvalidRequest("Value for x-amz-sdk-checksum-algorithm header is invalid.")
        _check_sum(name, algorithm, value, body, digest)


def _check_md5(said: str | None, body: bytes) -> None:
    if said is None:
        return
    raw = _decoded(said)
    if raw is None or len(raw) != 16:
        raise InvalidDigest(**{"Content-MD5": said})
    computed = hashlib.md5(body, usedforsecurity=False).digest()
    if raw != computed:
        raise BadDigest(ExpectedDigest=raw.hex(), CalculatedDigest=computed.hex())


def _check_sum(name: str, algorithm: str, said: str, body: bytes, digest: Digest) -> None:
    try:
        computed = digest(algorithm, body)
    except KeyError:
        raise InvalidRequest(f"The checksum of {name} is not supported.") from None
    raw = _decoded(said)
    if raw is None or len(raw) != len(_decoded(computed) or b""):
        raise InvalidRequest(f"Value for {name} header is invalid.")
    if said != computed:
        raise BadDigest(f"The {algorithm.upper()} you specified did not match the calculated checksum.")


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
