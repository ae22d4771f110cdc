"""model.tar.gz, or a folder -> files in our own store that were checked one by one.

Each package has a folder named by the SHA-256 of what came in, and beside it a list of the SHA-256 of every file
in it. Nothing leaves that folder: links, devices, absolute names and `..` are refused, and so is an archive that
grows beyond reason. The list is checked whenever the package is used; a folder that no longer agrees with it is
unpacked again.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import json
import os
import shutil
import stat
import tarfile
import uuid
import zlib
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO

from alight.endpoints import formats
from alight.endpoints.contract import CannotServe
from alight.flush import flush, flush_names, flush_tree

MAX_FILES = 10_000
MAX_TOTAL = 20 << 30
#: An archive may grow this many times, or to this size, whichever is more.
MAX_RATIO = 100
FREE_SIZE = 64 << 20
CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Artifact:
    """A checked package. `format` is a name of `formats`."""

    dir: Path
    sha256: str
    format: str


async def unpack(source: Path | bytes, store: Path, environment: Mapping[str, str] | None = None) -> Artifact:
    """Bring a package into `store`, or find it there. Raises `CannotServe` with what is wrong with it."""
    return await asyncio.to_thread(_unpack, source, store, environment or {})


async def reopen(sha256: str, store: Path, environment: Mapping[str, str] | None = None) -> Artifact | None:
    """A package that was unpacked before, checked again; None where it is gone or was changed."""
    return await asyncio.to_thread(_reopen, sha256, store, environment or {})


async def sweep(store: Path, keep: Set[str]) -> None:
    """Remove every package but those whose SHA-256 is in `keep`, and what an interrupted unpacking left."""
    await asyncio.to_thread(_sweep, store, keep)


def _sweep(store: Path, keep: Set[str]) -> None:
    for path in store.iterdir() if store.is_dir() else ():
        if path.name.removesuffix(".json") in keep:
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()


def _unpack(source: Path | bytes, store: Path, environment: Mapping[str, str]) -> Artifact:
    if isinstance(source, Path) and not source.exists():
        raise CannotServe(f"There is no model package at {source}.")
    folder = isinstance(source, Path) and source.is_dir()
    sha256 = _hash_folder(source) if folder and isinstance(source, Path) else _hash_archive(source)
    found = _reopen(sha256, store, environment)
    if found is not None:
        return found
    store.mkdir(parents=True, exist_ok=True)
    fresh = store / f".new-{uuid.uuid4().hex}"
    fresh.mkdir(mode=0o700)
    try:
        sums = _copy_folder(source, fresh) if folder and isinstance(source, Path) else _extract(source, fresh)
        kind = formats.detect(fresh, environment)
        listing = store / f"{sha256}.json"
        listing.write_text(json.dumps(sums, sort_keys=True))
        flush_tree(fresh)
        flush(listing)
        home = store / sha256
        shutil.rmtree(home, ignore_errors=True)
        fresh.rename(home)
        flush_names(store, store.parent)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    return Artifact(home, sha256, kind)


def _reopen(sha256: str, store: Path, environment: Mapping[str, str]) -> Artifact | None:
    home = store / sha256
    try:
        listed = json.loads((store / f"{sha256}.json").read_bytes())
        if not home.is_dir() or _sums(home) != listed:
            return None
    except (OSError, ValueError, CannotServe):
        return None
    return Artifact(home, sha256, formats.detect(home, environment))


def _hash_archive(source: Path | bytes) -> str:
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    with source.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _hash_folder(source: Path) -> str:
    digest = hashlib.sha256()
    for name, sha256 in sorted(_sums(source).items()):
        digest.update(f"{name}\0{sha256}\n".encode())
    return digest.hexdigest()


def _sums(folder: Path) -> dict[str, str]:
    return {name: _hash_archive(path) for name, path in _files(folder)}


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file under a folder; anything that is neither file nor folder is refused."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in [*folders, *names]:
            status = (Path(place) / name).lstat()
            if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
                raise CannotServe(f"{Path(place) / name} is a link or a device; a model package holds files only.")
        for name in sorted(names):
            path = Path(place) / name
            yield str(path.relative_to(folder)), path


def _copy_folder(source: Path, target: Path) -> dict[str, str]:
    sums = {}
    for name, path in _files(source):
        with path.open("rb") as file:
            sums[name] = _write(file, target / name)
    return sums


def _extract(source: Path | bytes, target: Path) -> dict[str, str]:
    size = len(source) if isinstance(source, bytes) else source.stat().st_size
    limit = min(MAX_TOTAL, max(FREE_SIZE, size * MAX_RATIO))
    sums: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        raw = io.BytesIO(source) if isinstance(source, bytes) else stack.enter_context(source.open("rb"))
        bounded = _Bounded(raw, limit)
        try:
            with tarfile.open(fileobj=bounded, mode="r|") as archive:
                for count, member in enumerate(archive):
                    if count >= MAX_FILES:
                        raise CannotServe(f"The model package has more than {MAX_FILES:,} entries.")
                    name = _check_member(member, sums)
                    content = archive.extractfile(member) if member.isreg() else None
                    if content is not None:
                        sums[name] = _write(content, target / name)
            # The archive ends before gzip's own checksum; only who reads to the end has it checked.
            while bounded.read(CHUNK):
                pass
        except (tarfile.TarError, EOFError, zlib.error, OSError, ValueError, OverflowError) as error:
            raise CannotServe(f"The model package cannot be unpacked: {error}.") from None
    return sums


def _check_member(member: tarfile.TarInfo, have: Mapping[str, str]) -> str:
    """The member's clean relative name. Raises `CannotServe` where it must not be unpacked."""
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or "\\" in member.name or "\0" in member.name:
        raise CannotServe(f"The model package has an entry that leads out of it: {member.name!r}.")
    if not (member.isreg() or member.isdir()) or member.issparse():
        raise CannotServe(f"The model package has an entry that is neither file nor folder: {member.name!r}.")
    name = str(path)
    if member.isreg() and name in have:
        raise CannotServe(f"The model package has an entry twice: {member.name!r}.")
    return name


def _write(source: IO[bytes], path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with path.open("xb") as target:
        while part := source.read(CHUNK):
            digest.update(part)
            target.write(part)
    path.chmod(0o644)
    return digest.hexdigest()


class _Bounded(io.RawIOBase):
    """Reads a plain or gzipped stream and stops where it grows beyond the limit, before memory or disk do."""

    def __init__(self, raw: BinaryIO | io.BytesIO, limit: int) -> None:
        self._raw = raw
        self._left = limit
        self._limit = limit
        self._inflate: zlib._Decompress | None = None
        self._pending = raw.read(CHUNK)
        if self._pending[:2] == b"\x1f\x8b":
            self._inflate = zlib.decompressobj(wbits=31)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > FREE_SIZE:
            raise CannotServe("The model package has a header of an absurd size.")
        parts, have = [], 0
        while have < size and (part := self._next(size - have)):
            parts.append(part)
            have += len(part)
        self._left -= have
        if self._left < 0:
            raise CannotServe(f"The model package unpacks to more than {self._limit:,} bytes.")
        return b"".join(parts)

    def _next(self, size: int) -> bytes:
        while self._pending or (self._inflate and not self._inflate.eof):
            if self._inflate is None:
                part, self._pending = self._pending[:size], self._pending[size:] or self._raw.read(CHUNK)
                return part
            part = self._inflate.decompress(self._pending, size)
            self._pending = self._inflate.unconsumed_tail or self._more()
            if part:
                return part
            if not self._pending and not self._inflate.eof:
                raise CannotServe("The model package ends in its middle.")
        return b""

    def _more(self) -> bytes:
        """The next raw bytes; a further gzip member starts a new stream, other bytes behind the last are ignored."""
        behind = self._inflate.unused_data if self._inflate else b""
        if not self._inflate or not self._inflate.eof:
            return self._raw.read(CHUNK)
        if behind[:2] == b"\x1f\x8b":
            self._inflate = zlib.decompressobj(wbits=31)
            return behind
        return b""
