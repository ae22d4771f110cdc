"""`alight doctor`: is this machine fit, and which settings are in force? Works with and without a running instance."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer
from rich.console import Console

from alight import openfiles
from alight.cli.examples import find_template
from alight.cli.folder import data_folder, is_alive, read_facts
from alight.cli.instance import open_door
from alight.cli.options import AsJson, Data, command
from alight.cli.privileges import least_privilege
from alight.cli.terminal import cell, facts, show, table
from alight.clock import SystemClock
from alight.errors import AlightError
from alight.fence import tiers
from alight.settings import Settings, load_settings, masked

app = command("doctor")
GIB = 2**30
FSYNC_ROUNDS = 15
#: Descriptors for all connections that are let in, and for the rest.
ENOUGH_FILES = 4_096 + openfiles.RESERVED
#: A commit waits for the disk this long at most before it is worth a word, in milliseconds.
SLOW_FSYNC = 20.0


@dataclass(frozen=True, slots=True)
class Check:
    """One finding: `state` is ok, warning or failed."""

    name: str
    state: str
    detail: str


@app.command()
def doctor(
    template: Annotated[
        Path | None, typer.Argument(help="A folder with a template and alight.toml.", show_default=False)
    ] = None,
    function: Annotated[
        str,
        typer.Option(
            "--least-privilege",
            metavar="FUNCTION",
            show_default=False,
            help="Instead: the smallest policy that this function's recorded calls needed.",
        ),
    ] = "",
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Check this machine and show the settings in force.

    Fails where Alight cannot run."""
    if function:
        least_privilege(function, data, as_json)
        return
    folder = template or Path.cwd()
    settings = load_settings(folder if folder.is_dir() else folder.parent)
    place = data_folder(data)
    found = list(checks(place, settings, folder))
    answer = {"checks": [asdict(check) for check in found], "settings": masked(settings)}
    show(answer, as_json, _render)
    if any(check.state == "failed" for check in found):
        raise typer.Exit(1)


def checks(data: Path, settings: Settings, folder: Path) -> Iterator[Check]:
    """Every check in order; one that breaks is itself a finding."""
    jobs: list[Callable[[], Check]] = [
        python,
        database,
        lambda: disk(data),
        lambda: fsync(data),
        function_child,
        lambda: sandbox(settings, data),
        memory_limit,
        open_files,
        lambda: port(settings, data),
        lambda: instance(data),
        lambda: template_plan(folder, data),
        lambda: functions(data),
    ]
    for job in jobs:
        try:
            yield job()
        except (OSError, AlightError) as error:
            yield Check("check", "failed", str(error))


def python() -> Check:
    return Check("python", "ok" if sys.version_info >= (3, 11) else "failed", sys.version.split()[0])


def database() -> Check:
    """The SQLite that comes with apsw is the one in use; the system's is named for comparison."""
    try:
        return Check("sqlite", "ok", f"apsw {version('apsw')} (the system has {sqlite3.sqlite_version})")
    except PackageNotFoundError:
        return Check("sqlite", "failed", "apsw is not installed")


def disk(data: Path) -> Check:
    free = shutil.disk_usage(existing(data)).free / GIB
    return Check("disk", "ok" if free >= 1 else "warning", f"{free:.1f} GiB free at {existing(data)}")


def fsync(data: Path) -> Check:
    """How long a commit waits for this disk: the median over a few small writes."""
    clock, times = SystemClock(), []
    with tempfile.TemporaryFile(dir=existing(data)) as file:
        for _ in range(FSYNC_ROUNDS):
            file.write(b"x" * 4096)
            file.flush()
            started = clock.monotonic()
            os.fsync(file.fileno())
            times.append((clock.monotonic() - started) * 1000)
    middle = statistics.median(times)
    return Check("fsync", "ok" if middle < SLOW_FSYNC else "warning", f"{middle:.2f} ms (worst {max(times):.2f} ms)")


def function_child() -> Check:
    if find_spec("awslambdaric"):
        return Check("function child", "ok", f"awslambdaric {version('awslambdaric')}")
    return Check("function child", "ok", "Alight's own loop (awslambdaric has no wheel for this system)")


def sandbox(settings: Settings, data: Path) -> Check:
    """The fence that functions and models get here; tried out, not guessed."""
    if not sys.platform.startswith("linux"):
        return Check("sandbox", "warning", "none: rlimits only; the fence needs Linux")
    try:
        tier = tiers.choose(settings.worker_sandbox, data)
    except AlightError as error:
        return Check("sandbox", "failed", f"{error.message} {error.hint}")
    return Check("sandbox", "warning" if tier.name == "none" or not tier.own_view else "ok", tier.words())


def memory_limit() -> Check:
    own = Path("/sys/fs/cgroup")
    if (own / "cgroup.controllers").exists() and os.access(own / "cgroup.subtree_control", os.W_OK):
        return Check("memory limit", "ok", "cgroup v2 is writable")
    return Check("memory limit", "ok", "resident memory is sampled (no writable cgroup v2)")


def open_files() -> Check:
    """Each connection is a descriptor, and so is each file; `alight up` takes what the system lets it."""
    most = openfiles.attainable()
    words = f"{most:,} descriptors (now {openfiles.limit():,}; alight up raises it by itself)"
    if most < ENOUGH_FILES:
        return Check("open files", "warning", f"{words}; few for many connections at a time: ulimit -Hn, LimitNOFILE=")
    return Check("open files", "ok", words)


def port(settings: Settings, data: Path) -> Check:
    """Whether the port of the settings is free, or held by this folder's own instance."""
    where = f"{settings.host}:{settings.port}"
    known = read_facts(data)
    if known and is_alive(known.pid) and urlsplit(known.url).port == settings.port:
        return Check("port", "ok", f"{where} is this instance's")
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            return Check("port", "warning", f"{where} cannot be had: {error.strerror}; choose another with --port")
    return Check("port", "ok", f"{where} is free")


def instance(data: Path) -> Check:
    known = read_facts(data)
    if known is None:
        return Check("instance", "ok", f"none has run on {data}")
    if is_alive(known.pid):
        return Check("instance", "ok", f"runs at {known.url}, pid {known.pid}, version {known.version}")
    return Check("instance", "ok", f"not running; last at {known.url}")


def template_plan(folder: Path, data: Path) -> Check:
    """What the running instance thinks of the template here."""
    path = folder if folder.is_file() else find_template(folder)
    if path is None:
        return Check("template", "ok", f"none in {folder}")
    known = read_facts(data)
    if known is None or not is_alive(known.pid):
        return Check("template", "ok", f"{path}: checked by alight up")
    try:
        answer = open_door(data).post("apply", {"template": str(path.resolve()), "plan_only": True})
    except AlightError as error:
        return Check("template", "failed", str(error))
    warnings = answer.get("warnings") or []
    return Check("template", "warning" if warnings else "ok", "; ".join(map(str, warnings)) or f"{path} can be applied")


def functions(data: Path) -> Check:
    """What the running instance has to say of its functions' packages: compiled for another Python, for instance."""
    known = read_facts(data)
    if known is None or not is_alive(known.pid):
        return Check("functions", "ok", "asked of a running instance")
    warnings = open_door(data).get("status").get("warnings") or []
    return Check("functions", "warning" if warnings else "ok", "; ".join(map(str, warnings)) or "nothing to say")


def existing(folder: Path) -> Path:
    """`folder`, or the nearest folder above it that is there."""
    return next(path for path in (folder.absolute(), *folder.absolute().parents) if path.is_dir())


def _render(out: Console, answer: Any) -> None:
    out.print(table(("check", "", "finding"), [(one["name"], one["state"], one["detail"]) for one in answer["checks"]]))
    out.print()
    out.print(cell("settings in force", "bold"))
    default = masked(Settings())
    pairs = answer["settings"].items()
    out.print(facts([(name, cell(value, "" if value == default[name] else "cyan")) for name, value in pairs]))
