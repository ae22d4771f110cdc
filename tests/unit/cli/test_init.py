"""`alight init` copies an example and never overwrites."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from alight.cli import examples
from alight.errors import AlightError
from tests.unit.cli.conftest import Ask


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two examples of our own, and one folder that is none."""
    shelf = tmp_path / "shelf"
    for name in ("birds", "hello"):
        (shelf / name / "src").mkdir(parents=True)
        (shelf / name / "template.yaml").write_text("Resources: {}\n")
        (shelf / name / "src" / "app.py").write_text("x = 1\n")
        (shelf / name / "__pycache__").mkdir()
    (shelf / "notes").mkdir()
    monkeypatch.setattr(examples, "examples_folder", lambda: shelf)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_example_is_copied(say: Ask, folder: Path) -> None:
    said = say("init", "birds", "mine", "--json")
    assert json.loads(said.out) == {"example": "birds", "folder": "mine", "files": ["src/app.py", "template.yaml"]}
    assert (folder / "mine" / "src" / "app.py").read_text() == "x = 1\n"


def test_its_name_is_the_folder(say: Ask, folder: Path) -> None:
    assert "alight up hello" in say("init").out
    assert (folder / "hello" / "template.yaml").exists()


def test_nothing_is_overwritten(say: Ask) -> None:
    say("init", "birds")
    said = say("init", "birds")
    assert said.code == 1
    assert "not empty" in said.err


def test_unknown_examples_are_named(say: Ask) -> None:
    assert "There are: birds, hello." in say("init", "cats").err


def test_a_template_or_its_folder(folder: Path) -> None:
    template = folder / "shelf" / "birds" / "template.yaml"
    assert examples.template_at(template) == examples.template_at(template.parent) == template
    with pytest.raises(AlightError, match="holds no template"):
        examples.template_at(folder / "shelf" / "notes")
    with pytest.raises(AlightError, match="no template at"):
        examples.template_at(folder / "nowhere")
