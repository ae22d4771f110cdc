"""A disk that forgets: what of a file is certain after a power cut (`Content`), and an SQLite VFS in memory over it.

`cut` gives what a power cut would leave: of the writes since a file's last flush any may be missing, torn or in
another order. `fail_sync` and `full` make the disk fail or fill up; `hold` makes a flush wait, and `waits` tells of it.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

SECTOR = 512


class PowerLoss(apsw.IOError):
    """The machine is off."""


@dataclass
class Content:
    """One file: what reads see, what is on the platter, and the changes in between; `changes` counts them all."""

    live: bytearray = field(default_factory=bytearray)
    durable: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)
    changes: int = 0

    def change(self, offset: int, data: bytes | None) -> None:
        """Write at `offset`; `data` None cuts the file off there."""
        _apply(self.live, offset, data)
        self.pending.append((offset, data))
        self.changes += 1

    def sync(self, changes: int | None = None) -> None:
        """Flush what had been changed when `changes` had that value (None: now)."""
        count = len(self.pending) - (0 if changes is None else self.changes - changes)
        for offset, data in self.pending[: max(count, 0)]:
            _apply(self.durable, offset, data)
        del self.pending[: max(count, 0)]

    def after_cut(self, chance: random.Random) -> bytes:
        """What is left: of the pending changes any, torn, in any order."""
        image = bytearray(self.durable)
        survivors = [change for change in self.pending if chance.random() < 0.5]
        if chance.random() < 0.3:
            chance.shuffle(survivors)
        for offset, data in survivors:
            _apply(image, *((offset, None) if data is None else _torn(chance, offset, data)))
        return bytes(image)


class ForgetfulDisk(apsw.VFS):
    """Registered under `name`. `operations` counts changes of the disk; at `cut_at` of them the power goes."""

    def __init__(self, name: str, seed: int = 0) -> None:
        self.vfs_name = name
        self.files: dict[str, Content] = {}
        self.random = random.Random(seed)
        self.operations = 0
        self.syncs = 0
        self.cut_at: int | None = None
        self.fail_sync = False
        self.full = False
        self.hold: threading.Event | None = None
        self.waits = threading.Event()
        self.on_sync: Callable[[], None] = lambda: None
        super().__init__(name, "")

    def xOpen(self, name: Any, flags: list[int]) -> Any:
        path = name.filename() if isinstance(name, apsw.URIFilename) else (name or f"temporary-{id(flags)}")
        return OpenFile(self, self.files.setdefault(path, Content()))

    def xDelete(self, name: str, sync: bool) -> None:
        self.step()
        self.files.pop(name, None)

    def xAccess(self, name: str, flags: int) -> bool:
        return name in self.files

    def xFullPathname(self, name: str) -> str:
        return name

    def preload(self, path: Path, data: bytes) -> None:
        """A file that is there already, flushed."""
        self.files[str(path)] = Content(bytearray(data), bytearray(data))

    def step(self) -> None:
        """One change of the disk, unless the power has gone."""
        self.operations += 1
        if self.cut_at is not None and self.operations >= self.cut_at:
            raise PowerLoss("power cut")

    def cut(self, folder: Path) -> None:
        """Write into `folder` what a power cut at this moment leaves."""
        for path, content in self.files.items():
            if not path.startswith("temporary-"):
                (folder / Path(path).name).write_bytes(content.after_cut(self.random))


class OpenFile:
    """What SQLite holds of one file; locks are not needed, there is one connection."""

    def __init__(self, disk: ForgetfulDisk, content: Content) -> None:
        self._disk = disk
        self._content = content

    def xRead(self, amount: int, offset: int) -> bytes:
        return bytes(self._content.live[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:
        if self._disk.full:
            raise apsw.FullError("disk full")
        self._disk.step()
        self._content.change(offset, bytes(data))

    def xTruncate(self, size: int) -> None:
        self._disk.step()
        self._content.change(size, None)

    def xSync(self, flags: int) -> None:
        if self._disk.hold is not None:
            self._disk.waits.set()
            self._disk.hold.wait(20)
        if self._disk.fail_sync:
            raise apsw.IOError("input/output error")
        self._disk.step()
        self._disk.syncs += 1
        self._content.sync()

    def xFileSize(self) -> int:
        return len(self._content.live)

    def xLock(self, level: int) -> None: ...

    def xUnlock(self, level: int) -> None: ...

    def xCheckReservedLock(self) -> bool:
        return False

    def xFileControl(self, op: int, pointer: int) -> bool:
        return False

    def xSectorSize(self) -> int:
        return SECTOR

    def xDeviceCharacteristics(self) -> int:
        return int(apsw.SQLITE_IOCAP_POWERSAFE_OVERWRITE)

    def xClose(self) -> None: ...


def _apply(image: bytearray, offset: int, data: bytes | None) -> None:
    if len(image) < offset:
        image.extend(bytes(offset - len(image)))
    if data is None:
        del image[offset:]
    else:
        image[offset : offset + len(data)] = data


def _torn(chance: random.Random, offset: int, data: bytes) -> tuple[int, bytes]:
    if len(data) <= 8 or chance.random() < 0.5:
        return offset, data
    first, last = sorted(chance.sample(range(len(data) + 1), 2))
    if chance.random() < 0.5:
        first, last = first // SECTOR * SECTOR, -(-last // SECTOR) * SECTOR
    return offset + first, data[first:last]
