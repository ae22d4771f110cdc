from __future__ import annotations

from pathlib import Path

import pytest

from alight.errors import AlightError
from alight.stacks.samconfig import SamConfig, read_samconfig


def read(folder: Path, text: str) -> SamConfig:
    (folder / "samconfig.toml").write_text(text)
    return read_samconfig(folder)


def test_no_file_says_nothing(tmp_path: Path) -> None:
    assert read_samconfig(tmp_path) == SamConfig()


@pytest.mark.parametrize(
    ("overrides", "parameters"),
    [
        ('"A=b C=d"', {"A": "b", "C": "d"}),
        ("""'A="b c" D="e=f"'""", {"A": "b c", "D": "e=f"}),
        ('["A=b", "C=d e"]', {"A": "b", "C": "d e"}),
        ('["ParameterKey=A,ParameterValue=b"]', {"A": "b"}),
        ('"A="', {"A": ""}),
    ],
)
def test_parameters_in_each_form(tmp_path: Path, overrides: str, parameters: dict[str, str]) -> None:
    text = f"version = 0.1\n[default.deploy.parameters]\nparameter_overrides = {overrides}\n"
    assert read(tmp_path, text) == SamConfig("", parameters)


def test_deploy_comes_before_global(tmp_path: Path) -> None:
    text = '[default.global.parameters]\nstack_name = "a"\n[default.deploy.parameters]\nstack_name = "b"\n'
    assert read(tmp_path, text).stack == "b"


@pytest.mark.parametrize("text", ["[half", "default = 3", '[default.deploy.parameters]\nparameter_overrides = "A"\n'])
def test_what_cannot_be_read_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(AlightError, match=r"samconfig\.toml cannot be read"):
        read(tmp_path, text)
