"""Old XGBoost files become JSON, in a process that is not ours."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from alight.endpoints import convert
from alight.endpoints.contract import Request
from alight.endpoints.models.xgboost import XgboostModel
from tests.unit.endpoints import boosters

HERE = Path(sys.executable)


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "alight.endpoints.convert", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_pickle_that_is_trusted_becomes_a_model_that_is_served(tmp_path: Path) -> None:
    booster = boosters.train()
    path = tmp_path / "xgboost-model"
    path.write_bytes(pickle.dumps(booster))
    done = run(str(path), "--unpickle", "--python", sys.executable)
    assert (done.returncode, done.stderr) == (0, "")
    assert "is JSON now" in done.stdout
    assert path.read_bytes()[:1] == b"{"
    reply = XgboostModel.open(tmp_path, {}).answer(Request(b"1,2,3,4", "text/csv", None))
    assert float(reply.body) == boosters.predict(booster, [[1, 2, 3, 4]]).item()
    assert pickle.loads((tmp_path / "xgboost-model.old").read_bytes()).save_raw() == booster.save_raw()  # noqa: S301


class Bomb:
    """Leaves a mark where it is loaded."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._mark,)


def test_a_pickle_is_not_loaded_unasked(tmp_path: Path) -> None:
    path, mark = tmp_path / "xgboost-model", tmp_path / "mark"
    path.write_bytes(pickle.dumps(Bomb(mark)))
    done = run(str(path), "--python", sys.executable)
    assert done.returncode == 1
    assert "say --unpickle" in done.stderr
    assert not mark.exists()


@pytest.mark.parametrize(("content", "reason"), [(b'{"learner"', "served as it is"), (b"binf....", "cannot be read")])
def test_what_cannot_be_converted_stays(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "xgboost-model"
    path.write_bytes(content)
    with pytest.raises(convert.CannotConvert, match=reason):
        convert.convert(path, False, [], HERE)
    assert path.read_bytes() == content
    assert [file.name for file in tmp_path.iterdir()] == ["xgboost-model"]


def test_a_library_that_cannot_be_installed_is_named(tmp_path: Path) -> None:
    path = tmp_path / "xgboost-model"
    path.write_bytes(b"binf....")
    with pytest.raises(convert.CannotConvert, match=r"no-such-file\.whl cannot be installed"):
        convert.convert(path, False, [str(tmp_path / "no-such-file.whl")], None)
