"""The runtime as a child, and the demo around it; a double stands in the runtime's place."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from alight.cli import demo
from alight.cli.demos import birds
from alight.cli.folder import is_alive, read_facts
from alight.cli.runtime import Runtime, command_line
from alight.errors import AlightError
from tests.unit.cli.conftest import Ask

DOUBLE = Path(__file__).with_name("double.py")


def test_only_what_was_said_is_passed_on() -> None:
    assert command_line(None, None, None, None) == [sys.executable, "-P", "-m", "alight.app"]
    words = command_line(Path("t.yaml"), "::1", 0, Path("d"))
    assert words[4:] == ["--template", "t.yaml", "--host", "::1", "--port", "0", "--data", "d"]


def test_up_becomes_the_runtime(say: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    became: list[list[str]] = []
    monkeypatch.setattr("os.execv", lambda path, words: became.append(words))
    (tmp_path / "template.yaml").touch()
    say("up", str(tmp_path), "--port", "0", "--data", "d")
    template = str(tmp_path / "template.yaml")
    assert became == [command_line(Path(template), None, 0, Path("d"))]
    say("up")
    assert became[1] == [sys.executable, "-P", "-m", "alight.app"]


def test_up_refuses_wrong_words(say: Ask) -> None:
    assert say("up", "--port", "99999").code == 2
    assert "99999 is not a port" in say("up", "--port", "99999").err
    assert say("up", "--nonsense").code == 2
    assert say("up", "nowhere").code == 1
    assert say("up", "--help").code == 0


def test_a_runtime_that_stops_early_tells_its_last_words(tmp_path: Path) -> None:
    program = "import sys; sys.exit('alight: the folder is in use by 12')"
    with (
        Runtime([sys.executable, "-c", program], tmp_path / "log") as runtime,
        pytest.raises(AlightError, match="in use by 12"),
    ):
        runtime.wait_ready(20)


def test_a_runtime_that_never_serves_is_given_up(tmp_path: Path) -> None:
    program = "import time; time.sleep(60)"
    with (
        Runtime([sys.executable, "-c", program], tmp_path / "log") as runtime,
        pytest.raises(AlightError, match="not ready in 0 s"),
    ):
        runtime.wait_ready(0.1)
    assert runtime.has_stopped()


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An example with two pictures, run by the double."""
    folder = tmp_path / "birds"
    (folder / "pictures").mkdir(parents=True)
    (folder / "template.yaml").write_text("Resources: {}\n")
    for name in ("hen", "duck"):
        (folder / "pictures" / f"{name}.jpg").write_bytes(b"\xff\xd8")
    monkeypatch.setattr(demo, "example", lambda name: folder)
    monkeypatch.setattr(demo, "command_line", lambda t, h, p, d: [sys.executable, str(DOUBLE), "--data", str(d)])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    return folder


def test_once_ends_after_the_message_of_every_picture(example: Path, say: Ask, tmp_path: Path) -> None:
    data = tmp_path / "data"
    said = say("demo", "birds", "--once", "--data", str(data))
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert lines[0].startswith("Console  http://127.0.0.1:")
    assert lines[1].startswith("API      http://127.0.0.1:")
    assert sorted(line for line in lines if line.startswith("Bird")) == [
        "Bird [birds/duck.jpg] is a: Double(0.90)",
        "Bird [birds/hen.jpg] is a: Double(0.91)",
    ]
    facts = read_facts(data)
    assert facts is not None
    assert not is_alive(facts.pid)


def test_a_missing_message_fails(example: Path, say: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    (example / "pictures" / "silent.jpg").write_bytes(b"\xff\xd8")
    monkeypatch.setattr(birds, "MESSAGE_LIMIT", 0.5)
    said = say("demo", "birds", "--once")
    assert said.code == 1
    assert "No message came for birds/silent.jpg" in said.err


def test_without_a_folder_nothing_is_left(
    example: Path, say: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    assert say("demo", "birds", "--once").code == 0
    assert list((tmp_path / "temporary").iterdir()) == []


def test_an_example_without_pictures_is_no_demo(example: Path, say: Ask) -> None:
    for picture in (example / "pictures").iterdir():
        picture.unlink()
    assert "no pictures" in say("demo", "birds").err
