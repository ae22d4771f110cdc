"""The floors: a room imports only what stands below it, there is no way back up, and nothing is imported late."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import pytest

from tests.laws.source import Module, imports, modules

LEAVES = {
    "alight",
    "errors",
    "names",
    "clock",
    "calls",
    "asgi",
    "expressions",
    "flush",
    "fence",
    "harmless",
    "late",
    "openfiles",
    "parsed",
    "quiet",
    "seal",
}
WORKING_ROOMS = {"events", "functions", "endpoints", "notifications", "apis"}

#: What each room may import beside itself. A new room has to find its floor here first.
FLOORS: dict[str, set[str]] = {
    "alight": set(),
    "errors": set(),
    "names": set(),
    "clock": set(),
    "calls": set(),
    "asgi": set(),
    "expressions": set(),
    "flush": set(),
    "harmless": set(),
    "late": set(),
    "openfiles": set(),
    "parsed": set(),
    "quiet": set(),
    "seal": set(),
    "fence": {"errors"},
    "settings": {"errors"},
    "credentials": {"errors", "names", "clock"},
    "store": LEAVES,
    "gateway": LEAVES | {"credentials", "settings"},
    "events": LEAVES | {"store"},
    "functions": LEAVES,
    "endpoints": LEAVES,
    "notifications": LEAVES | {"store"},
    "apis": LEAVES,
    "services": LEAVES | WORKING_ROOMS | {"store", "credentials", "settings"},
    "stacks": LEAVES | {"services", "store", "settings"},
    "admin": LEAVES | WORKING_ROOMS | {"services", "store", "stacks", "settings"},
    "console": LEAVES | {"services", "store", "settings"},
    "assembly": LEAVES
    | WORKING_ROOMS
    | {"store", "gateway", "services", "stacks", "admin", "console", "credentials", "settings"},
    "app": {"assembly"}
    | LEAVES
    | WORKING_ROOMS
    | {"store", "gateway", "services", "stacks", "admin", "console", "credentials", "settings"},
    "cli": {"alight", "errors", "names", "clock", "settings", "credentials", "fence", "harmless", "openfiles"},
}
STANDARD_LIBRARY_ONLY = LEAVES | {"settings", "credentials"}
#: Runs inside the child process, where none of Alight's own packages may be needed.
SCRIPTS = {
    "alight.functions.bootstrap",
    "alight.functions.client",
    "alight.functions.compiling",
    "alight.functions.shortcut",
    "alight.fence.raising",
}


def room_of(target: str) -> str:
    """The room that `alight.room.thing` lies in; what the package itself holds (`__version__`) is of room "alight"."""
    parts = target.split(".")
    return parts[1] if len(parts) > 1 and not parts[1].startswith("__") else "alight"


def broken_floors(found: Sequence[Module]) -> list[str]:
    broken = [f"{module.name}: room {module.room!r} has no floor" for module in found if module.room not in FLOORS]
    for module in found:
        allowed = FLOORS.get(module.room, set()) | {module.room}
        for item in imports(module):
            if item.target.split(".")[0] == "alight" and room_of(item.target) not in allowed:
                broken.append(f"{module.name}:{item.line} imports {item.target}")
    return broken


def late_own_imports(found: Sequence[Module]) -> list[str]:
    return [
        f"{module.name}:{item.line} imports {item.target} in {item.inside}"
        for module in found
        for item in imports(module)
        if item.inside and item.target.split(".")[0] == "alight"
    ]


def foreign_imports(found: Sequence[Module]) -> list[str]:
    """Imports that are neither ours nor the standard library's, where only those are allowed."""
    return [
        f"{module.name}:{item.line} imports {item.target}"
        for module in found
        if module.room in STANDARD_LIBRARY_ONLY or module.name in SCRIPTS
        for item in imports(module)
        if item.target.split(".")[0] not in sys.stdlib_module_names
        and (module.name in SCRIPTS or item.target.split(".")[0] != "alight")
    ]


def import_graph(found: Sequence[Module]) -> dict[str, set[str]]:
    names = {module.name for module in found}
    graph: dict[str, set[str]] = {}
    for module in found:
        targets = set()
        for item in imports(module):
            known = item.target if item.target in names else item.target.rpartition(".")[0]
            if known in names and known != module.name:
                targets.add(known)
        graph[module.name] = targets
    return graph


def cycle(graph: dict[str, set[str]]) -> list[str]:
    """One path of modules that leads back to its start, or nothing."""
    done: set[str] = set()

    def walk(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for target in sorted(graph[name]):
            if circle := walk(target, [*path, name]):
                return circle
        done.add(name)
        return []

    for start in sorted(graph):
        if circle := walk(start, []):
            return circle
    return []


def test_every_room_keeps_to_its_floor() -> None:
    assert broken_floors(modules()) == []


def test_no_own_import_inside_a_function() -> None:
    assert late_own_imports(modules()) == []


def test_foundations_and_scripts_need_only_the_standard_library() -> None:
    assert foreign_imports(modules()) == []


def test_no_import_cycle() -> None:
    assert cycle(import_graph(modules())) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("alight.gateway.asgi", "from alight.services import s3"),
        ("alight.gateway.asgi", "import alight.store.database"),
        ("alight.events.dispatch", "from alight.functions.pool import FunctionPool"),
        ("alight.apis.routes", "import alight.notifications.topics"),
        ("alight.endpoints.server", "from alight.events import event"),
        ("alight.store.objects", "from ..settings import Settings"),
        ("alight.services.s3", "from alight import app"),
        ("alight.app", "import alight.cli"),
        ("alight.cli.up", "from alight import app"),
        ("alight.stacks.apply", "from alight.gateway.asgi import Gateway"),
        ("alight.attic.box", "import json"),
        ("alight.store.objects", "import alight.attic"),
    ],
)
def test_a_broken_floor_is_seen(name: str, text: str) -> None:
    assert broken_floors([Module(name, text)])


def test_the_working_rooms_never_import_each_other() -> None:
    for room in WORKING_ROOMS:
        assert not FLOORS[room] & (WORKING_ROOMS - {room})


def test_a_late_import_is_seen() -> None:
    bad = Module("alight.store.x", "def f():\n    from alight import names\n")
    assert late_own_imports([bad])


def test_a_foreign_import_is_seen() -> None:
    assert foreign_imports([Module("alight.names", "import botocore")])
    assert foreign_imports([Module("alight.functions.bootstrap", "import alight.names")])


def test_a_cycle_is_seen() -> None:
    found = [
        Module("alight.a", "from alight.b import thing"),
        Module("alight.b", "import alight.c"),
        Module("alight.c", "from alight import a"),
    ]
    assert cycle(import_graph(found)) == ["alight.a", "alight.b", "alight.c", "alight.a"]


def test_relative_imports_are_resolved() -> None:
    package = Module("alight.gateway", "from . import wire\nfrom ..services import s3", is_package=True)
    assert [item.target for item in imports(package)] == ["alight.gateway.wire", "alight.services.s3"]
