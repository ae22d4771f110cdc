"""`alight doctor` finds what is wrong and never shows a secret."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from alight.cli import doctor
from alight.fence import tiers
from alight.settings import Settings, masked
from tests.unit.cli.conftest import Ask
from tests.unit.cli.double import Answers


def test_a_fit_machine_passes(say: Ask, tmp_path: Path) -> None:
    said = say("doctor", str(tmp_path), "--data", str(tmp_path / "data"), "--json")
    answer = json.loads(said.out)
    assert said.code == 0
    names = [check["name"] for check in answer["checks"]]
    assert names[:4] == ["python", "sqlite", "disk", "fsync"]
    assert answer["settings"]["retry_delays"] == [60.0, 120.0]


def test_people_get_a_table(say: Ask, tmp_path: Path) -> None:
    said = say("doctor", str(tmp_path), "--data", str(tmp_path / "data"))
    assert "settings in force" in said.out
    assert "none has run" in said.out


def test_secrets_are_masked() -> None:
    given = Settings(smtp_url="smtp://me:hunter2@mail:25", sms_url="twilio://sid:hunter2@+1555/{phone}")
    shown = masked(given)
    assert shown["smtp_url"] == "smtp://***@mail:25"
    assert shown["sms_url"] == "twilio://***"
    assert "hunter2" not in json.dumps(shown)


def test_a_taken_port_is_seen(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = Settings(port=taken.getsockname()[1])
        found = doctor.port(settings, tmp_path)
    assert found.state == "warning"
    assert "--port" in found.detail


def test_the_instances_own_port_is_fine(ask: Ask, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = json.loads((data / "instance.json").read_text())["url"]
    found = doctor.port(Settings(port=int(url.rpartition(":")[2])), data)
    assert (found.state, "this instance's" in found.detail) == ("ok", True)


def test_the_running_instance_judges_the_template(ask: Ask, answers: Answers, data: Path, tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text("Resources: {}\n")
    assert doctor.template_plan(tmp_path, data).state == "failed"
    answers.by_path["POST apply"] = {"plan": [], "warnings": ["Tags: recorded, no effect here"]}
    assert doctor.template_plan(tmp_path, data).detail == "Tags: recorded, no effect here"
    answers.by_path["POST apply"] = {"plan": [], "warnings": []}
    assert doctor.template_plan(tmp_path, data).state == "ok"


def test_what_cannot_run_fails(say: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "python", lambda: doctor.Check("python", "failed", "3.9"))
    assert say("doctor", "--data", str(tmp_path)).code == 1


def test_a_broken_check_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(data: Path) -> doctor.Check:
        raise OSError("disk on fire")

    monkeypatch.setattr(doctor, "fsync", broken)
    found = list(doctor.checks(tmp_path, Settings(), tmp_path))
    assert doctor.Check("check", "failed", "disk on fire") in found


@pytest.mark.parametrize(("limits", "state"), [((1024, 65_536), "ok"), ((1024, 1024), "warning")])
def test_descriptors_are_counted(limits: tuple[int, int], state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda kind: limits)
    found = doctor.open_files()
    assert found.state == state
    assert f"{limits[1]:,} descriptors (now 1,024" in found.detail


def test_a_system_without_landlock_is_told_honestly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiers, "offered", lambda: {"abi": 0, "seccomp": True, "view": False})
    found = doctor.sandbox(Settings(), tmp_path)
    assert (found.state, found.detail.partition(":")[0]) == ("warning", "none")
    assert "files are open to functions and models" in found.detail
    # What is asked for by name is not quietly something else
    for wanted in ("landlock", "seccomp"):
        found = doctor.sandbox(Settings(worker_sandbox=wanted), tmp_path)
        assert (found.state, "this system has no Landlock" in found.detail) == ("failed", True)
