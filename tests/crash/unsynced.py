"""A disk that forgets: an SQLite VFS in memory that keeps for certain only what was flushed.

`cut` gives what a power cut would leave: of the writes since a file's last flush any may be missing, torn or in
another order. `fail_sync` and `full` make the disk fail or fill up; `hold` makes a flush wait.
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
    """One file: what reads see, what is on the platter, and the changes in between."""

    live: bytearray = field(default_factory=bytearray)
    durable: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)


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
                (folder / Path(path).name).write_bytes(self._after_cut(content))

    def _after_cut(self, content: Content) -> bytes:
        image = bytearray(content.durable)
        survivors = [change for change in content.pending if self.random.random() < 0.5]
        if self.random.random() < 0.3:
            self.random.shuffle(survivors)
        for offset, data in survivors:
            if data is None:
                del image[offset:]
            else:
                _write(image, *self._torn(offset, data))
        return bytes(image)

    def _torn(self, offset: int, data: bytes) -> tuple[int, bytes]:
        if len(data) <= 8 or self.random.random() < 0.5:
            return offset, data
        first, last = sorted(self.random.sample(range(len(data) + 1), 2))
        if self.random.random() < 0.5:
            first, last = first // SECTOR * SECTOR, -(-last // SECTOR) * SECTOR
        return offset + first, data[first:last]


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
        _write(self._content.live, offset, data)
        self._content.pending.append((offset, bytes(data)))

    def xTruncate(self, size: int) -> None:
        self._disk.step()
        del self._content.live[size:]
        self._content.pending.append((size, None))

    def xSync(self, flags: int) -> None:
        if self._disk.hold is not None:
            self._disk.hold.wait(20)
        if self._disk.fail_sync:
            raise apsw.IOError("input/output error")
        self._disk.step()
        self._disk.syncs += 1
        self._content.durable = bytearray(self._content.live)
        self._content.pending.clear()

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


def _write(image: bytearray, offset: int, data: bytes) -> None:
    if len(image) < offset:
        image.extend(bytes(offset - len(image)))
    image[offset : offset + len(data)] = data
