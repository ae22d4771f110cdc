"""Objects that a service needs as files: function packages and model packages that lie in a bucket."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import unquote, urlsplit

from alight.errors.s3 import NoSuchBucket, NoSuchKey, NoSuchVersion
from alight.flush import flush
from alight.names import new_request_id
from alight.store.objects import ObjectStore


class Fetcher:
    """Copies objects into `folder`, one file per stored version; a file that is there already is used again."""

    def __init__(self, objects: ObjectStore, folder: Path) -> None:
        self._objects = objects
        self._folder = folder

    async def object(self, bucket: str, key: str, version: str = "") -> Path:
        """Raises `NoSuchBucket`, `NoSuchKey` or `NoSuchVersion`. The file is the caller's to read, not to change."""
        if self._objects.get_bucket(bucket) is None:
            raise NoSuchBucket(BucketName=bucket)
        row = self._objects.get(bucket, key, version=version)
        if row is None or row.marker:
            raise NoSuchVersion(Key=key, VersionId=version) if version else NoSuchKey(Key=key)
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{row.version_id}{Path(key).suffix}"
        if not path.exists():
            # In one step with the look-up: from here on the bytes are kept, even where the object is overwritten.
            body = self._objects.open_body(row)
            # Two that want it at a time write two files; either is the object.
            temporary = path.with_name(f"{path.name}.{new_request_id()}.part")
            with await asyncio.to_thread(temporary.open, "wb") as file:
                async for chunk in body:
                    await asyncio.to_thread(file.write, chunk)
            await asyncio.to_thread(flush, temporary)
            temporary.rename(path)
        return path

    async def url(self, url: str) -> Path:
        """The same for `s3://bucket/key`."""
        parts = urlsplit(url)
        return await self.object(parts.netloc, unquote(parts.path.lstrip("/")))
