"""A double of the running instance, and `ask`: run a command against it, in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from alight.cli import main
from tests.unit.cli.double import Answers, Double


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


Ask = Callable[..., Said]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
def double(data: Path, answers: Answers) -> Iterator[Double]:
    with Double(data, answers) as running:
        yield running


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Ask:
    """Run `alight WORDS` as it is."""

    def run(*words: str) -> Said:
        code = main(words)
        printed = capsys.readouterr()
        return Said(code, printed.out, printed.err)

    return run


@pytest.fixture
def ask(double: Double, data: Path, say: Ask) -> Ask:
    """Run `alight WORDS --data` of the double."""
    return lambda *words: say(*words, "--data", str(data))
