"""What `pip install` brings: the package with its statements and examples, enough to run the demo from anywhere."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.laws.source import ROOT
from tests.support import clean_environment

RUN = "import sys; from alight.cli import main; sys.exit(main())"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as pip would, with what is locked for building."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet", "--quiet"]
    subprocess.run([*command, "--wheel-dir", str(folder), str(ROOT)], check=True, capture_output=True, timeout=110)
    return next(folder.glob("alight-*.whl"))


def test_the_wheel_holds_all_that_is_needed_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for name in (
        "alight/store/sql/migrations/0001_first.sql",
        "alight/py.typed",
        "alight/console/templates/base.html",
        "alight/console/static/vendor/htmx.min.js",
        "alight/examples/birds/template.yaml",
        "alight/examples/birds/model.tar.gz",
        "alight/examples/birds/pictures/LICENSE",
        "alight/examples/hello/src/app.py",
        "alight/examples/s3-thumbnail/src/requirements.txt",
        "alight/examples/sqs-batch/src/app.py",
        "alight/examples/sentiment/template.yaml",
        "alight/examples/sentiment/model.tar.gz",
        "alight/examples/sentiment/src/vocabulary.json",
        "alight/examples/sentiment/site/index.html",
        "alight/examples/sentiment/site/config.js",
    ):
        assert name in names
    assert sum(name.startswith("alight/examples/birds/pictures/") and name.endswith(".jpg") for name in names) >= 4
    assert any(name.endswith("/licenses/NOTICE") for name in names)
    assert "alight/examples/birds/model/model.onnx" not in names
    assert [name for name in names if "__pycache__" in name or "/.alight/" in name or name.startswith("tests/")] == []


def test_the_demo_runs_from_the_wheel(wheel: Path, tmp_path: Path) -> None:
    """Offline, from another folder, with none of the repository's files in reach."""
    place = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--quiet", "--no-deps", "--no-index", "--target"]
    subprocess.run([*install, str(place), str(wheel)], check=True, capture_output=True, timeout=60)
    environment = clean_environment(PYTHONPATH=str(place))
    where = subprocess.run(
        [sys.executable, "-c", "import alight; print(alight.__file__)"],
        env=environment, cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert where.stdout.startswith(str(place) + os.sep)
    done = subprocess.run(
        [sys.executable, "-c", RUN, "demo", "birds", "--once", "--data", str(tmp_path / "data")],
        env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=110,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    messages = [line for line in done.stdout.splitlines() if line.startswith("Bird [birds/")]
    assert any("] is a: " in line for line in messages)
    assert any("] may be a: " in line for line in messages)
