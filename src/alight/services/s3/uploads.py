"""What is being uploaded: ListParts and ListMultipartUploads, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from alight.calls import Call, Handler, Members
from alight.services.s3.checksums import store_name
from alight.services.s3.ground import OWNER, Ground, moment, quoted
from alight.services.s3.listing import page_size, speller
from alight.services.s3.multipart import Setup, abort_of, find_upload, setup_of
from alight.store.shapes import Upload, UploadedPart

_BATCH = 1000


class UploadListing:
    """Handlers of the two listings."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def handlers(self) -> dict[str, Handler]:
        return {"ListParts": self.list_parts, "ListMultipartUploads": self.list_uploads}

    async def list_parts(self, call: Call, given: Members) -> Members:
        upload = find_upload(self._ground, given)
        limit = page_size(given.get("MaxParts"), "max-parts")
        marker = int(given.get("PartNumberMarker") or 0)
        setup = setup_of(upload)
        found = self._ground.objects.list_parts(upload.id, marker, limit + 1)
        page = found[:limit]
        return {
            "Bucket": upload.bucket,
            "Key": upload.key,
            "UploadId": upload.id,
            "PartNumberMarker": marker,
            "NextPartNumberMarker": page[-1].number if page else 0,
            "MaxParts": limit,
            "IsTruncated": 0 < len(page) < len(found),
            "Parts": [_part(part, setup) for part in page],
            "Initiator": OWNER,
            "Owner": OWNER,
            "StorageClass": "STANDARD",
            **_checksums(setup),
            **abort_of(self._ground, upload),
        }

    async def list_uploads(self, call: Call, given: Members) -> Members:
        bucket = self._ground.bucket(given).name
        limit = page_size(given.get("MaxUploads"), "max-uploads")
        spell = speller(given)
        page = _Page(limit)
        for upload in self._behind(bucket, given):
            if not page.take(upload, given.get("Prefix") or "", given.get("Delimiter") or ""):
                break
        reply: Members = {
            "Bucket": bucket,
            "KeyMarker": spell(given.get("KeyMarker") or ""),
            "UploadIdMarker": given.get("UploadIdMarker") or "",
            "MaxUploads": limit,
            "IsTruncated": page.more,
            "Uploads": [_upload(upload) | {"Key": spell(upload.key)} for upload in page.uploads],
            "CommonPrefixes": [{"Prefix": spell(prefix)} for prefix in page.prefixes],
        }
        if page.more:
            reply |= {"NextKeyMarker": spell(page.last[0]), "NextUploadIdMarker": page.last[1]}
        reply |= {name: spell(given[name]) for name in ("Prefix", "Delimiter") if given.get(name)}
        return reply | ({"EncodingType": given["EncodingType"]} if given.get("EncodingType") else {})

    def _behind(self, bucket: str, given: Members) -> Iterator[Upload]:
        """The uploads behind the markers, in order; a marker that is a common prefix stands for all of its keys."""
        prefix, delimiter = given.get("Prefix") or "", given.get("Delimiter") or ""
        key, identity = given.get("KeyMarker") or "", given.get("UploadIdMarker") or ""
        rolled = key if delimiter and not identity and key.endswith(delimiter) and key.startswith(prefix) else None
        while True:
            batch = self._ground.objects.list_uploads(bucket, prefix, key, identity if key else "", _BATCH)
            for upload in batch:
                if rolled is None or not upload.key.startswith(rolled):
                    yield upload
            if len(batch) < _BATCH:
                return
            key, identity = batch[-1].key, batch[-1].id


@dataclass(slots=True)
class _Page:
    """Uploads and common prefixes, up to `limit` together; `last` is where the next page goes on."""

    limit: int
    uploads: list[Upload] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    last: tuple[str, str] = ("", "")
    more: bool = False

    def take(self, upload: Upload, prefix: str, delimiter: str) -> bool:
        """False where the page is full."""
        at = upload.key.find(delimiter, len(prefix)) if delimiter else -1
        common = upload.key[: at + len(delimiter)] if at >= 0 else None
        if common is not None and self.prefixes and self.prefixes[-1] == common:
            return True
        if len(self.uploads) + len(self.prefixes) >= self.limit:
            self.more = self.limit > 0
            return False
        if common is None:
            self.uploads.append(upload)
            self.last = (upload.key, upload.id)
        else:
            self.prefixes.append(common)
            self.last = (common, "")
        return True


def _checksums(setup: Setup) -> Members:
    return {"ChecksumAlgorithm": setup.algorithm, "ChecksumType": setup.kind}


def _part(part: UploadedPart, setup: Setup) -> Members:
    shown: Members = {
        "PartNumber": part.number,
        "LastModified": moment(part.last_modified),
        "ETag": quoted(part.etag),
        "Size": part.size,
    }
    digest = part.checksums.get(store_name(setup.algorithm))
    return shown | ({f"Checksum{setup.algorithm}": digest} if digest else {})


def _upload(upload: Upload) -> Members:
    return {
        "UploadId": upload.id,
        "Initiated": moment(upload.initiated),
        "StorageClass": "STANDARD",
        "Owner": OWNER,
        "Initiator": OWNER,
        **_checksums(setup_of(upload)),
    }
