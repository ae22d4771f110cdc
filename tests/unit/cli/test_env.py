"""`alight env`: right values, running or not, without loading what it does not need."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from alight import credentials
from tests.unit.cli.conftest import Ask
from tests.unit.cli.double import Double


def test_lines_for_a_shell(ask: Ask, double: Double) -> None:
    said = ask("env")
    assert said.code == 0
    assert said.out.splitlines() == [
        f"export AWS_ENDPOINT_URL={double.url}",
        f"export AWS_ACCESS_KEY_ID={double.keys.access_key_id}",
        f"export AWS_SECRET_ACCESS_KEY={double.keys.secret_access_key}",
        "export AWS_DEFAULT_REGION=us-east-1",
    ]


def test_one_object_for_scripts(ask: Ask, double: Double) -> None:
    assert json.loads(ask("env", "--json").out) == {
        "AWS_ENDPOINT_URL": double.url,
        "AWS_ACCESS_KEY_ID": double.keys.access_key_id,
        "AWS_SECRET_ACCESS_KEY": double.keys.secret_access_key,
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def test_works_when_stopped(say: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIGHT_PORT", "4999")
    credentials.load_or_create(tmp_path)
    said = say("env", "--data", str(tmp_path))
    assert "export AWS_ENDPOINT_URL=http://127.0.0.1:4999" in said.out.splitlines()


def test_without_a_folder_says_what_to_do(say: Ask, tmp_path: Path) -> None:
    said = say("env", "--data", str(tmp_path))
    assert said.code == 2
    assert "no credentials" in said.err
    assert "alight up" in said.err


def test_wrong_words_are_usage(say: Ask) -> None:
    assert say("env", "--nonsense").code == 2


def test_help(say: Ask) -> None:
    said = say("env", "--help")
    assert said.code == 0
    assert "--json" in said.out


def test_loads_no_library(data: Path, double: Double) -> None:
    program = (
        f"import sys; from alight.cli import main; code = main(['env', '--data', {str(data)!r}]);"
        "heavy = {'typer', 'click', 'rich', 'boto3', 'http.client', 'asyncio'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else code)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_under_a_fifth_of_a_second(data: Path, double: Double) -> None:
    """Counted in processor time, which other tests beside this one do not stretch much; the best of a few."""
    command = [str(Path(sys.executable).parent / "alight"), "env", "--data", str(data)]
    times = []
    for _ in range(8):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(times) < 0.2
