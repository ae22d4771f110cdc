"""Multipart uploads: begun, fed part by part, and made one object in a single transaction.

A part is a body of its own; completing refers to the parts in order, so no byte is moved and the memory needed does
not grow with the object.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import quote

from alight.calls import Call, Handler, Members
from alight.errors.s3 import EntityTooLarge, InvalidArgument, InvalidRequest, NoSuchUpload
from alight.events.event import CREATED_MULTIPART
from alight.services.s3 import assembly, checksums, conditions, headers
from alight.services.s3.acl import acl_for
from alight.services.s3.checksums import store_name
from alight.services.s3.copying import source_of, source_version
from alight.services.s3.ground import Ground, change, moment, quoted
from alight.services.s3.lifecycle_rules import ends, rules_of
from alight.services.s3.naming import check_key
from alight.services.s3.objects import info_of, sums_of
from alight.services.s3.placing import LARGEST, Arrived, check_again, receive
from alight.services.s3.ranges import copied
from alight.store.database import Tx
from alight.store.shapes import MULTIPART_LIMIT, ObjectRow, Upload, UploadedPart

_SETUP, _DONE = "Multipart", "Upload"


@dataclass(frozen=True, slots=True)
class Setup:
    """What the creator of an upload said about checksums; `explicit`: the parts must bring them."""

    algorithm: str
    kind: str
    explicit: bool


def setup_of(upload: Upload) -> Setup:
    return Setup(*upload.info.storage[_SETUP])


class Multipart:
    """Handlers that begin, feed, complete and abort uploads."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def handlers(self) -> dict[str, Handler]:
        return {
            "CreateMultipartUpload": self.create,
            "UploadPart": self.upload_part,
            "UploadPartCopy": self.upload_part_copy,
            "CompleteMultipartUpload": self.complete,
            "AbortMultipartUpload": self.abort,
        }

    async def create(self, call: Call, given: Members) -> Members:
        home, key = self._ground.bucket(given), str(given["Key"])
        bucket = home.name
        check_key(key)
        asked = given.get("ChecksumAlgorithm")
        algorithm, kind = checksums.upload_type(asked, given.get("ChecksumType"))
        said = info_of(given)
        info = replace(
            said, acl=acl_for(call, home, given), storage={**said.storage, _SETUP: [algorithm, kind, asked is not None]}
        )

        def job(tx: Tx) -> Upload:
            self._ground.require(tx, bucket)
            return self._ground.objects.create_upload(tx, bucket, key, info)

        upload = await self._ground.database.write(job)
        reply = {"Bucket": bucket, "Key": key, "UploadId": upload.id, **headers.encryption(info)}
        reply |= abort_of(self._ground, upload)
        return reply | ({"ChecksumAlgorithm": algorithm, "ChecksumType": kind} if asked is not None else {})

    async def upload_part(self, call: Call, given: Members) -> Members:
        upload, number = find_upload(self._ground, given), _number(given)
        setup = setup_of(upload)
        if setup.explicit:
            wanted = checksums.expected(call, given)
            if wanted is None or wanted.algorithm != setup.algorithm:
                raise InvalidRequest(
                    f"Checksum Type mismatch occurred, expected checksum Type: {setup.algorithm.lower()}, actual "
                    f"checksum Type: {wanted.algorithm.lower() if wanted else 'null'}"
                )
        arrived = await receive(self._ground, call, given, setup.algorithm)
        part = await self._keep(upload, number, arrived)
        sums = {f"Checksum{arrived.algorithm}": part.checksums[store_name(arrived.algorithm)]}
        return {"ETag": quoted(part.etag), **sums, **headers.encryption(upload.info)}

    async def upload_part_copy(self, call: Call, given: Members) -> Members:
        upload, number = find_upload(self._ground, given), _number(given)
        source = source_of(self._ground, given)
        span = copied(given.get("CopySourceRange"), source.size)
        start, end = (span.start, span.end) if span else (0, source.size)
        if end - start > LARGEST:
            raise EntityTooLarge(ProposedSize=end - start, MaxSizeAllowed=LARGEST)
        algorithm = setup_of(upload).algorithm
        body = self._ground.objects.open_body(source, start, end)
        incoming = await self._ground.objects.receive(body, algorithms=(store_name(algorithm),))
        part = await self._keep(upload, number, Arrived(incoming, algorithm))
        result = {"ETag": quoted(part.etag), "LastModified": moment(part.last_modified)}
        result[f"Checksum{algorithm}"] = part.checksums[store_name(algorithm)]
        return {
            "CopyPartResult": result,
            **headers.encryption(upload.info),
            **source_version(self._ground, source),
        }

    async def _keep(self, upload: Upload, number: int, arrived: Arrived) -> UploadedPart:
        def job(tx: Tx) -> UploadedPart:
            part = self._ground.objects.put_part(tx, upload.id, number, arrived.incoming, arrived.incoming.digests)
            if part is None:
                raise NoSuchUpload(UploadId=upload.id)
            return part

        try:
            return await self._ground.database.write(job)
        except BaseException:
            arrived.incoming.discard()
            raise

    async def complete(self, call: Call, given: Members) -> Members:
        """One object and one event; asked again for the same upload, the same answer and no second event."""
        bucket, key, upload_id = self._ground.bucket(given).name, str(given["Key"]), str(given["UploadId"])
        check_key(key)
        order = assembly.order_of(given)
        asked = conditions.of(given)
        conditions.check_form(asked)

        def job(tx: Tx) -> ObjectRow:
            home = self._ground.require(tx, bucket)
            upload = self._ground.objects.get_upload(upload_id, tx)
            if upload is None or (upload.bucket, upload.key) != (bucket, key):
                return self._completed(tx, bucket, key, upload_id)
            check_again(self._ground, tx, bucket, key, asked)
            row = self._assemble(tx, upload, order, given)
            self._ground.tell(tx, home, change(call, CREATED_MULTIPART, row, row.last_modified))
            return row

        row = await self._ground.database.write(job)
        return {
            "Location": f"{call.base_url}/{bucket}/{quote(key)}",
            "Bucket": bucket,
            "Key": key,
            "ETag": quoted(row.etag),
            **sums_of(row),
            **headers.encryption(row),
            **self._ground.facts(row),
        }

    def _assemble(self, tx: Tx, upload: Upload, order: list[Members], given: Members) -> ObjectRow:
        setup = setup_of(upload)
        known = {part.number: part for part in self._ground.objects.list_parts(upload.id, tx=tx)}
        parts = assembly.chosen(order, known, upload.id)
        sums = assembly.checked(given, setup.algorithm, setup.kind, setup.explicit, order, parts)
        row = self._ground.objects.complete(
            tx,
            upload.id,
            [part.number for part in parts],
            etag=checksums.etag_of_parts([part.etag for part in parts]),
            checksums=sums,
            checksum_type=setup.kind,
        )
        assert row is not None, "the upload and its parts were read in this transaction"
        storage = {name: value for name, value in row.storage.items() if name != _SETUP}
        changed = self._ground.objects.change(tx, row.bucket, row.key, storage={**storage, _DONE: upload.id})
        assert changed is not None, "the object was written in this transaction"
        return changed

    def _completed(self, tx: Tx, bucket: str, key: str, upload_id: str) -> ObjectRow:
        row = self._ground.objects.get(bucket, key, tx)
        if row is None or row.storage.get(_DONE) != upload_id:
            raise NoSuchUpload(UploadId=upload_id)
        return row

    async def abort(self, call: Call, given: Members) -> Members:
        upload = find_upload(self._ground, given)

        def job(tx: Tx) -> None:
            if not self._ground.objects.abort(tx, upload.id):
                raise NoSuchUpload(UploadId=upload.id)

        await self._ground.database.write(job, frees=True)
        return {}


def abort_of(ground: Ground, upload: Upload) -> Members:
    """When an upload is given up if it is not finished, and by which lifecycle rule."""
    bucket = ground.objects.get_bucket(upload.bucket)
    found = ends(rules_of(bucket.settings), upload) if bucket is not None else None
    return {"AbortDate": moment(found[0]), "AbortRuleId": found[1]} if found else {}


def find_upload(ground: Ground, given: Members) -> Upload:
    """The upload of a request. Raises `NoSuchUpload`, also where it is one of another key."""
    bucket, key, upload_id = ground.bucket(given).name, str(given["Key"]), str(given["UploadId"])
    check_key(key)
    upload = ground.objects.get_upload(upload_id)
    if upload is None or (upload.bucket, upload.key) != (bucket, key):
        raise NoSuchUpload(UploadId=upload_id)
    return upload


def _number(given: Members) -> int:
    number = int(given["PartNumber"])
    if not 1 <= number <= MULTIPART_LIMIT:
        raise InvalidArgument(
            f"Part number must be an integer between 1 and {MULTIPART_LIMIT}, inclusive",
            ArgumentName="partNumber",
            ArgumentValue=number,
        )
    return number
