"""Checksums between the wire and the store: which was asked for, is it right, what is kept and shown.

A client sends at most one checksum per body, as a header (a `Checksum...` member) or as a trailer that
`x-amz-trailer` announces; what it does not choose is CRC64NVME. Digests are base64 text throughout, as on the wire.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from alight.calls import Call, Members
from alight.errors.s3 import BadDigest, InvalidDigest, InvalidRequest
from alight.store.checksums import ALGORITHMS, COMBINE, checksum, combine

FULL, COMPOSITE = "FULL_OBJECT", "COMPOSITE"
DEFAULT = "CRC64NVME"

# Algorithm (the wire's name) → length of its digest in bytes.
SIZES = {
    "CRC32": 4, "CRC32C": 4, "CRC64NVME": 8, "SHA1": 20, "SHA256": 32, "SHA512": 64, "MD5": 16,
    "XXHASH64": 8, "XXHASH3": 8, "XXHASH128": 16,
}  # fmt: skip
MEMBERS = {f"Checksum{name}": name for name in SIZES}
_HEADERS = {f"x-amz-checksum-{name.lower()}": name for name in SIZES}


@dataclass(frozen=True, slots=True)
class Expected:
    """What a body has to match. `value` is None while the checksum is still to come in a trailer."""

    algorithm: str
    value: str | None = None
    trailer: str | None = None


def store_name(algorithm: str) -> str:
    """The store's own name of a wire algorithm."""
    return algorithm.lower()


def expected(call: Call, given: Members) -> Expected | None:
    """The checksum that the request carries, if any. Raises `InvalidRequest` for two, malformed or missing ones."""
    named = MEMBERS.keys() & given.keys()
    values = {MEMBERS[member]: given[member] for member in named if given[member] is not None} if named else {}
    trailers = _announced(call)
    if len(values) + len(trailers) > 1:
        raise InvalidRequest("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
    chosen = _algorithm(given)
    if not values and not trailers:
        if chosen is not None:
            raise InvalidRequest(
                "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer "
                "headers were found."
            )
        return None
    name = next(iter(values or trailers))
    if chosen is not None and chosen != name:
        raise InvalidRequest("Value for x-amz-sdk-checksum-algorithm header is invalid.")
    if values:
        check_form(name, values[name])
    return Expected(name, values.get(name), trailers.get(name))


def _announced(call: Call) -> dict[str, str]:
    said = call.headers.get("x-amz-trailer")
    if not said:
        return {}
    headers = [each.strip().lower() for each in said.split(",")]
    return {_HEADERS[header]: header for header in headers if header in _HEADERS}


def _algorithm(given: Members) -> str | None:
    chosen: str | None = given.get("ChecksumAlgorithm")
    if chosen is not None and chosen.upper() not in SIZES:
        raise InvalidRequest(
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: "
            f"[{', '.join(sorted(SIZES))}]"
        )
    return chosen.upper() if chosen is not None else None


def check_form(algorithm: str, value: str, where: str = "header") -> None:
    """Raises `InvalidRequest` unless `value` is base64 of a digest of the right length."""
    if _decoded(value, SIZES[algorithm]) is None:
        raise InvalidRequest(f"Value for x-amz-checksum-{algorithm.lower()} {where} is invalid.")


def _decoded(value: str, size: int) -> bytes | None:
    try:
        raw = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if len(raw) == size else None


def verify(wanted: Expected, digests: Mapping[str, str], trailers: Mapping[str, str]) -> None:
    """Compare what was computed over the body (wire algorithm → base64) with what the client said.

    Raises `BadDigest` on a difference, `InvalidRequest` for a trailer that was announced and is missing or malformed.
    """
    said = wanted.value
    if said is None:
        lowered = {name.lower(): value.strip() for name, value in trailers.items()}
        said = lowered.get(wanted.trailer or "")
        if said is None:
            raise InvalidRequest(f"The trailer {wanted.trailer} was announced and did not arrive.")
        check_form(wanted.algorithm, said, "trailing header")
    if said != digests[wanted.algorithm]:
        raise mismatch(wanted.algorithm)


def mismatch(algorithm: str) -> BadDigest:
    return BadDigest(f"The {algorithm} you specified did not match the calculated checksum.")


def content_md5(given: Members) -> str | None:
    """Content-MD5 as hexadecimal digits. Raises `InvalidDigest` where it is not base64 of 16 bytes."""
    value = given.get("ContentMD5")
    if value is None:
        return None
    raw = _decoded(value, 16)
    if raw is None:
        raise InvalidDigest(**{"Content-MD5": value})
    return raw.hex()


def check_md5(said: str | None, computed: str) -> None:
    """Both in hexadecimal digits. Raises `BadDigest`."""
    if said is not None and said != computed:
        raise BadDigest(ExpectedDigest=said, CalculatedDigest=computed)


def upload_type(algorithm: str | None, wanted: str | None) -> tuple[str, str]:
    """(algorithm, checksum type) of a multipart upload from what its creation said. Raises `InvalidRequest`."""
    if algorithm is None:
        if wanted is not None:
            raise InvalidRequest(
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header."
            )
        return DEFAULT, FULL
    name = _algorithm({"ChecksumAlgorithm": algorithm}) or DEFAULT
    kind = wanted or (FULL if name == "CRC64NVME" else COMPOSITE)
    if (kind == FULL and store_name(name) not in COMBINE) or (kind == COMPOSITE and name == "CRC64NVME"):
        raise InvalidRequest(f"The {kind} checksum type cannot be used with the {name.lower()} checksum algorithm.")
    if kind not in (FULL, COMPOSITE):
        raise InvalidRequest("Value for x-amz-checksum-type header is invalid.")
    return name, kind


def combined(algorithm: str, parts: Sequence[tuple[str, int]]) -> str:
    """The checksum of the whole from (digest, size) of its parts; for the CRC family, which can be added up."""
    name = store_name(algorithm)
    total = checksum(name, b"")
    for digest, size in parts:
        total = combine(name, total, digest, size)
    return total


def composite(algorithm: str, digests: Sequence[str]) -> str:
    """The checksum of the parts' checksums, with the number of parts: `BASE64-N`."""
    hasher = ALGORITHMS[store_name(algorithm)]()
    for digest in digests:
        hasher.update(base64.b64decode(digest))
    return f"{base64.b64encode(hasher.digest()).decode()}-{len(digests)}"


def etag_of_parts(md5s: Sequence[str]) -> str:
    """The entity tag of a multipart object from its parts' MD5 (hexadecimal digits)."""
    joined = b"".join(bytes.fromhex(each) for each in md5s)
    return f"{hashlib.md5(joined, usedforsecurity=False).hexdigest()}-{len(md5s)}"
