"""What the project's own text never holds: paths of somebody's machine, addresses of package indexes, loose ends."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.laws.source import ROOT

FOLDERS = ("src", "tests", "docs", "examples", "bench", "requirements", ".ci")
SUFFIXES = {".py", ".md", ".txt", ".toml", ".yaml", ".yml", ".json", ".sql", ".sh", ".html", ".css", ".js", ""}
#: Of others, as it came.
FOREIGN = re.compile(r"^examples/.*/(pictures|licences)/|/vendor/|\.min\.(js|css)$|^LICENSE$")

FORBIDDEN = {
    "a path of one machine": re.compile(r"(?<![\w.:/-])/(?:root|work|Users|home)/[\w.-]+|/opt/(?:pypi|wheels)"),
    "a package index": re.compile(r"\b(?:pypi|pythonhosted|npmjs|debian|crates|golang)\.(?:org|io|com)\b"),
    "a loose end": re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b"),
    "a word on who wrote it": re.compile(
        r"(?i)co-authored" + r"-by|generated" + r" (?:with|by) (?:an? )?\w*(?:ai|gpt)\b"
    ),
}


def project_files() -> Iterator[Path]:
    # A linked work tree has a file `.git`, which names its place on this machine.
    candidates = [path for path in ROOT.iterdir() if path.is_file() and path.name != ".git"]
    for folder in FOLDERS:
        candidates += (ROOT / folder).rglob("*")
    for path in sorted(candidates):
        name = path.relative_to(ROOT).as_posix()
        if path.is_file() and path.suffix in SUFFIXES and "__pycache__" not in name and not FOREIGN.search(name):
            yield path


def offences(text: str) -> list[str]:
    return [f"{kind}: {found.group()}" for kind, pattern in FORBIDDEN.items() for found in pattern.finditer(text)]


def test_the_projects_text_is_its_own() -> None:
    broken = {
        path.relative_to(ROOT).as_posix(): found
        for path in project_files()
        if (found := offences(path.read_text(errors="replace")))
    }
    assert broken == {}


def test_no_locked_list_names_an_address() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        lines = path.read_text().splitlines()
        assert [line for line in lines if "://" in line or line.startswith("-")] == []
        assert all("==" in line for line in lines if line and not line.startswith(" "))


@pytest.mark.parametrize(
    "text",
    [
        "open('" + "/ho" + "me/someone/data')",
        "cd " + "/wo" + "rk/main",
        "index = https://py" + "pi.org/simple",
        "# TO" + "DO: later",
        "Co-authored" + "-by: nobody",
    ],
)
def test_what_may_not_stand_there_is_seen(text: str) -> None:
    assert offences(text)


def test_plain_text_passes() -> None:
    assert offences("see https://docs.example.com/home/page and ./work/dir") == []
