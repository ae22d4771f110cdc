"""What a process does to the files of one folder, read from strace's log, and what a power cut leaves of it.

Of a file only what was flushed is certain (`Content`), of a folder only the names that were there at its own last
flush: of the changes since, any may be missing. A rename from one folder to another is two changes. So a name may lead
to nothing, to half of its bytes, or be gone, wherever a file system is allowed to leave it so.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.crash.unsynced import Content

#: All that changes files or their names, and what goes to a client.
CALLS = (
    "openat,creat,write,pwrite64,writev,pwritev,pwritev2,ftruncate,truncate,fallocate,fsync,fdatasync,sync_file_range,"
    "rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,mkdir,mkdirat,rmdir,chmod,fchmod,fchmodat,"
    "sendfile,copy_file_range,splice,sendto,sendmsg"
)

_LINE = re.compile(r"^(?P<pid>\d+) +(?:(?P<call>\w+)\((?P<args>.*)|<\.\.\. (?P<back>\w+) resumed>(?P<rest>.*))$")
_RESULT = re.compile(r"(?:\)| <unfinished \.\.\.>)\s*(?:= (?P<value>-?\d+|\?)(?:<(?P<path>[^>]*)>)?.*)?$")
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
_HANDLE = re.compile(r"^(-?\w+)<([^>]*)>")
#: The answer to a client; a worker's next event and a scraped page begin otherwise, or name no entity tag of a PUT.
_ANSWER = re.compile(rb"\r\netag: \"([^\"]+)\"|<ETag>(?:&quot;|\")([^&\"]+)", re.IGNORECASE)


def strace(log: Path) -> list[str]:
    """The command to put before the runtime's own."""
    return [
        "strace", "-f", "--seccomp-bpf", "-qq", "-y", "-x", "-s", "100000000", "-e", "signal=none", "-e",
        f"trace={CALLS}", "-o", str(log),
    ]  # fmt: skip


@dataclass(frozen=True)
class Step:
    """A call begins (`value` None), or has ended."""

    pid: int
    call: str
    args: str
    value: int | None
    path: str = ""

    @property
    def strings(self) -> list[bytes]:
        return [
            text.encode("latin-1").decode("unicode_escape").encode("latin-1") for text in _STRING.findall(self.args)
        ]

    @property
    def handle(self) -> tuple[str, str]:
        """The descriptor that is the first argument, and the path that it stands for."""
        found = _HANDLE.match(self.args)
        return (found[1], found[2]) if found else ("", "")

    @property
    def mode(self) -> int | None:
        """The permissions among the arguments."""
        found = re.search(r", (0[0-7]+)(?:\)|$)", _STRING.sub("", self.args))
        return int(found[1], 8) if found else None

    @property
    def acknowledged(self) -> list[str]:
        """Entity tags that leave for a client with 200, as soon as the call begins."""
        if self.value is not None or self.call not in ("write", "writev", "sendto", "sendmsg"):
            return []
        data = b"".join(self.strings)
        # The XML of a completed upload leaves behind its head.
        if not data.startswith(b"HTTP/1.1 200") and b"<CompleteMultipartUploadResult" not in data:
            return []
        return [(one or other).decode() for one, other in _ANSWER.findall(data)]


def read_steps(log: Path) -> Iterator[Step]:
    """The log in its order; each call is two steps."""
    begun: dict[int, str] = {}
    for line in log.read_text("latin-1").split("\n"):
        found = _LINE.match(line)
        if found is None:
            continue
        pid = int(found["pid"])
        if found["call"]:
            args = found["args"]
            yield Step(pid, found["call"], args, None)
            if args.endswith("<unfinished ...>"):
                begun[pid] = args
                continue
            call, rest = found["call"], args
        else:
            call, rest = found["back"], found["rest"]
            args = begun.pop(pid, "")
        result = _RESULT.search(rest)
        if result and result["value"] not in (None, "?"):
            yield Step(pid, call, args, int(result["value"]), result["path"] or "")


@dataclass(eq=False)
class File:
    content: Content = field(default_factory=Content)
    mode: int = 0o600


@dataclass(frozen=True)
class Link:
    target: str


@dataclass(eq=False)
class Folder:
    mode: int = 0o700
    live: dict[str, Node] = field(default_factory=dict)
    durable: dict[str, Node] = field(default_factory=dict)
    pending: list[dict[str, Node | None]] = field(default_factory=list)
    changes: int = 0

    def change(self, **names: Node | None) -> None:
        """These names are (None: are no longer) there, together."""
        _rename(self.live, names)
        self.pending.append(names)
        self.changes += 1

    def sync(self, changes: int) -> None:
        count = max(len(self.pending) - (self.changes - changes), 0)
        for names in self.pending[:count]:
            _rename(self.durable, names)
        del self.pending[:count]


Node = File | Folder | Link


class Volume:
    """The folder at `root`, which is not there at first."""

    def __init__(self, root: Path) -> None:
        self._above = str(root.parent) + "/"
        self.top = Folder()
        self._places: dict[tuple[str, str], int] = {}
        self._syncing: dict[int, tuple[File | Folder, int]] = {}
        self.unknown: set[str] = set()

    def apply(self, step: Step) -> bool:
        """Whether the step is one of this folder's."""
        if step.value is None:
            return self._begin(step)
        return self._end(step)

    def cut(self, target: Path, chance: random.Random) -> None:
        """Write what a power cut leaves into `target`, which is made."""
        _write_folder(self.top, target, chance, {})

    def _begin(self, step: Step) -> bool:
        name = step.call
        if name in ("fsync", "fdatasync"):
            node = self._find(step.handle[1])
            if isinstance(node, File | Folder):
                changes = node.content.changes if isinstance(node, File) else node.changes
                self._syncing[step.pid] = node, changes
            return node is not None
        if name in ("write", "writev", "pwrite64", "pwritev", "pwritev2", "ftruncate"):
            return self._write(step)
        return name == "fallocate" and "PUNCH_HOLE" in step.args and self._punch(step)

    def _punch(self, step: Step) -> bool:
        """What was there is zeros from now on; the file is as long as before."""
        node = self._find(step.handle[1])
        if not isinstance(node, File):
            return False
        start, size = map(int, re.findall(r", (\d+)", step.args)[:2])
        node.content.change(start, bytes(max(min(size, len(node.content.live) - start), 0)))
        return True

    def _write(self, step: Step) -> bool:
        descriptor, path = step.handle
        node = self._find(path)
        if not isinstance(node, File):
            return False
        last = step.args.split("<unfinished")[0].split(") =")[0].rstrip(") ").rpartition(", ")[2]
        if step.call == "ftruncate":
            node.content.change(int(last), None)
            return True
        data = b"".join(step.strings)
        at = int(last) if step.call.startswith("pwrite") else self._places.get((descriptor, path), 0)
        if not step.call.startswith("pwrite"):
            self._places[descriptor, path] = at + len(data)
        node.content.change(at, data)
        return True

    def _end(self, step: Step) -> bool:
        value, name = step.value or 0, step.call
        if name in ("fsync", "fdatasync"):
            node, changes = self._syncing.pop(step.pid, (None, 0))
            if node is None or value < 0:
                return False
            if isinstance(node, File):
                node.content.sync(changes)
            else:
                node.sync(changes)
            return True
        if value < 0 or name in ("write", "writev", "pwrite64", "pwritev", "pwritev2", "ftruncate", "fallocate"):
            return False
        if name == "openat":
            return self._open(step)
        paths = self._paths(step)
        if name.startswith("symlink"):
            del paths[0]
        inside = [path for path in paths if path.startswith(self._above) and self._find(os.path.dirname(path))]
        if not inside or name in ("sendto", "sendmsg"):
            return False
        self._name(name, paths, step)
        return True

    def _name(self, name: str, paths: list[str], step: Step) -> None:
        home, last = self._home(paths[0])
        if name in ("mkdir", "mkdirat"):
            home.change(**{last: Folder()})
        elif name in ("unlink", "unlinkat", "rmdir"):
            home.change(**{last: None})
        elif name in ("rename", "renameat", "renameat2"):
            target, new = self._home(paths[1])
            if target is home:
                home.change(**{new: home.live[last], last: None})
            else:
                target.change(**{new: home.live[last]})
                home.change(**{last: None})
        elif name.startswith("symlink"):
            home.change(**{last: Link(step.strings[0].decode())})
        elif name in ("chmod", "fchmod", "fchmodat"):
            node = self._find(paths[0])
            assert isinstance(node, File | Folder)
            node.mode = step.mode or 0
        else:
            self.unknown.add(f"{name} {paths}")

    def _open(self, step: Step) -> bool:
        path = step.path
        descriptor = str(step.value)
        self._places[descriptor, path] = 0
        if not path.startswith(self._above) or self._find(os.path.dirname(path)) is None:
            return False
        node = self._find(path)
        if node is None:
            # Opened for reading, it was there before: nothing in here was, so it has been made now.
            home, last = self._home(path)
            home.change(**{last: File(mode=0o600 if step.mode is None else step.mode)})
            return True
        if isinstance(node, File) and "O_TRUNC" in step.args and node.content.live:
            node.content.change(0, None)
            return True
        if isinstance(node, File) and "O_APPEND" in step.args:
            self._places[descriptor, path] = len(node.content.live)
        return False

    def _paths(self, step: Step) -> list[str]:
        """The paths among the arguments, whole."""
        if step.call == "fchmod":
            return [step.handle[1]]
        found, base = [], ""
        for handle, text in re.findall(r'(?:\w+<([^>]*)>)|"((?:[^"\\]|\\.)*)"', step.args.split(") =")[0]):
            if handle:
                base = handle
            else:
                found.append(os.path.normpath(os.path.join(base, text)))
        return found

    def _home(self, path: str) -> tuple[Folder, str]:
        home = self._find(os.path.dirname(path))
        assert isinstance(home, Folder), path
        return home, os.path.basename(path)

    def _find(self, path: str) -> Node | None:
        node: Node | None = self.top
        if path + "/" == self._above:
            return node
        if not path.startswith(self._above):
            return None
        for name in path.removeprefix(self._above).split("/"):
            node = node.live.get(name) if isinstance(node, Folder) else None
        return node


def _rename(names: dict[str, Node], changes: dict[str, Node | None]) -> None:
    for name, node in changes.items():
        if node is None:
            names.pop(name, None)
        else:
            names[name] = node


def _write_folder(folder: Folder, target: Path, chance: random.Random, written: dict[File, bytes]) -> None:
    target.mkdir(mode=folder.mode)
    names = dict(folder.durable)
    share = chance.choice((0.0, 0.5, 0.9))
    for changes in folder.pending:
        if chance.random() < share:
            _rename(names, changes)
    for name, node in names.items():
        if isinstance(node, Folder):
            _write_folder(node, target / name, chance, written)
            continue
        if isinstance(node, Link):
            (target / name).symlink_to(node.target)
            continue
        if node not in written:
            written[node] = node.content.after_cut(chance)
        (target / name).write_bytes(written[node])
        (target / name).chmod(node.mode)
