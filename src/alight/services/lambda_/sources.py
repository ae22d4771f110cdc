"""Where code comes from: a zip in the request, an object in a bucket, or a template's own folder; unpacked for use."""

from __future__ import annotations

import asyncio
import tempfile
from base64 import b64encode
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from alight.calls import Call, Members
from alight.errors import AlightError
from alight.errors.common import NotImplemented_
from alight.errors.lambda_ import InvalidParameterValueException, RequestEntityTooLargeException
from alight.errors.s3 import NoSuchBucket, NoSuchKey, NoSuchVersion
from alight.functions import package
from alight.functions.package import Package
from alight.services.lambda_.places import named
from alight.services.members import check

NO_IMAGES = (
    "Alight runs no container images (PackageType Image, ImageUri): give the code as a zip file, in ZipFile or in "
    "S3Bucket and S3Key."
)
#: Bytes of a zip file that a request may carry, and of the request; longer ones come from a bucket.
ZIPPED_LIMIT = 52_428_800
_REQUEST_LIMIT = 69_905_067
#: Called with bucket, key and a version ("" for the newest); returns a file that holds the object.
Fetch = Callable[[str, str, str], Awaitable[Path]]


class Sources:
    """Unpacks packages under `folder`; `progress` gets lines for whoever watches."""

    def __init__(self, folder: Path, fetch: Fetch, progress: Callable[[str], None]) -> None:
        self.folder = folder
        self._fetch = fetch
        self._progress = progress

    async def code(self, call: Call, given: Members, runtime: str) -> dict[str, Any]:
        """A function's `Code` for its record; requirements are installed for `runtime`."""
        return await self._take(call, given, lambda path: self._prepared(path, runtime))

    async def layer(self, call: Call, given: Members) -> dict[str, Any]:
        """A layer's `Content` for its record."""
        return await self._take(call, given, lambda path: package.keep(path, self.folder))

    async def _take(
        self, call: Call, given: Members, unpack: Callable[[Path], Awaitable[Package]]
    ) -> dict[str, Any]:  # fmt: skip
        """`Local` is for templates, which name a path of their own."""
        try:
            if "Local" in given and call.principal.kind == "service":
                return self._record(await unpack(Path(given["Local"])))
            if given.get("ZipFile"):
                _check_length(call, given["ZipFile"])
                with tempfile.TemporaryDirectory() as folder:
                    file = Path(folder, "ZipFile")  # as messages about it call it
                    await asyncio.to_thread(file.write_bytes, given["ZipFile"])
                    return self._record(await unpack(file))
            if given.get("S3Bucket") and given.get("S3Key"):
                version = given.get("S3ObjectVersion") or ""
                return self._record(await unpack(await self._fetch(given["S3Bucket"], given["S3Key"], version)))
        except (NoSuchBucket, NoSuchKey, NoSuchVersion) as fault:
            raise InvalidParameterValueException(
                f"Error occurred while GetObject. S3 Error Code: {fault.code}. S3 Error Message: {fault.message}",
                Type="User",
            ) from None
        except AlightError as error:
            raise InvalidParameterValueException(str(error), Type="User") from None
        raise InvalidParameterValueException("Please provide a source for function code.", Type="User")

    async def _prepared(self, path: Path, runtime: str) -> Package:
        return await package.prepare(path, self.folder, progress=self._progress, runtime=runtime)

    def _record(self, made: Package) -> dict[str, Any]:
        return named(made, self.folder) | {
            "Sha256": b64encode(bytes.fromhex(made.code_hash)).decode(),
            "Size": made.size,
        }


def _check_length(call: Call, zipped: bytes) -> None:
    """As base64 it is a third longer."""
    if len(zipped) * 4 > _REQUEST_LIMIT * 3:
        raise RequestEntityTooLargeException(
            f"Request must be smaller than {_REQUEST_LIMIT} bytes for the {call.operation} operation"
        )


def check_source(operation: str, given: Members) -> None:
    """Zip files only, and of a place in a bucket what is honoured."""
    if given.get("ImageUri"):
        raise NotImplemented_(NO_IMAGES)
    check("lambda", operation, given, ("ZipFile", "S3Bucket", "S3Key", "S3ObjectVersion", "Local"))
