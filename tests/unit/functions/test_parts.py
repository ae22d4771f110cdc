"""The small parts by themselves: words, slots, interpreters, cgroups, the loop under uvloop."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import replace
from importlib.metadata import distribution
from pathlib import Path

import pytest
import uvloop

from alight.clock import SystemClock
from alight.functions import report
from alight.functions.interpreters import OLDEST, Interpreters, UnsupportedRuntime, check_runtime, running
from alight.functions.invocation import FunctionSpec, Invocation, Throttled
from alight.functions.memory import Cgroup, find_cgroup_parent
from alight.functions.pool import FunctionPool
from alight.functions.slots import Slots
from tests.unit.functions.bench import Bench, answer, fake_credentials


def test_the_report_line_is_lambdas() -> None:
    line = report.report_line("r", duration_ms=12.344, init_ms=None, memory_mb=128, used_mb=36)
    expected = "Duration: 12.34 ms\tBilled Duration: 13 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\t"
    assert line == f"REPORT RequestId: r\t{expected}"
    line = report.report_line("r", duration_ms=2.0, init_ms=88.04, memory_mb=128, used_mb=36, status="timeout")
    assert line.endswith(
        "\tBilled Duration: 91 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\t"
        "Init Duration: 88.04 ms\tStatus: timeout\t"
    )


def test_stream_names() -> None:
    assert report.stream_name(1_700_000_000.0, "$LATEST", "a" * 32) == f"2023/11/14/[$LATEST]{'a' * 32}"


@pytest.mark.parametrize(
    ("code", "words"),
    [(0, "exited without providing a reason"), (2, "exit status 2"), (-11, "segmentation fault"), (-40, "signal: 40")],
)
def test_how_a_process_ended(code: int, words: str) -> None:
    assert report.exit_reason(code).endswith(words)


@pytest.mark.parametrize("document", [b"", b"not json", b"[1]", b'{"errorType": null}'])
def test_error_types_that_are_not_there(document: bytes) -> None:
    assert report.error_type_of(document) == ""


@pytest.mark.parametrize("seed", range(10))
async def test_slots_never_exceed_and_never_forget(seed: int) -> None:
    """Random arrivals, cancellations and limits: the books of slots balance at every step, and who is turned away met
    the function's own limit."""
    chance = random.Random(seed)
    limit = chance.randint(1, 4)
    slots = Slots(limit)
    running, met = dict.fromkeys("abc", 0), [True]
    own = {name: chance.choice([None, 1, 2]) for name in "abc"}

    async def work(name: str) -> str:
        try:
            await slots.acquire(name, own[name], wait=True)
        except Throttled as refused:
            met.append(refused.reserved and slots.running(name)[0] == own[name])
            raise
        running[name] += 1
        try:
            assert sum(running.values()) <= limit
            assert running[name] <= (own[name] or limit)
            for _ in range(chance.randint(0, 3)):
                await asyncio.sleep(0)
            return name
        finally:
            running[name] -= 1
            slots.release(name)

    tasks = []
    for _ in range(200):
        tasks.append(asyncio.create_task(work(chance.choice("abc"))))
        if chance.random() < 0.2:
            chance.choice(tasks).cancel()
        if chance.random() < 0.5:
            await asyncio.sleep(0)
    results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)
    assert all(met)
    assert {type(result) for result in results} - {Throttled} == {str, asyncio.CancelledError}
    assert [slots.free(name, None) for name in "abc"] == [limit] * 3


async def test_a_function_with_no_slots_at_all() -> None:
    slots = Slots(4)
    assert slots.free("f", 0) == 0
    with pytest.raises(Throttled):
        await slots.acquire("f", 0, wait=False)


@pytest.mark.parametrize("runtime", ["python3.8", "python3.14", "provided.al2023", "provided"])
def test_runtimes_that_are_served(runtime: str) -> None:
    check_runtime(runtime)


@pytest.mark.parametrize("runtime", ["python2.7x", "nodejs20.x", "", "python"])
def test_runtimes_that_are_not(runtime: str) -> None:
    with pytest.raises(UnsupportedRuntime):
        check_runtime(runtime)


def fake_python(path: Path, says: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{says}\n")
    path.chmod(0o755)
    return path


async def test_which_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_python(tmp_path / "shims" / "python3.97", "echo no such version >&2; exit 127")
    found = fake_python(tmp_path / "pyenv" / "versions" / "3.97.1" / "bin" / "python3.97", "echo 3.97.1")
    monkeypatch.setenv("PATH", str(tmp_path / "shims") + ":/usr/bin:/bin")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    choices = Interpreters()
    chosen = await choices.choose("python3.97")
    assert (chosen.path, chosen.version, chosen.native, chosen.warning) == (found, "3.97.1", False, "")
    own = running()
    assert await choices.choose("python" + own.version.rpartition(".")[0]) == own
    missing = await choices.choose("python3.98")
    found.unlink()
    assert await choices.choose("python3.97") is chosen
    assert replace(missing, warning="") == own
    assert missing.warning == f"There is no python3.98 on this machine: Python {own.version} runs it instead."


async def test_a_warning_is_logged(one_bench: Bench) -> None:
    assert answer(await one_bench.call(one_bench.spec("def handler(e, c): return 1", runtime="python3.98"))) == 1
    assert any("There is no python3.98" in message for message in one_bench.messages())


async def test_a_python_without_boto3_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function of an old course says python3.6, and a machine may still have one."""
    floor = distribution("boto3").metadata["Requires-Python"].replace(" ", "")
    assert floor == f">=3.{OLDEST}"
    for minor in (6, OLDEST - 1):
        fake_python(tmp_path / f"python3.{minor}", f"echo 3.{minor}.1")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    own = running()
    for runtime in ("python3.6", f"python3.{OLDEST - 1}"):
        chosen = await Interpreters().choose(runtime)
        assert replace(chosen, warning="") == own
        expected = f"{runtime} is too old for the boto3 that is supplied: Python {own.version} runs it instead."
        assert chosen.warning == expected


@pytest.mark.parametrize("minor", [10, 12, 13, 14])
async def test_other_versions_run_our_own_loop(one_bench: Bench, minor: int) -> None:
    runtime = f"python3.{minor}"
    if (await one_bench.pool.interpreters.choose(runtime)).native:
        pytest.skip(f"{runtime} is not installed")
    spec = one_bench.spec(
        """
        import sys, boto3, logging

        def handler(event, context):
            logging.warning("seen")
            if event:
                raise KeyError(event)
            return [list(sys.version_info[:2]), context.function_name]
        """,
        runtime=runtime,
        timeout=30,
    )
    outcome = await one_bench.call(spec, b"0")
    assert answer(outcome) == [[3, minor], "birds"]
    assert outcome.log_tail.startswith(f"INIT_START Runtime Version: python:3.{minor}.".encode())
    assert json.loads((await one_bench.call(spec, b"7")).payload)["errorType"] == "KeyError"


def cgroup_tree(folder: Path, *, controllers: str = "cpu memory pids") -> Path:
    """What /sys/fs/cgroup looks like, as plain files."""
    own = folder / "user.slice" / "alight.scope"
    own.mkdir(parents=True)
    for place in (folder, own.parent, own):
        (place / "cgroup.procs").write_text("")
        (place / "cgroup.subtree_control").write_text(controllers if place != own else "")
    return own


def test_where_cgroups_can_be_made(tmp_path: Path) -> None:
    own = cgroup_tree(tmp_path / "cgroup")
    where = tmp_path / "self"
    where.write_text("4:memory:/old\n0::/user.slice/alight.scope\n")
    assert find_cgroup_parent(tmp_path / "cgroup", where) == own.parent
    (own / "cgroup.subtree_control").write_text("memory")
    assert find_cgroup_parent(tmp_path / "cgroup", where) == own
    where.write_text("4:memory:/old\n")
    assert find_cgroup_parent(tmp_path / "cgroup", where) is None
    where.write_text("0::/\n")
    (tmp_path / "cgroup" / "cgroup.subtree_control").write_text("cpu")
    assert find_cgroup_parent(tmp_path / "cgroup", where) is None
    assert find_cgroup_parent(tmp_path / "cgroup", tmp_path / "nowhere") is None


def test_a_cgroup(tmp_path: Path) -> None:
    made = Cgroup(tmp_path / "worker", 128)
    assert (made.folder / "memory.max").read_text() == str(128 << 20)
    assert (made.folder / "memory.swap.max").read_text() == "0"
    assert not made.out_of_memory()
    (made.folder / "memory.events").write_text("low 0\noom 1\noom_kill 1\n")
    assert made.out_of_memory()
    (made.folder / "memory.peak").write_text(f"{64 << 20}\n")
    assert made.peak_kib() == 64 << 10


async def test_a_worker_in_a_cgroup(one_bench: Bench, tmp_path: Path) -> None:
    """Plain files stand in for the kernel's: the child enters by itself, and the kernel's word decides."""
    parent = tmp_path / "cgroup"
    parent.mkdir()
    one_bench.pool._cgroup_parent = parent
    spec = one_bench.spec(
        """
        import os

        def handler(event, context):
            if event:
                os.kill(os.getpid(), 9)
            return "in"
        """
    )
    assert answer(await one_bench.call(spec, b"0")) == "in"
    (folder,) = parent.iterdir()
    assert (folder / "cgroup.procs").read_text() == "0"
    (folder / "memory.events").write_text("oom_kill 1\n")
    (folder / "memory.peak").write_text(str(300 << 20))
    outcome = await one_bench.call(spec, b"1")
    assert (outcome.kind, outcome.max_memory_mb) == ("oom", 256)
    assert (folder / "cgroup.kill").read_text() == "1"


def test_under_uvloop(tmp_path: Path) -> None:
    """The runtime's own event loop."""
    (tmp_path / "app.py").write_text("import os\ndef handler(event, context):\n    return event or os._exit(3)")
    spec = FunctionSpec("f", "arn", "1", tmp_path, None, "app.handler", "python3.11")

    async def main() -> list[object]:
        pool = FunctionPool(
            limit=2, idle_timeout=60, clock=SystemClock(), folder=tmp_path / "data", credentials=fake_credentials,
            endpoint_url=lambda: "", log=lambda *line: None,
        )  # fmt: skip
        payloads = [b"[1]", b"[2]", b"0", b"[3]"]
        outcomes = [await pool.invoke(spec, Invocation("r", payload)) for payload in payloads]
        await pool.close()
        return [outcome.kind for outcome in outcomes]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(main()) == ["ok", "ok", "crash", "ok"]


async def test_without_pidfd(one_bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Systems that have none: a thread waits instead."""
    monkeypatch.setattr("alight.functions.processes._pidfd", lambda pid: None)
    spec = one_bench.spec("import os\ndef handler(event, context):\n    return event or os._exit(3)")
    kinds = [(await one_bench.call(spec, payload)).kind for payload in (b"1", b"0", b"2")]
    assert kinds == ["ok", "crash", "ok"]
