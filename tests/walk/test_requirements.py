"""`requirements.txt` beside a handler: installed from a folder of wheels without a network, once for many versions."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.support import Instance, Start
from tests.walk.foreign import RUNTIME
from tests.walk.vendoring import build_wheel

TEMPLATE = f"""
Transform: AWS::Serverless-2016-10-31
Resources:
  Greeter:
    Type: AWS::Serverless::Function
    Properties: {{FunctionName: greeter, CodeUri: src/, Handler: app.handler, Runtime: {RUNTIME}, Timeout: 20}}
"""
HANDLER = """
import boto3, greeting, os
def handler(event, context):
    return {"says": greeting.hello(event), "from": greeting.__file__, "edition": EDITION,
            "buckets": len(boto3.client("s3", region_name="us-east-1").meta.service_model.operation_names) > 9}
EDITION = 1
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A template, its code, and a wheel in `wheels/` beside the code."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "app.py").write_text(HANDLER)
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    wheel(tmp_path / "wheels", "1.0")
    require(tmp_path, "greeting")
    return tmp_path


def wheel(folder: Path, version: str) -> Path:
    return build_wheel(
        folder, "greeting", version, {"greeting.py": f"def hello(name): return f'{{name}}, by {version}'"}
    )


def require(app: Path, *lines: str) -> None:
    where = ["--no-index", f"--find-links {app / 'wheels'}"]
    (app / "src" / "requirements.txt").write_text("\n".join([*where, *lines, ""]))


def greet(instance: Instance) -> Any:
    answer = instance.client("lambda").invoke(FunctionName="greeter", Payload=b'"good day"')
    said = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, said
    return said


def installed(instance: Instance) -> int:
    """How often something was installed since the folder of the data is there."""
    return instance.stderr.read_text().count("Installing ")


def venvs(instance: Instance) -> dict[Path, float]:
    """The venvs there are, and when each was made."""
    return {path: path.stat().st_ctime for path in (instance.data / "functions" / "venvs").iterdir()}


def test_the_venv_is_built_once_and_kept_over_restarts_and_new_code(app: Path, start: Start) -> None:
    first = start(app / "template.yaml", app / "data", timeout=90)
    said = greet(first)
    assert (said["says"], said["edition"], said["buckets"]) == ("good day, by 1.0", 1, True)
    [venv] = built = venvs(first)
    assert said["from"].startswith(str(venv))
    assert installed(first) == 1
    assert f"Installed {first.data}" in first.stderr.read_text()
    first.stop()

    (app / "src" / "app.py").write_text(HANDLER.replace("EDITION = 1", "EDITION = 2"))
    second = start(app / "template.yaml", app / "data", timeout=90)
    assert greet(second)["edition"] == 2
    assert (venvs(second), installed(second)) == (built, 1)

    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("app.py", HANDLER.replace("EDITION = 1", "EDITION = 3"))
        file.write(app / "src" / "requirements.txt", "requirements.txt")
    second.client("lambda").update_function_code(FunctionName="greeter", ZipFile=archive.getvalue())
    assert greet(second)["edition"] == 3
    assert (venvs(second), installed(second)) == (built, 1)


def test_other_requirements_are_another_venv(app: Path, start: Start) -> None:
    first = start(app / "template.yaml", app / "data", timeout=90)
    first.stop()
    wheel(app / "wheels", "2.0")
    require(app, "greeting==2.0")
    second = start(app / "template.yaml", app / "data", timeout=90)
    assert greet(second)["says"] == "good day, by 2.0"
    assert installed(second) == 2


def test_a_wheel_within_the_code(app: Path, start: Start) -> None:
    """A path of the function's own package counts from its `requirements.txt`."""
    wheel(app / "src" / "wheels", "1.5")
    (app / "src" / "requirements.txt").write_text("--no-index\n./wheels/greeting-1.5-py3-none-any.whl\n")
    assert greet(start(app / "template.yaml", app / "data", timeout=90))["says"] == "good day, by 1.5"


def test_what_cannot_be_installed_is_said_with_the_installers_words(app: Path, start: Start) -> None:
    require(app, "nowhere-to-be-found")
    with pytest.raises(AssertionError) as refused:
        start(app / "template.yaml", app / "data", timeout=90)
    notes = "".join(refused.value.__notes__)
    assert "nowhere-to-be-found" in notes
    assert "requirements.txt cannot be installed" in notes
