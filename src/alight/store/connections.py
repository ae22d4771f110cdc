"""How the database file is opened: durable for the writer, read-only for everybody else."""

from __future__ import annotations

import errno
import fcntl
import os
import zlib
from collections.abc import Sequence
from pathlib import Path

import apsw

CACHED_STATEMENTS = 512

#: What the operating system says where there is no room.
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

#: What it says where the disk itself fails: what was written before may be gone, however the next call ends.
BROKEN = frozenset({errno.EIO, errno.EROFS, errno.ENXIO, errno.ENODEV})

#: Errors after which nothing that this process writes can be believed.
FATAL = (apsw.IOError, apsw.NotADBError, apsw.CantOpenError, apsw.ReadOnlyError)

#: What `synchronous=FULL` adds: each commit is flushed before it is answered (WAL alone survives only a process crash).
DURABLE = "FULL"
RELAXED = "NORMAL"


def open_writer(path: Path, synchronous: str = DURABLE, vfs: str | None = None) -> apsw.Connection:
    """The one connection that writes. `vfs` is for power-cut tests: without shared memory, so with no second one."""
    connection = apsw.Connection(str(path), vfs=vfs, statementcachesize=CACHED_STATEMENTS)
    if vfs:
        connection.pragma("locking_mode", "EXCLUSIVE")
    connection.pragma("journal_mode", "WAL")
    connection.pragma("synchronous", synchronous)
    # macOS: fsync alone leaves the data in the drive's cache.
    connection.pragma("fullfsync", True)
    connection.pragma("checkpoint_fullfsync", True)
    connection.pragma("temp_store", "MEMORY")
    connection.pragma("cache_size", -32_768)
    connection.pragma("cell_size_check", True)
    connection.pragma("journal_size_limit", 16 << 20)
    # SQLite swallows errors of its automatic checkpoints; the writer checkpoints itself and stops at an error.
    connection.wal_autocheckpoint(0)
    _prepare(connection)
    return connection


def open_reader(path: Path) -> apsw.Connection:
    """A read-only connection: it sees committed rows only."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY, statementcachesize=CACHED_STATEMENTS)
    connection.set_busy_timeout(5_000)
    connection.pragma("temp_store", "MEMORY")
    connection.pragma("cache_size", -16_384)
    _prepare(connection)
    return connection


def unreadable(error: BaseException | None) -> bool:
    """Whether the database could not be read: the disk's fault, or that of what has been at its file."""
    return isinstance(error, apsw.IOError | apsw.CorruptError | apsw.NotADBError | apsw.CantOpenError)


def trace(error: BaseException) -> BaseException | None:
    """For a log's `exc_info`: where it happened says nothing of a disk that cannot be read."""
    return None if unreadable(error) else error


def row_crc(*values: apsw.SQLiteValue) -> int:
    """CRC-32 of a row's values. 5 and 5.0 are alike: SQLite turns one into the other by the column's type."""
    kinds = {*map(type, values)}
    if float in kinds:
        values = tuple([int(value) if type(value) is float and value.is_integer() else value for value in values])
    if bytes not in kinds:
        return _text_crc(values, 0)
    crc = begun = 0
    for place, value in enumerate(values):
        if isinstance(value, bytes):
            crc = zlib.crc32(value, zlib.crc32(b"b%d:" % len(value), _text_crc(values[begun:place], crc)))
            begun = place + 1
    return _text_crc(values[begun:], crc)


def _text_crc(values: Sequence[apsw.SQLiteValue], crc: int) -> int:
    # The checksum of one text after the other is that of all of them together.
    return zlib.crc32("".join(map(repr, values)).encode("utf-8", "surrogatepass"), crc)


def readable(*texts: apsw.SQLiteValue) -> str | None:
    """One text by its bytes (or NULL): those that are no UTF-8 as `\\xff`."""
    [text] = texts
    return text.decode(errors="backslashreplace") if isinstance(text, bytes) else None


def _prepare(connection: apsw.Connection) -> None:
    """What statements find on every connection."""
    # Else one in whose plan SQLite has looked at a parameter's value is planned anew for each value.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    connection.create_scalar_function("row_crc", row_crc, deterministic=True)
    connection.create_scalar_function("readable", readable, 1, deterministic=True)


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    _sync(path, os.O_DIRECTORY)


def sync_file(path: Path) -> None:
    """Make the bytes of a file durable, whoever wrote them."""
    _sync(path, os.O_NOFOLLOW)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, os.O_RDONLY | flags)
    try:
        sync_descriptor(descriptor)
    finally:
        os.close(descriptor)


def sync_descriptor(descriptor: int) -> None:
    """Put what was written to the descriptor on the disk itself."""
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is not None:
        fcntl.fcntl(descriptor, full)
    else:
        os.fsync(descriptor)
