"""How a worker is started: which program, which loop inside it, within which limits."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from alight.fence.tiers import NONE, RAISING, Tier, home_of, own_places
from alight.functions.hatch import Calls
from alight.functions.interpreters import Interpreter, UnsupportedRuntime
from alight.functions.invocation import FunctionSpec
from alight.functions.layers import import_places
from alight.functions.memory import Cgroup

#: The loop inside the child: AWS's client, ours, or the function's own `bootstrap` executable.
Child = Literal["awslambdaric", "bootstrap", "executable"]

LAUNCHER = Path(__file__).with_name("launcher.py")
BOOTSTRAP = Path(__file__).with_name("bootstrap.py")
CLIENT = Path(__file__).with_name("client.py")
SHORTCUT = Path(__file__).with_name("shortcut.py")

#: Descriptors and processes that Lambda allows an execution environment.
OPEN_FILES = 1024
PROCESSES = 1024
#: Address space is no measure of memory: this only stops what has gone mad.
ADDRESS_SPACE_SLACK = 64 * 1024**3


@dataclass(frozen=True, slots=True)
class Start:
    """What the pool has found out for one start. `supplied` holds boto3 and awslambdaric; `instead` are folders
    with packages that stand before the function's own, which this Python cannot load; `warnings` are for the log;
    `quick_boto3` lets boto3 take the short way home; `refusal` says why there is to be no process at all; `calls`
    answers what comes by a worker's hatch."""

    folder: Path
    interpreter: Interpreter
    child: Child
    supplied: Path
    cgroup_parent: Path | None = None
    instead: tuple[Path, ...] = ()
    warnings: tuple[str, ...] = ()
    fence: Tier = NONE
    quick_boto3: bool = True
    refusal: str = ""
    calls: Calls | None = None

    @property
    def runtime_version(self) -> str:
        return "provided" if self.child == "executable" else f"python:{self.interpreter.version}"


def choose_child(spec: FunctionSpec, interpreter: Interpreter, wanted: str, *, awslambdaric: bool) -> Child:
    """`wanted` is "auto" or the name of a loop; compiled parts of awslambdaric fit Alight's own version only."""
    if spec.runtime.startswith("provided"):
        if executable(spec) is None:
            raise UnsupportedRuntime(
                f"Function {spec.name}: runtime {spec.runtime} needs an executable named `bootstrap`.",
                "Put it at the top of the function's code or of a layer, for this machine's processor.",
            )
        return "executable"
    if wanted == "bootstrap" or not awslambdaric or not interpreter.native:
        return "bootstrap"
    return "awslambdaric"


def executable(spec: FunctionSpec) -> Path | None:
    """The `bootstrap` of a custom runtime: the function's own, or its layers'."""
    places = (spec.code_dir, spec.opt) if spec.opt else (spec.code_dir,)
    return next((place / "bootstrap" for place in places if os.access(place / "bootstrap", os.X_OK)), None)


def program(spec: FunctionSpec, start: Start) -> list[str]:
    """With a venv its interpreter and packages; without one no site packages at all (`-S`): what is installed
    beside Alight or the system's Python is not on Lambda either."""
    python = [str(spec.venv / "bin" / "python"), "-s"] if spec.venv else [str(start.interpreter.path), "-S"]
    return [*python, "-X", "utf8", str(LAUNCHER), str(os.getpid())]


def plan(
    spec: FunctionSpec,
    start: Start,
    secret: Mapping[str, str],
    cgroup: Cgroup | None,
    scratch: Path,
    hatch: socket.socket | None,
) -> bytes:
    """What the launcher reads on stdin; `hatch` is the worker's end."""
    limits = {
        "RLIMIT_AS": spec.memory_mb * 4 * 1024**2 + ADDRESS_SPACE_SLACK,
        "RLIMIT_CORE": 0,
        "RLIMIT_FSIZE": spec.ephemeral_mb * 1024**2,
        "RLIMIT_NOFILE": OPEN_FILES,
        "RLIMIT_NPROC": _tasks() + PROCESSES,
    }
    text = {
        "environment": dict(secret),
        "limits": limits,
        "raising": str(RAISING),
        "fence": start.fence.plan(read=_readable(spec, start), scratch=scratch),
        "cgroup": str(cgroup.folder) if cgroup else "",
        "task_root": str(spec.code_dir),
        "layers": [str(place) for place in import_places(spec.opt, spec.runtime)] if spec.opt else [],
        "instead": [str(folder) for folder in start.instead],
        "supplied": [str(start.supplied)],
        "child": start.child,
        "program": str(executable(spec)) if start.child == "executable" else "",
        "bootstrap": str(BOOTSTRAP),
        "client": str(CLIENT),
        "shortcut": str(SHORTCUT) if start.quick_boto3 else "",
        "hatch": None if hatch is None else hatch.fileno(),
        "handler": spec.handler,
    }
    return json.dumps(text).encode()


def _readable(spec: FunctionSpec, start: Start) -> list[Path]:
    """What a worker reads beside the system: its own code and what this needs to run."""
    own = [spec.code_dir, spec.opt, spec.venv, start.supplied, *start.instead]
    return [*(path for path in own if path), home_of(start.interpreter.path), *own_places()]


def _tasks() -> int:
    """How many tasks there are now: the limit counts all of a user's, so it has to lie above these."""
    try:
        return int(Path("/proc/loadavg").read_text().split()[3].partition("/")[2])
    except (OSError, ValueError, IndexError):
        return 4096
