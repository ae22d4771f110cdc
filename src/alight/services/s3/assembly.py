"""Do these parts make that object? The rules of CompleteMultipartUpload, pure.

`order` is the client's list of parts, each with its number, entity tag and perhaps checksums; `parts` what was
uploaded under those numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from alight.calls import Members
from alight.errors.s3 import EntityTooSmall, InvalidPart, InvalidPartOrder, InvalidRequest, MalformedXML
from alight.services.s3.checksums import COMPOSITE, MEMBERS, combined, composite, mismatch, store_name
from alight.services.s3.conditions import bare
from alight.store.checksums import COMBINE
from alight.store.shapes import MULTIPART_LIMIT, UploadedPart

SMALLEST = 5 * 1024**2


def order_of(given: Members) -> list[Members]:
    """The client's list. Raises `MalformedXML` (empty, too long, incomplete) or `InvalidPartOrder`."""
    order: list[Members] = list((given.get("MultipartUpload") or {}).get("Parts") or ())
    if not 0 < len(order) <= MULTIPART_LIMIT:
        raise MalformedXML
    if any(one.get("PartNumber") is None or one.get("ETag") is None for one in order):
        raise MalformedXML
    numbers = [int(one["PartNumber"]) for one in order]
    if any(later <= earlier for earlier, later in pairwise(numbers)):
        raise InvalidPartOrder(UploadId=given.get("UploadId"))
    return order


def chosen(order: Sequence[Members], known: Mapping[int, UploadedPart], upload_id: str) -> list[UploadedPart]:
    """The parts that the list names. Raises `InvalidPart` or `EntityTooSmall`."""
    parts = []
    for one in order:
        part = known.get(int(one["PartNumber"]))
        if part is None or part.etag != bare(one["ETag"]) or _differs(one, part):
            raise InvalidPart(UploadId=upload_id, PartNumber=one["PartNumber"], ETag=bare(one["ETag"]))
        parts.append(part)
    for part in parts[:-1]:
        if part.size < SMALLEST:
            raise EntityTooSmall(
                ETag=part.etag, MinSizeAllowed=SMALLEST, PartNumber=part.number, ProposedSize=part.size
            )
    return parts


def _differs(one: Members, part: UploadedPart) -> bool:
    said = {store_name(name): one[member] for member, name in MEMBERS.items() if one.get(member) is not None}
    return any(part.checksums.get(name) != value for name, value in said.items())


def checked(
    given: Members, algorithm: str, kind: str, explicit: bool, order: Sequence[Members], parts: Sequence[UploadedPart]
) -> dict[str, str]:
    """The checksums of the whole. Raises `InvalidRequest` or `BadDigest` where the client says otherwise."""
    if given.get("ChecksumType") not in (None, kind):
        raise InvalidRequest(
            f"The upload was created using the {kind} checksum mode. The complete request must use the same "
            "checksum mode."
        )
    size = sum(part.size for part in parts)
    if given.get("MpuObjectSize") not in (None, size):
        raise InvalidRequest(
            f"The provided 'x-amz-mp-object-size' header value {given['MpuObjectSize']} does not match what was "
            f"computed: {size}"
        )
    if kind == COMPOSITE and explicit:
        _all_have(order, algorithm)
    total = _total(algorithm, kind, parts)
    _compare(given, algorithm, total, parts)
    return {store_name(algorithm): total}


def _all_have(order: Sequence[Members], algorithm: str) -> None:
    for one in order:
        if one.get(f"Checksum{algorithm}") is None:
            raise InvalidRequest(
                f"The upload was created using a {algorithm.lower()} checksum. The complete request must include the "
                f"checksum for each part. It was missing for part {one['PartNumber']} in the request."
            )


def _total(algorithm: str, kind: str, parts: Sequence[UploadedPart]) -> str:
    name = store_name(algorithm)
    if kind == COMPOSITE:
        return composite(algorithm, [part.checksums[name] for part in parts])
    return combined(algorithm, [(part.checksums[name], part.size) for part in parts])


def _compare(given: Members, algorithm: str, total: str, parts: Sequence[UploadedPart]) -> None:
    said = {name: given[member] for member, name in MEMBERS.items() if given.get(member) is not None}
    if len(said) > 1:
        raise InvalidRequest("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
    for name, value in said.items():
        computed = total if name == algorithm else _other(name, parts)
        if value not in (computed, computed.partition("-")[0]):
            raise mismatch(name)


def _other(name: str, parts: Sequence[UploadedPart]) -> str:
    """A checksum that the upload was not created with, where the parts happen to have brought it."""
    if store_name(name) in COMBINE and all(store_name(name) in part.checksums for part in parts):
        return combined(name, [(part.checksums[store_name(name)], part.size) for part in parts])
    raise InvalidRequest(f"The upload was not created with the {name.lower()} checksum algorithm.")
