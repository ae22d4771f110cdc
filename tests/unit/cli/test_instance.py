"""The way to the instance: who is asked, with what, and what is said where nobody answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from alight.cli.instance import refusal, segment
from tests.unit.cli.conftest import Ask
from tests.unit.cli.double import Answers, Double

DEAD = 2**22 - 7


def test_the_admin_token_is_sent(ask: Ask, answers: Answers, double: Double) -> None:
    answers.by_path["GET status"] = {}
    assert ask("status").code == 0
    assert answers.asked[0].token == double.keys.admin_token


def test_no_folder_is_not_running(say: Ask, tmp_path: Path) -> None:
    said = say("status", "--data", str(tmp_path))
    assert said.code == 2
    assert said.err.startswith("alight: No Alight is running on")
    assert "alight up --data" in said.err


def test_a_dead_process_is_not_running(ask: Ask, data: Path) -> None:
    facts = json.loads((data / "instance.json").read_text())
    (data / "instance.json").write_text(json.dumps(facts | {"pid": DEAD}))
    assert ask("status").code == 2


def test_a_silent_port_is_not_running(say: Ask, data: Path, answers: Answers) -> None:
    with Double(data, answers):
        pass
    said = say("status", "--data", str(data))
    assert said.code == 2
    assert "does not answer" in said.err


def test_an_error_is_told_in_the_instances_words(ask: Ask) -> None:
    said = ask("events", "show", "nothing")
    assert (said.code, said.out) == (1, "")
    assert said.err == "alight: There is no such thing.\n        Look again.\n"


def test_an_error_without_words_is_still_a_sentence() -> None:
    assert refusal(502, b"<html>").message == "Alight answered 502."
    assert refusal(502, b"[]").message == "Alight answered 502."


def test_a_name_is_one_segment_of_the_path() -> None:
    assert segment("../a b/c?d") == "..%2Fa%20b%2Fc%3Fd"


def test_unknown_commands_and_options_are_usage(say: Ask) -> None:
    assert say("nonsense").code == 2
    assert say("status", "--nonsense").code == 2


def test_every_command_has_help(say: Ask) -> None:
    listed = say("--help")
    assert listed.code == 0
    for name in ("up", "demo", "init", "env", "doctor", "explain"):
        assert f"  {name} " in listed.out
        assert say(name, "--help").code == 0


def test_data_folder_of_the_environment(
    say: Ask, double: Double, data: Path, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers.by_path["GET outputs"] = {"TopicArn": "arn:x"}
    monkeypatch.setenv("ALIGHT_DATA", str(data))
    assert json.loads(say("outputs", "--json").out) == {"TopicArn": "arn:x"}
