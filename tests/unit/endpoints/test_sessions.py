"""A request that is alone takes the cores that idle: when, with which answers, and what never does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from alight.endpoints.contract import CannotServe
from alight.endpoints.models import sessions
from alight.endpoints.models.onnx import OnnxModel
from alight.endpoints.models.sessions import Free, Sessions, open_session, spread
from alight.endpoints.server import Endpoints
from tests.unit.endpoints import tiny
from tests.unit.endpoints.conftest import one

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="who else runs is asked of Linux")
TWO_CORES = pytest.mark.skipif(sessions._cores() < 2, reason="there is one core only")
ROW = np.ones((1, 2), np.float32)


def heavy(folder: Path) -> Path:
    """Six layers of 1,000 x 1,000 weights, the same: several milliseconds of any core for 64 rows."""
    weights = np.random.default_rng(7).normal(0, 0.03, (1000, 1000)).astype(np.float32)
    nodes = [helper.make_node("MatMul", [f"x{n}" if n else "x", "w"], [f"x{n + 1}"]) for n in range(6)]
    nodes.append(helper.make_node("ReduceSum", ["x6", "axes"], ["y"], keepdims=1))
    tensors = [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(np.array([1]), "axes")]
    tiny.save(
        folder / "model.onnx", nodes, {"x": (TensorProto.FLOAT, ["N", 1000])}, {"y": (TensorProto.FLOAT, ["N", 1])},
        tensors,
    )  # fmt: skip
    return folder


class Puppet:
    """A session that says who it is. The narrow one works as long as a run has to take."""

    def __init__(self, name: str, answer: float = 1.0, works: bool = True) -> None:
        self.name, self.answer, self.works = name, answer, works
        self.runs = 0

    def run(self, outputs: Any, feeds: Any) -> list[Any]:
        self.runs += 1
        began = time.thread_time()
        while self.works and time.thread_time() - began < sessions.WORTH:
            pass
        return [np.array([self.answer])]


class Machine:
    """Two cores, and how many of them are free."""

    def __init__(self, free: int = 2) -> None:
        self.free = free

    def __call__(self) -> int:
        return self.free


def widened(made: Sessions) -> bool:
    """Whether there is a second session, or one in the making, which is waited for."""
    if made._making is not None:
        made._making.join()
    return made._wide is not None


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> Puppet:
    """What is opened as the second session."""
    puppet = Puppet("wide")
    monkeypatch.setattr(sessions, "open_session", lambda path, threads: puppet)
    return puppet


def test_the_second_session_answers_while_nobody_else_runs(wide: Puppet) -> None:
    narrow, machine = Puppet("narrow"), Machine()
    made = Sessions(Path("m"), narrow, 2, machine)
    # Given a run that was alone and took its time
    made.run(["y"], {"x": ROW})
    assert widened(made)
    assert (narrow.runs, wide.runs) == (1, 1)  # the second has been tried with the same
    # Then those that are alone are its, the others are not, nor are those of another shape
    made.run(["y"], {"x": ROW})
    assert (narrow.runs, wide.runs) == (1, 2)
    machine.free = 1
    made.run(["y"], {"x": ROW})
    assert (narrow.runs, wide.runs) == (2, 2)
    machine.free = 2
    made.run(["y"], {"x": np.ones((2, 2), np.float32)})
    assert (narrow.runs, wide.runs) == (3, 2)


def test_none_is_made_for_short_runs_nor_for_long_ones_that_were_not_alone(wide: Puppet) -> None:
    short = Sessions(Path("m"), Puppet("narrow", works=False), 2, Machine())
    busy = Sessions(Path("m"), Puppet("narrow"), 2, Machine(free=1))
    for made in (short, busy):
        made.run(["y"], {"x": ROW})
        assert not widened(made)
    assert wide.runs == 0


def test_one_that_answers_with_other_bits_is_not_used(wide: Puppet) -> None:
    wide.answer = float(np.nextafter(1.0, 2.0))
    made = Sessions(Path("m"), Puppet("narrow"), 2, Machine())
    for _ in range(3):
        assert made.run(["y"], {"x": ROW}) == [1.0]
        assert not widened(made)
    # And it was tried once
    assert wide.runs == 1


def test_one_that_cannot_be_made_is_said_and_missed_no_more(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(path: Path, threads: int) -> Any:
        raise MemoryError("no\nmore")

    monkeypatch.setattr(sessions, "open_session", fail)
    made = Sessions(Path("m"), Puppet("narrow"), 2, Machine())
    for _ in range(2):
        assert made.run(["y"], {"x": ROW}) == [1.0]
        assert not widened(made)
    assert capsys.readouterr().err == "Requests stay on one core each: no more\n"


@LINUX
def test_a_model_that_asks_for_cores_has_them_from_the_start(tmp_path: Path) -> None:
    path, narrow = tiny.halves(tmp_path) / "model.onnx", Puppet("narrow")
    made = spread(path, narrow, {"ALIGHT_MODEL_CORES": "2"}, cores=2)
    made._free = Machine()
    for rows in (1, 3):
        assert made.run(["y"], {"x": np.full((rows, 2), 4, np.float32)})[0].tolist() == [[2, 2]] * rows
    assert narrow.runs == 0


@pytest.mark.parametrize(("environment", "cores"), [({"ALIGHT_MODEL_CORES": "1"}, 8), ({"ALIGHT_MODEL_CORES": "4"}, 1)])
def test_one_core_needs_one_session(tmp_path: Path, environment: dict[str, str], cores: int) -> None:
    narrow = Puppet("narrow")
    assert spread(tiny.halves(tmp_path) / "model.onnx", narrow, environment, cores) is narrow


@pytest.mark.parametrize("wrong", ["0", "257", "all", "-1"])
def test_a_number_of_cores_is_a_number(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(CannotServe, match="ALIGHT_MODEL_CORES is"):
        OnnxModel.open(tiny.halves(tmp_path), {"ALIGHT_MODEL_CORES": wrong})


@LINUX
@pytest.mark.parametrize("name", ["model.onnx", "weights/model.data"])
def test_a_large_model_is_not_kept_twice(tmp_path: Path, name: str) -> None:
    path, narrow = tiny.halves(tmp_path) / "model.onnx", Puppet("narrow")
    assert spread(path, narrow, {}, cores=2) is not narrow
    large = tmp_path / name
    large.parent.mkdir(exist_ok=True)
    with large.open("ab") as file:
        file.truncate(sessions.LARGEST + 1)
    assert spread(path, narrow, {}, cores=2) is narrow


@LINUX
def test_a_process_that_runs_is_seen() -> None:
    working = subprocess.Popen([sys.executable, "-c", "print(flush=True)\nwhile True: pass"], stdout=subprocess.PIPE)
    try:
        assert working.stdout is not None
        working.stdout.readline()
        assert Free(4)() < 4
    finally:
        working.kill()
        working.communicate()


@LINUX
def test_where_nobody_is_counted_nobody_is_taken_for_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    free, texts = Free(4), [b"0.10 0.20 0.30 1/99 7\n", b"0.10 0.20 0.30 3/99 7\n", b"0.00 0.00 0.00 0/0 0\n"]
    monkeypatch.setattr(os, "pread", lambda *given: texts.pop(0))
    assert [free(), free(), free()] == [4, 2, 1]


@LINUX
@pytest.mark.parametrize("text", [b"", b"0.10 0.20 0.30", b"0.10 0.20 0.30 some/99 7"])
def test_one_core_is_enough_where_it_is_not_told_who_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: bytes
) -> None:
    monkeypatch.setattr(os, "pread", lambda *given: text)
    narrow = Puppet("narrow")
    assert spread(tiny.halves(tmp_path) / "model.onnx", narrow, {}, cores=2) is narrow


@LINUX
@TWO_CORES
def test_answers_are_the_same_bits(tmp_path: Path) -> None:
    path = heavy(tmp_path) / "model.onnx"
    narrow = open_session(path, 1)
    made = Sessions(path, narrow, 2, Machine())
    feeds = {"x": np.random.default_rng(8).normal(size=(64, 1000)).astype(np.float32)}
    expected = narrow.run(["y"], feeds)[0].tobytes()
    assert made.run(["y"], feeds)[0].tobytes() == expected
    assert widened(made)
    assert made.run(["y"], feeds)[0].tobytes() == expected


@LINUX
@TWO_CORES
async def test_a_replica_has_the_threads_that_its_model_asks_for(
    make_endpoints: Callable[..., Endpoints], tmp_path: Path
) -> None:
    # Given the same model on one core, and on two
    folder, endpoints, threads = tiny.halves(tmp_path), make_endpoints(), []
    for cores in ("1", "2"):
        await endpoints.deploy(one(folder, ALIGHT_MODEL_CORES=cores))
        answer = await endpoints.invoke("endpoint", b"[2, 4]", content_type="application/json", accept=None)
        assert json.loads(answer.body) == [[1, 2]]
        status = endpoints.status("endpoint")
        assert status is not None
        (pid,) = status.variants[0].pids
        threads.append(len(os.listdir(f"/proc/{pid}/task")))
    # Then it has one more
    assert threads[1] == threads[0] + 1
