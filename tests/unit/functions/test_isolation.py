"""A worker and everybody else: its neighbours, Alight's own packages, the runtime's end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy
import pytest

from alight.functions.processes import _is_starting, environment_of, kill_marked
from alight.functions.supplied import link_supplied
from tests.unit.functions.bench import Bench, Gate, alive, answer, until

ADDRESS = "import os\ndef handler(event, context): return [os.environ['AWS_LAMBDA_RUNTIME_API'], os.getpid()]"

VICTIM = """
import os, time

def handler(event, context):
    if event is None:
        return os.environ["AWS_LAMBDA_RUNTIME_API"]
    open(event["gate"] + ".begun", "w").close()
    while not os.path.exists(event["gate"]):
        time.sleep(0.002)
    return event["say"]
"""

THIEF = """
import http.client, json, os

def ask(method, port, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request(method, path, body)
    status = connection.getresponse().status
    connection.close()
    return status

def handler(event, context):
    own = os.environ["AWS_LAMBDA_RUNTIME_API"].partition("/")[2]
    base = "2018-06-01/runtime/"
    port, victim = event["port"], event["request_id"]
    found = []
    for token in ("", own + "/", "x" * 32 + "/", "../" + own + "/"):
        found.append(ask("GET", port, "/" + token + base + "invocation/next"))
        found.append(ask("POST", port, "/" + token + base + "invocation/" + victim + "/response", b'"stolen"'))
        found.append(ask("POST", port, "/" + token + base + "init/error", b"{}"))
    return found
"""


async def test_a_neighbours_work_cannot_be_stolen(make_bench: Callable[..., Bench], tmp_path: Path) -> None:
    bench = make_bench()
    victim = bench.spec(VICTIM, name="victim")
    thief = bench.spec(THIEF, name="thief")
    port = int(answer(await bench.call(victim, b"null")).partition("/")[0].rpartition(":")[2])
    theft = json.dumps({"port": port, "request_id": "busy"}).encode()
    assert set(answer(await bench.call(thief, theft))) == {403}  # while it waits for work
    gate = Gate(tmp_path)
    running = asyncio.create_task(bench.call(victim, gate.payload("mine"), request_id="busy"))
    await until(gate.begun.exists)
    assert set(answer(await bench.call(thief, theft))) == {403}  # while it works
    gate.open()
    assert answer(await running) == "mine"


async def test_an_answer_for_another_call_is_refused(bench: Bench) -> None:
    spec = bench.spec(
        """
        import http.client, os

        def handler(event, context):
            place, _, token = os.environ["AWS_LAMBDA_RUNTIME_API"].partition("/")
            found = []
            for path in ("invocation/other/response", "invocation/other/error", "invocation/next/more", "exit/now"):
                connection = http.client.HTTPConnection(place, timeout=5)
                connection.request("POST", "/" + token + "/2018-06-01/runtime/" + path, b'"forged"')
                found.append(connection.getresponse().status)
                connection.close()
            return found
        """
    )
    assert answer(await bench.call(spec)) == [400, 400, 404, 404]


async def test_secrets_are_not_in_what_others_may_read(bench: Bench) -> None:
    address, pid = answer(await bench.call(bench.spec(ADDRESS)))
    seen = Path(f"/proc/{pid}/cmdline").read_bytes()
    try:  # only a privileged user gets to see it at all
        seen += Path(f"/proc/{pid}/environ").read_bytes()
        assert b"AWS_LAMBDA_FUNCTION_NAME" in seen
    except PermissionError:
        assert b"launcher.py" in seen
    for secret in (address.partition("/")[2], "secret-of-", "token-of-"):
        assert secret.encode() not in seen


async def test_only_boto3_and_awslambdaric_are_supplied(bench: Bench) -> None:
    spec = bench.spec(
        """
        import importlib.util, importlib.metadata

        def handler(event, context):
            found = {name: importlib.util.find_spec(name) is not None for name in event}
            return [found, importlib.metadata.version("boto3")]
        """
    )
    inside = ["boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3", "awslambdaric", "simplejson"]
    outside = [
        "onnxruntime",
        "numpy",
        "PIL",
        "alight",
        "uvicorn",
        "yaml",
        "pip",
        "pool",
        "launcher",
        "pytest",
        "memory",
    ]
    found, version = answer(await bench.call(spec, json.dumps(inside + outside).encode()))
    assert found == dict.fromkeys(inside, True) | dict.fromkeys(outside, False)
    assert version.count(".") == 2


async def test_a_functions_own_packages_come_first(bench: Bench) -> None:
    spec = bench.spec("import boto3, pool\ndef handler(event, context): return [boto3.__version__, pool.MINE]")
    (spec.code_dir / "boto3.py").write_text("__version__ = 'my own'")
    (spec.code_dir / "pool.py").write_text("MINE = True")
    assert answer(await bench.call(spec)) == ["my own", True]


async def test_numpy_as_on_lambda_is_not_there(bench: Bench) -> None:
    outcome = await bench.call(bench.spec("import numpy\ndef handler(event, context): return 1"))
    assert json.loads(outcome.payload)["errorType"] == "Runtime.ImportModuleError"


async def test_plain_boto3_goes_home_with_the_workers_key(bench: Bench) -> None:
    spec = bench.spec(
        """
        import boto3

        def handler(event, context):
            found = []
            for name in ("s3", "sns", "runtime.sagemaker"):
                client = boto3.client(service_name=name)
                keys = client._request_signer._credentials.get_frozen_credentials()
                found.append([client.meta.endpoint_url, client.meta.region_name, keys.token])
            return found
        """,
        timeout=20,
    )
    home = ["http://127.0.0.1:4566", "us-east-1", "token-of-birds-role"]
    assert answer(await bench.call(spec)) == [home] * 3


async def test_numpy_and_boto3_run_in_128_megabytes(bench: Bench) -> None:
    spec = bench.spec(
        """
        import boto3, numpy

        def handler(event, context):
            boto3.client("s3"), boto3.client("sns"), boto3.client("sagemaker-runtime")
            return float((numpy.ones((500, 500)) @ numpy.ones((500, 500))).sum())
        """,
        memory_mb=128,
        timeout=60,
    )
    site = Path(numpy.__file__).parents[1]
    for name in ("numpy", "numpy.libs"):
        if (site / name).exists():
            (spec.code_dir / name).symlink_to(site / name)
    outcome = await bench.call(spec)
    assert answer(outcome) == 500.0**3
    assert 30 < outcome.max_memory_mb < 128


RUNTIME = """
import asyncio, sys
from pathlib import Path
from alight.clock import SystemClock
from alight.functions.invocation import FunctionSpec, Invocation
from alight.functions.pool import FunctionPool

async def main():
    folder = Path(sys.argv[1])
    pool = FunctionPool(
        limit=2, idle_timeout=60, clock=SystemClock(), folder=folder / "data", credentials=lambda s, w: {},
        endpoint_url=lambda: "", log=lambda *line: None, child=sys.argv[2],
    )
    spec = FunctionSpec("f", "arn", "1", folder / "code", None, "app.handler", "python3.11", {}, 60.0, 256)
    await pool.invoke(spec, Invocation("r", b'{}'))
    calls = [pool.invoke(spec, Invocation("r", b'{"stay": true}')) for _ in range(2)]
    await asyncio.gather(*calls)

asyncio.run(main())
"""

STAYING = """
import os, subprocess, time

def handler(event, context):
    if event:
        child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
        with open(os.environ["LAMBDA_TASK_ROOT"] + "/pids", "a") as file:
            file.write(f"{os.getpid()} {child.pid}\\n")
        time.sleep(1000)
"""


@pytest.fixture
def code(tmp_path: Path) -> Iterator[Path]:
    """A function that stays, and whatever it left is ended."""
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "app.py").write_text(STAYING)
    yield folder
    kill_marked(f"TMPDIR={tmp_path}/")


@pytest.mark.skipif(sys.platform != "linux", reason="the death signal is Linux's")
@pytest.mark.parametrize("child", ["awslambdaric", "bootstrap"])
async def test_workers_die_with_a_killed_runtime(child: str, code: Path, make_bench: Callable[..., Bench]) -> None:
    runtime = subprocess.Popen([sys.executable, "-c", RUNTIME, str(code.parent), child], start_new_session=True)
    try:
        pids = code / "pids"
        await until(lambda: pids.exists() and pids.read_text().count("\n") == 2, 20)
        workers, left = zip(*(map(int, line.split()) for line in pids.read_text().splitlines()), strict=True)
        assert all(alive(pid) for pid in [*workers, *left])
        os.kill(runtime.pid, signal.SIGKILL)
        await until(lambda: not any(alive(pid) for pid in workers))
    finally:
        runtime.kill()
        runtime.wait()
    # What the workers themselves had started is found when a pool opens the same folder again.
    bench = make_bench(name="data")
    await bench.call(bench.spec("def handler(event, context): pass"))
    await until(lambda: not any(alive(pid) for pid in left))
    assert [path.name for path in (code.parent / "data" / "run").iterdir()] == bench.pool.worker_ids("birds")


def test_a_launcher_whose_runtime_is_gone_ends(tmp_path: Path) -> None:
    launcher = Path(sys.modules["alight.functions.supplied"].__file__ or "").with_name("launcher.py")
    ended = subprocess.run([sys.executable, "-S", str(launcher), "1"], input=b"{}", capture_output=True, timeout=20)
    assert (ended.returncode, ended.stderr) == (1, b"")


def test_links_are_made_once_and_whole(tmp_path: Path) -> None:
    made = link_supplied(tmp_path)
    assert link_supplied(tmp_path) == made
    assert list(tmp_path.iterdir()) == [made]
    assert all(path.is_symlink() and path.exists() for path in made.iterdir())


def test_no_file_of_the_room_hides_a_module_of_python() -> None:
    """For a moment the child's import path begins with this folder."""
    folder = Path(sys.modules["alight.functions.supplied"].__file__ or "").parent
    assert not {path.stem for path in folder.glob("*.py")} & set(sys.stdlib_module_names)


@pytest.mark.skipif(sys.platform != "linux", reason="the environments of others are Linux's /proc")
def test_what_has_just_been_started_has_its_environment() -> None:
    long = {f"LONG_{number}": "x" * 20_000 for number in range(20)}
    spinning = [subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    seen = []
    try:
        for number in range(300):
            with subprocess.Popen(["sleep", "1004"], env={"MARK": f"<{number}>", **long}) as started:
                seen.append(f"<{number}>".encode() in environment_of(started.pid))
                started.kill()
    finally:
        for one in spinning:
            one.kill()
            one.wait()
    assert all(seen), f"{seen.count(False)} of {len(seen)} passed for processes without an environment"


@pytest.mark.skipif(sys.platform != "linux", reason="the environments of others are Linux's /proc")
def test_who_has_no_environment_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen(["sleep", "1005"], env={}) as bare:
        try:
            while _is_starting(bare.pid):
                pass
            naps: list[float] = []
            monkeypatch.setattr("alight.functions.processes.time.sleep", naps.append)
            assert environment_of(bare.pid) == b""
            assert naps == []
        finally:
            bare.kill()
