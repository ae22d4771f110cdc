"""Nothing without its words: modules, faults, settings, and the version's place in the changelog."""

from __future__ import annotations

import ast
import importlib
import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path

from alight import __version__
from alight.cli.commands import NAMES
from alight.errors import Fault
from alight.settings import Settings
from tests.laws.coverage import PAGE, page
from tests.laws.source import PACKAGE, ROOT, Module, modules


def without_docstring(found: Sequence[Module]) -> list[str]:
    return [module.name for module in found if module.text.strip() and not ast.get_docstring(module.tree)]


def faults(parent: type[Fault] = Fault) -> Iterator[type[Fault]]:
    for child in parent.__subclasses__():
        if child.__module__.startswith("alight."):
            yield child
        yield from faults(child)


def incomplete_faults(found: Iterable[type[Fault]]) -> list[str]:
    broken = []
    for fault in found:
        if not (fault.__dict__.get("__doc__") or "").strip():
            broken.append(f"{fault.__qualname__} has no message")
        if not any("status" in base.__dict__ for base in fault.__mro__[: fault.__mro__.index(Fault)]):
            broken.append(f"{fault.__qualname__} has no status")
    return broken


def undocumented_settings(names: Iterable[str], text: str) -> list[str]:
    return [name for name in names if f"`{name}`" not in text or f"`ALIGHT_{name.upper()}`" not in text]


def newest_version(changelog: str) -> str:
    found = re.findall(r"^## \[(\d[^\]]*)\]", changelog, re.MULTILINE)
    return found[0] if found else ""


def broken_links(path: Path, text: str) -> list[str]:
    """Relative links of a page that lead nowhere."""
    targets = re.findall(r"\]\((?!\w+:|#)([^)#\s]+)", text)
    return [f"{path.name}: {target}" for target in targets if not (path.parent / target).exists()]


def test_every_module_says_what_it_is() -> None:
    assert without_docstring(modules()) == []


def test_every_fault_has_a_message_and_a_status() -> None:
    for path in sorted((PACKAGE / "errors").glob("*.py")):
        importlib.import_module(f"alight.errors.{path.stem}" if path.stem != "__init__" else "alight.errors")
    found = list(faults())
    assert found
    assert incomplete_faults(found) == []


def test_every_setting_is_documented() -> None:
    text = (ROOT / "docs" / "reference" / "settings.md").read_text()
    assert undocumented_settings((item.name for item in fields(Settings)), text) == []


def test_every_command_is_documented() -> None:
    text = (ROOT / "docs" / "reference" / "cli.md").read_text()
    assert [name for name in NAMES if f"`alight {name}" not in text] == []


def test_the_coverage_page_is_what_the_tables_say() -> None:
    assert PAGE.read_text() == page(), "the page is older than the tables: make docs"


#: How the page of promises says that no test shows one.
UNSHOWN = ("not shown", "not there yet", "measured by")


def nameless(rows: Iterable[str]) -> list[str]:
    """Promises of which the page says neither a test nor that there is none."""
    return [row for row in rows if "`tests/" not in row and not any(word in row for word in UNSHOWN)]


def missing_tests(text: str) -> list[str]:
    """Tests that a page names, as `path::name`, and that are not there."""
    return [
        f"{path}::{name}"
        for path, name in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)
        if not (ROOT / path).exists() or not re.search(rf"\b(?:def|class) {name}\b", (ROOT / path).read_text())
    ]


def test_links_between_pages_lead_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
    assert [broken for path in pages for broken in broken_links(path, path.read_text())] == []


def test_the_walk_names_files_that_are_there() -> None:
    text = (ROOT / "docs" / "walk.md").read_text()
    named = re.findall(r"`([\w/]+\.py|[\w/]+/)`", text)
    inside = [name for name in named if name not in ("inference.py", "src/alight/")]
    assert len(inside) > 30
    assert [name for name in inside if not (PACKAGE / name).exists()] == []


def test_the_threat_model_names_code_and_tests_that_are_there() -> None:
    text = (ROOT / "docs" / "security.md").read_text()
    named = re.findall(r"`((?:src|tests|requirements)/[\w./]+)`", text)
    assert len(named) > 40
    assert [name for name in named if not (ROOT / name).exists()] == []
    assert [number for number in range(1, 23) if f"| R{number} |" not in text] == []


def test_each_promise_names_tests_that_are_there() -> None:
    text = (ROOT / "docs" / "promises.md").read_text()
    lines = [line for line in text.splitlines() if line.startswith("| P")]
    rows = {number: line for line in lines for number in re.findall(r"P\d+", line.split("|")[1])}
    assert sorted(rows) == sorted(f"P{number}" for number in range(1, 41))
    assert nameless(rows.values()) == []
    assert missing_tests(text) == []


def test_a_promise_without_its_test_is_seen() -> None:
    assert missing_tests("`tests/laws/test_documented.py::test_nothing`, `tests/gone.py::test_a`") == [
        "tests/laws/test_documented.py::test_nothing",
        "tests/gone.py::test_a",
    ]
    assert missing_tests("`tests/laws/test_documented.py::missing_tests`") == []
    assert nameless(["| P1 | it works | somebody |", "| P2 | it works | not shown: too long |"]) == [
        "| P1 | it works | somebody |"
    ]


def test_the_version_is_the_changelogs_newest() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert __version__ == project["version"] == newest_version((ROOT / "CHANGELOG.md").read_text())


def test_a_module_without_words_is_seen() -> None:
    assert without_docstring([Module("alight.x", "x = 1\n")]) == ["alight.x"]


def test_a_fault_without_words_or_status_is_seen() -> None:
    bare = type("Bare", (Fault,), {})
    assert incomplete_faults([bare]) == ["Bare has no message", "Bare has no status"]


def test_a_setting_without_words_is_seen() -> None:
    assert undocumented_settings(["brand_new"], "`brand_new` but not its variable") == ["brand_new"]


def test_a_broken_link_is_seen(tmp_path: Path) -> None:
    text = "[a](here.md) [b](nowhere.md#part) [c](https://example.com/x) [d](#part)"
    (tmp_path / "here.md").touch()
    assert broken_links(tmp_path / "page.md", text) == ["page.md: nowhere.md"]


def test_the_newest_version_is_read() -> None:
    assert newest_version("# C\n## [Unreleased]\n## [0.3.0] - 2026\n## [0.2.0]\n") == "0.3.0"
