"""Zip files taken apart without trust: nothing is written outside the target, no links, no bombs.

Own extraction, entry by entry: sizes are counted while decompressing, never believed, and whatever is not a plain
file or folder with a plain relative name refuses the whole archive.
"""

from __future__ import annotations

import stat
import unicodedata
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from alight.errors import AlightError

#: Lambda's limit for unpacked code, in bytes, and bounds that no honest package reaches.
UNPACKED_LIMIT = 262_144_000
ENTRY_LIMIT = 50_000
NAME_LIMIT = 1024

_CHUNK = 1024 * 1024


class UnsafeArchive(AlightError):
    """An archive that is not taken apart."""


def unpack(archive: Path, target: Path, *, limit: int = UNPACKED_LIMIT) -> int:
    """Write the archive's files under `target` (an empty folder); returns their size in bytes.

    Raises `UnsafeArchive` where it is damaged, too large, or names what it must not. The target may then hold a part.
    """
    try:
        with zipfile.ZipFile(archive) as source:
            return _unpack(source, archive.name, target, limit)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, RuntimeError, ValueError) as error:
        raise UnsafeArchive(f"{archive.name} cannot be unpacked: {error}.", "Make the zip file again.") from None


def _unpack(source: zipfile.ZipFile, name: str, target: Path, limit: int) -> int:
    entries = source.infolist()
    if len(entries) > ENTRY_LIMIT:
        raise UnsafeArchive(f"{name} has {len(entries)} entries; {ENTRY_LIMIT} are allowed.")
    if (announced := sum(entry.file_size for entry in entries)) > limit:
        raise _too_large(name, announced, limit)
    seen: set[str] = set()
    written = 0
    for entry in entries:
        path = checked_name(entry.filename, name)
        _check_kind(entry, name)
        key = unicodedata.normalize("NFC", str(path))
        if entry.is_dir():
            (target / path).mkdir(parents=True, exist_ok=True)
            continue
        if key in seen:
            raise UnsafeArchive(f"{name} holds {path} twice.")
        seen.add(key)
        written += _write(source, entry, target / path, limit - written, name)
    return written


def checked_name(text: str, archive: str) -> PurePosixPath:
    """A plain relative path, or `UnsafeArchive`."""
    path = PurePosixPath(text)
    wrong = (
        not path.parts
        or path.is_absolute()
        or ".." in text.split("/")
        or "\\" in text
        or "\0" in text
        or (len(text) > 1 and text[1] == ":")
        or len(text.encode("utf-8", "surrogateescape")) > NAME_LIMIT
    )
    if wrong:
        raise UnsafeArchive(f"{archive} names a path outside of itself: {text[:200]!r}.")
    return path


def _check_kind(entry: zipfile.ZipInfo, archive: str) -> None:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR) or ((kind == stat.S_IFDIR) is not entry.is_dir() and kind):
        raise UnsafeArchive(
            f"{archive} holds {entry.filename!r}, which is a link or a device.", "Pack the files themselves."
        )
    if entry.flag_bits & 1:
        raise UnsafeArchive(f"{archive} is encrypted.")


def _write(source: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, room: int, archive: str) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with source.open(entry) as reader, path.open("xb") as writer:
        while chunk := reader.read(_CHUNK):
            written += len(chunk)
            if written > room:
                raise _too_large(archive, written, room)
            writer.write(chunk)
    executable = (entry.external_attr >> 16) & 0o111
    path.chmod(0o755 if executable else 0o644)
    return written


def _too_large(archive: str, size: int, limit: int) -> UnsafeArchive:
    return UnsafeArchive(
        f"Unzipped size must be smaller than {limit} bytes; {archive} has at least {size}.",
        "Leave models and data to a bucket or an endpoint.",
    )
