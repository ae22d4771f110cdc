"""Bodies of middle size lie one behind the other in packs: files `packs/<12 hex>` that only grow.

In a file of its own such a body costs more than its bytes do: an inode, two names, and a flush of the file system's own
journal. In a pack it is one write, and one flush serves all bodies that come together. Each begins on a block of its
own, so a write that is torn tears nothing that was promised. The place of one that goes becomes a hole and is never
used again; each life begins a pack of its own, and one of an earlier life goes with its last body.
"""

from __future__ import annotations

import ctypes
import os
import re
import secrets
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from alight.store.connections import sync_directory, sync_file

#: The folder of the packs.
PACKS = "packs"

#: The largest body that goes into one.
PACKED_LIMIT = 256 << 10

#: Where another one is begun: what is left of one that is empty stays until the next start.
PACK_SIZE = 1 << 30

_BLOCK = 4096

#: Of `fallocate`: give the blocks back and leave the size as it is.
_KEEP_SIZE_AND_PUNCH = 0x01 | 0x02

_NAME = re.compile(r"p([0-9a-f]{12})-([0-9a-f]{8})-([0-9a-f]{1,5})")

#: `punch(descriptor, start, size)`. Raises OSError.
Punch = Callable[[int, int, int], None]


@dataclass(frozen=True, slots=True)
class Packed:
    """Where a packed body lies, which is what its name says."""

    pack: str
    start: int
    size: int

    @classmethod
    def of(cls, body: str) -> Packed | None:
        """None for a body that is not in a pack."""
        found = _NAME.fullmatch(body)
        return cls(found[1], int(found[2], 16), int(found[3], 16)) if found else None

    @property
    def name(self) -> str:
        return f"p{self.pack}-{self.start:08x}-{self.size:x}"

    @property
    def end(self) -> int:
        """Where the next one may begin."""
        return -(-(self.start + self.size) // _BLOCK) * _BLOCK

    def read(self, folder: Path) -> bytes:
        """The bytes, from the packs in `folder` (fewer where the file is shorter). Raises OSError."""
        descriptor = os.open(folder / self.pack, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            return os.pread(descriptor, self.size, self.start)
        finally:
            os.close(descriptor)

    def copy(self, source: Path, target: Path) -> None:
        """The same place in another folder of packs; what lies around it is a hole there. Raises OSError."""
        data = self.read(source)
        descriptor = os.open(target / self.pack, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            _write(descriptor, data, self.start)
        finally:
            os.close(descriptor)


class Packs:
    """The packs of one data folder; for any thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / PACKS
        self.folder.mkdir(mode=0o700, exist_ok=True)
        sync_directory(folder)
        self._earlier = set(os.listdir(self.folder))
        self._punch = _find_punch()
        self._descriptor = -1
        #: The pack that was read last and what it is read by, of those that this life began: they never go in it.
        self._read: tuple[str, int] | None = None
        self._next = Packed("", 0, 0)
        self._guard = threading.Lock()
        #: Writes so far, those that are flushed, those that a failed flush has lost, and the packs that wait for one.
        self._written = self._flushed = self._lost = 0
        self._dirty: set[str] = set()
        self._error: OSError | None = None
        self._flushing = threading.Lock()
        #: The largest body that may be added; 0 where this file system makes no holes, so that places would stay taken.
        self.limit = PACKED_LIMIT if self._makes_holes() else 0

    def add(self, data: bytes) -> Packed:
        """Write a body and have it flushed (blocks). Raises OSError; then its room is free again."""
        with self._guard:
            if self._descriptor < 0 or self._next.start + len(data) > PACK_SIZE:
                self._begin()
            place = Packed(self._next.pack, self._next.start, len(data))
            self._next = Packed(place.pack, place.end, 0)
            try:
                _write(self._descriptor, data, place.start)
            except OSError:
                self.free([place])
                raise
            self._written += 1
            self._dirty.add(place.pack)
            number = self._written
        try:
            self._flush(number)
        except OSError:
            self.free([place])
            raise
        return place

    def _flush(self, number: int) -> None:
        """Return once write `number` is on the disk. Whoever waits meanwhile finds it done by the next one's flush.

        What was written until a flush has failed is lost, whatever a later one says of it.
        """
        with self._flushing:
            if self._error is not None and self._lost >= number:
                # First of all: a flush that came after it, of another pack, may have succeeded.
                raise self._error
            if self._flushed >= number:
                return
            with self._guard:
                last, dirty, self._dirty = self._written, self._dirty, set()
            try:
                for pack in dirty:
                    sync_file(self.folder / pack)
            except OSError as error:
                with self._guard:
                    self._end()
                    self._dirty.clear()
                    self._lost, self._error = self._written, error
                raise
            self._flushed = last

    def reader(self, pack: str) -> int | None:
        """A descriptor to read a pack by, open until another one is asked for; None for one of an earlier life, or one
        that is not there. For the event loop's thread alone."""
        if self._read is not None and self._read[0] == pack:
            return self._read[1]
        if pack in self._earlier:
            return None
        self._forget_read()
        try:
            descriptor = os.open(self.folder / pack, os.O_RDONLY | os.O_NOFOLLOW)
        except OSError:
            return None
        self._read = pack, descriptor
        return descriptor

    def _forget_read(self) -> None:
        if self._read is not None:
            os.close(self._read[1])
            self._read = None

    def free(self, places: Iterable[Packed]) -> None:
        """Give their room back (blocks). Where that fails, the next start does it."""
        for place in places:
            self._make_hole(place.pack, place.start, place.end - place.start)

    def sweep(self, known: Callable[[str], list[Packed]], in_use: Callable[[str], bool]) -> int:
        """Free whatever nobody refers to in packs of earlier lives (blocks); how many of them are gone.

        `known(pack)` are the places that are referred to, in their order. Packs `in_use` are left alone: somebody still
        reads in them what may have no row any more.
        """
        gone = 0
        for pack in sorted(self._earlier):
            places = known(pack)
            if in_use(pack):
                continue
            if not places:
                (self.folder / pack).unlink(missing_ok=True)
                self._earlier.discard(pack)
                gone += 1
                continue
            at = 0
            for place in places:
                self._make_hole(pack, at, place.start - at)
                at = place.end
            with suppress(OSError):
                os.truncate(self.folder / pack, min(at, (self.folder / pack).stat().st_size))
        return gone

    def close(self) -> None:
        """Whatever still comes begins another pack."""
        self._forget_read()
        with self._guard:
            self._end()

    def _end(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _begin(self) -> None:
        """A new pack, whose name is on the disk."""
        self._end()
        pack = secrets.token_hex(6)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        descriptor = os.open(self.folder / pack, flags, 0o600)
        try:
            sync_directory(self.folder)
        except OSError:
            os.close(descriptor)
            raise
        self._descriptor, self._next = descriptor, Packed(pack, 0, 0)

    def _make_hole(self, pack: str, start: int, size: int) -> None:
        if size <= 0 or self._punch is None:
            return
        with suppress(OSError):
            descriptor = os.open(self.folder / pack, os.O_WRONLY | os.O_NOFOLLOW)
            try:
                self._punch(descriptor, start, size)
            finally:
                os.close(descriptor)

    def _makes_holes(self) -> bool:
        """Asked of a file that is gone again at once."""
        if self._punch is None:
            return False
        probe = self.folder / secrets.token_hex(6)
        try:
            descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            try:
                self._punch(descriptor, 0, _BLOCK)
            finally:
                os.close(descriptor)
                probe.unlink()
        except OSError:
            return False
        return True


class Slot:
    """A body on its way into a pack: until somebody claims it, nobody refers to it."""

    def __init__(self, packs: Packs) -> None:
        self._packs = packs
        self._guard = threading.Lock()
        self._place: Packed | None = None
        self._over = False

    def fill(self, data: bytes) -> None:
        """Blocks. Raises OSError."""
        with self._guard:
            if not self._over:
                self._place = self._packs.add(data)

    def claim(self) -> Packed:
        """The place, which is whoever's asks from now on. Raises FileNotFoundError where it was given up."""
        with self._guard:
            if self._place is None or self._over:
                raise FileNotFoundError("The body was given up.")
            self._over = True
            return self._place

    def abandon(self) -> None:
        """Give the room back (blocks); harmless once it is claimed."""
        with self._guard:
            if self._place is not None and not self._over:
                self._packs.free([self._place])
            self._over = True


def _find_punch() -> Punch | None:
    """Linux; elsewhere bodies have files of their own."""
    libc = ctypes.CDLL(None, use_errno=True)
    call = getattr(libc, "fallocate64", None) or getattr(libc, "fallocate", None)
    if call is None:
        return None
    call.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)

    def punch(descriptor: int, start: int, size: int) -> None:
        if call(descriptor, _KEEP_SIZE_AND_PUNCH, start, size):
            raise OSError(ctypes.get_errno(), "fallocate")

    return punch


def _write(descriptor: int, data: bytes, at: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, at)
        view, at = view[written:], at + written
