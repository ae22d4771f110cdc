"""How strong a fence this machine has, which one is wanted, and where it stands: the plan that `raising` follows.

The tiers, each with all of the one before it:

    none      limits on resources, no new privileges, own session: what every worker has, on every system
    landlock  files: the interpreter, system libraries and the own code are read, the own scratch folder is written, all
              else is closed; no capabilities; where the kernel can, no signals and abstract sockets to others. Where
              mounts can be had, the data folder is not even there, and /tmp is the worker's own
    seccomp   system calls that no handler needs are refused: ptrace, mount, bpf, io_uring, keyctl ...

`auto` is landlock where the kernel has it, else none: which it is, doctor and the console say.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alight.errors import AlightError

RAISING = Path(__file__).with_name("raising.py")
WANTED = ("auto", "none", "landlock", "seccomp")
#: Of the system, for reading: programs and libraries, then what the C library, TLS and Python look up.
SYSTEM = (
    "/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/nix/store", "/gnu/store",
    "/etc/resolv.conf", "/etc/hosts", "/etc/host.conf", "/etc/nsswitch.conf", "/etc/gai.conf", "/etc/protocols",
    "/etc/services", "/etc/passwd", "/etc/group", "/etc/localtime", "/etc/timezone", "/etc/os-release",
    "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/mime.types", "/etc/fonts", "/etc/magic",
    "/etc/ssl/certs", "/etc/ssl/cert.pem", "/etc/ssl/openssl.cnf", "/etc/pki/tls/certs", "/etc/pki/ca-trust/extracted",
    "/etc/ca-certificates", "/etc/crypto-policies",
    "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/loadavg", "/proc/uptime", "/proc/version",
    "/proc/filesystems", "/proc/sys/kernel", "/proc/sys/vm", "/proc/sys/net/core",
    "/sys/devices/system", "/sys/fs/cgroup", "/sys/kernel/mm/transparent_hugepage",
    "/dev/random", "/dev/urandom",
)  # fmt: skip
DEVICES = ("/dev/null", "/dev/zero", "/dev/full")


@dataclass(frozen=True, slots=True)
class Tier:
    """The fence in force. `hidden` are folders of which its inmates see what they are given alone, `shared` those
    that all of them may read and write."""

    name: str
    abi: int = 0
    own_view: bool = False
    hidden: tuple[Path, ...] = ()
    shared: tuple[Path, ...] = ()

    def words(self) -> str:
        """What people are told."""
        base = "rlimits, own session" + (", no_new_privs" if sys.platform == "linux" else "")
        if self.name == "none":
            return f"none: {base}; files are open to functions and models as to the user who runs Alight"
        scope = "files, signals, abstract sockets" if self.abi >= 6 else "files"
        tmp = "own /tmp, data folder hidden" if self.own_view else "/tmp shared with the machine"
        return f"{self.name}: {base}, Landlock ABI {self.abi} ({scope}), {tmp}" + (
            ", seccomp" if self.name == "seccomp" else ""
        )

    def plan(self, *, read: Sequence[Path], scratch: Path, network: bool = True) -> dict[str, Any] | None:
        """For one process; None where there is no fence."""
        if self.name == "none":
            return None
        write = [str(scratch), *map(str, self.shared), *DEVICES]
        if not self.own_view and not any(folder.is_relative_to("/tmp") for folder in self.hidden):
            write.append("/tmp")
        return {
            "tier": self.name,
            "read": [*map(str, read), *SYSTEM],
            "write": write,
            "cover": [str(folder) for folder in self.hidden] if self.own_view else [],
            "tmp": str(scratch) if self.own_view else "",
            "network": network,
        }


NONE = Tier("none")


def choose(wanted: str, data: Path, shared: Sequence[str] = ()) -> Tier:
    """The tier for a value of `worker_sandbox`; `data` is hidden. Raises `AlightError` where the machine does not have
    what is asked for by name."""
    if wanted not in WANTED:
        raise AlightError(f"{wanted!r} is not a value for worker_sandbox.", f"Known: {', '.join(WANTED)}.")
    if wanted == "none":
        return NONE
    found = offered()
    if not found["abi"] and wanted == "auto":
        return NONE
    if not found["abi"] or (wanted == "seccomp" and not found["seccomp"]):
        lacking = "Landlock" if not found["abi"] else "seccomp"
        raise AlightError(
            f"worker_sandbox = {wanted!r}, but this system has no {lacking}.",
            "It needs Linux 5.13 or later with Landlock among its security modules; `auto` takes what there is.",
        )
    name = "landlock" if wanted == "auto" else wanted
    return Tier(name, found["abi"], found["view"], (data.absolute(),), tuple(Path(path).absolute() for path in shared))


@functools.cache
def offered() -> dict[str, Any]:
    """What the kernel has to offer, tried out in a process of its own."""
    nothing = {"abi": 0, "seccomp": False, "view": False}
    if sys.platform != "linux":
        return nothing
    try:
        tried = subprocess.run([sys.executable, "-I", "-S", RAISING], capture_output=True, text=True, timeout=60)
        return dict(json.loads(tried.stdout)) if tried.returncode == 0 else nothing
    except (OSError, subprocess.SubprocessError, ValueError):
        return nothing


def own_places() -> tuple[Path, ...]:
    """Where Alight's own Python and packages lie, and the folder in which Alight is found: an import lists it."""
    found_in = Path(__file__).resolve().parents[2]
    beside = [Path(place).absolute() for place in os.environ.get("PYTHONPATH", "").split(os.pathsep) if place]
    return tuple(dict.fromkeys((Path(sys.base_prefix), Path(sys.prefix), found_in, *beside)))


def home_of(interpreter: Path) -> Path:
    """The folder with an interpreter's library; the program alone where that is not how it lies."""
    place = Path(os.path.realpath(interpreter))
    root = place.parent.parent
    return root if any((root / "lib").glob("python3*")) else place
