"""Real replica processes: deployed, asked, killed, overloaded, replaced."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop

from alight.clock import SystemClock
from alight.endpoints.contract import CannotServe
from alight.endpoints.server import Endpoints
from alight.endpoints.spec import Answer, EndpointSpec, Invoked, VariantSpec
from alight.errors.sagemaker import ModelError, RequestEntityTooLarge, ServiceUnavailable, ValidationError
from tests.unit.endpoints import tiny
from tests.unit.endpoints.conftest import one

Make = Callable[..., Endpoints]

#: `b"pid"` answers who answers; `b"die"` ends the replica; `b"gate PATH"` waits until the file is there.
PUPPET = """
import os, signal, sys, time

def model_fn(model_dir):
    print("loaded", flush=True)
    return None

def transform_fn(model, body, content_type, accept, context):
    word, _, rest = body.decode().partition(" ")
    if word == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if word == "die-once" and not os.path.exists(rest):
        open(rest, "w").close()
        os.kill(os.getpid(), signal.SIGSEGV)
    if word == "gate":
        open(rest + f".{os.getpid()}", "w").close()
        while not os.path.exists(rest):
            time.sleep(0.005)
    if word == "status":
        context.set_response_status(int(rest), "x")
    if word == "file":
        return open(rest).read(), "text/plain"
    if word == "environment":
        return "\\n".join(f"{k}={v}" for k, v in os.environ.items()), "text/plain"
    if word == "import":
        return str(__import__(rest).__file__), "text/plain"
    if word == "headers":
        context.set_response_header(0, "X-Amzn-SageMaker-Custom-Attributes", "trace=1")
    return str(os.getpid()), "text/plain"
"""


@pytest.fixture
def puppet(tmp_path: Path) -> Path:
    return tiny.script(tmp_path / "puppet", PUPPET)


async def say(endpoints: Endpoints, words: str, name: str = "endpoint", **more: Any) -> Answer:
    return await endpoints.invoke(name, words.encode(), content_type="text/plain", accept=None, **more)


def huge_pages_are_for_the_asking() -> bool:
    """As glibc does since 2.35."""
    mode = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    library, version = platform.libc_ver()
    known = library == "glibc" and tuple(map(int, version.split(".")[:2])) >= (2, 35)
    return known and mode.exists() and "[madvise]" in mode.read_text()


async def until(condition: Callable[[], bool], limit: float = 20.0) -> None:
    """Look again each turn; the test's own limit ends a wait that will not end."""
    async with asyncio.timeout(limit):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_model_is_deployed_and_asked(endpoints: Endpoints, puppet: Path) -> None:
    await endpoints.deploy(one(puppet))
    status = endpoints.status("endpoint")
    assert status is not None
    assert (status.state, status.failure_reason, status.replicas) == ("InService", "", 1)
    answer = await say(endpoints, "pid")
    assert (int(answer.body),) == status.variants[0].pids
    assert (answer.content_type, answer.variant) == ("text/plain", "AllTraffic")


async def test_onnx_and_script_answer_over_the_same_door(endpoints: Endpoints, tmp_path: Path) -> None:
    await endpoints.deploy(one(tiny.halves(tmp_path / "onnx")))
    answer = await endpoints.invoke("endpoint", b"[2, 4]", content_type="application/json", accept="text/csv")
    assert (answer.body, answer.content_type) == (b"1.0,2.0\n", "text/csv")


@pytest.mark.parametrize("accept", [None, "text/plain"])
async def test_a_large_body_arrives_whole(endpoints: Endpoints, tmp_path: Path, accept: str | None) -> None:
    await endpoints.deploy(one(tiny.script(tmp_path / "echo")))
    body = os.urandom(5_000_000)
    answer = await endpoints.invoke("endpoint", body, content_type="application/octet-stream", accept=accept)
    assert answer.body == body


async def test_custom_attributes_go_through(endpoints: Endpoints, puppet: Path) -> None:
    await endpoints.deploy(one(puppet))
    assert (await say(endpoints, "headers", custom_attributes="a=b")).custom_attributes == "trace=1"


async def test_an_unknown_endpoint_is_named(endpoints: Endpoints) -> None:
    with pytest.raises(ValidationError, match=r"^Endpoint nobody of account 000000000000 not found\.$"):
        await say(endpoints, "pid", name="nobody")


async def test_an_endpoint_that_is_being_created_is_not_found(endpoints: Endpoints, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    text = f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.01)\n" + tiny.ECHO
    task = asyncio.create_task(endpoints.deploy(one(tiny.script(tmp_path / "slow", text))))
    await until(lambda: endpoints.status("endpoint") is not None)
    with pytest.raises(ValidationError):
        await say(endpoints, "pid")
    assert endpoints.status("endpoint").state == "Creating"  # type: ignore[union-attr]
    gate.touch()
    await task
    assert (await say(endpoints, "hello")).body == b"hello"


@pytest.mark.parametrize(
    ("words", "status", "kind"), [("status 400", 400, "client"), ("status 503", 503, "server"), ("gate", 500, "server")]
)
async def test_the_models_error_is_a_model_error(
    endpoints: Endpoints, tmp_path: Path, words: str, status: int, kind: str
) -> None:
    text = PUPPET.replace('if word == "gate":', 'if word == "gate":\n        raise RuntimeError("no")')
    await endpoints.deploy(one(tiny.script(tmp_path / "package", text)))
    with pytest.raises(ModelError, match=rf"^Received {kind} error \({status}\) from primary with message") as error:
        await say(endpoints, words)
    assert error.value.status == 424
    assert error.value.members["OriginalStatusCode"] == status
    assert error.value.members["OriginalMessage"]
    assert error.value.members["LogStreamArn"].endswith(":log-group:/aws/sagemaker/Endpoints/endpoint")


async def test_a_long_error_is_kept_to_four_kilobytes(endpoints: Endpoints, tmp_path: Path) -> None:
    text = "def model_fn(d):\n    return 1\ndef input_fn(body, content_type):\n    raise ValueError('x' * 100_000)\n"
    await endpoints.deploy(one(tiny.script(tmp_path / "package", text)))
    with pytest.raises(ModelError) as error:
        await say(endpoints, "x")
    assert len(error.value.members["OriginalMessage"]) == 4096


@pytest.mark.parametrize(
    ("package", "reason"),
    [
        (lambda p: tiny.script(p, "def model_fn(d):\n    raise OSError('no weights')\n"), "no weights"),
        (lambda p: tiny.script(p, "import sys; sys.exit(3)\n"), "status 3"),
        (lambda p: tiny.script(p, tiny.ECHO, requirements__txt="/no/such/package\n"), "requirements.txt"),
        (lambda p: (p.mkdir(), (p / "model.onnx").write_bytes(b"x"), p)[-1], "model.onnx cannot be loaded"),
        (lambda p: (p.mkdir(), (p / "model.pkl").write_bytes(b"x"), p)[-1], "model.pkl is a pickle"),
    ],
    ids=["raises", "exits", "requirements", "onnx", "pickle"],
)
async def test_what_cannot_be_served_fails_with_its_reason(
    endpoints: Endpoints, tmp_path: Path, package: Callable[[Path], Path], reason: str
) -> None:
    with pytest.raises(CannotServe, match=reason):
        await endpoints.deploy(one(package(tmp_path / "package")))
    status = endpoints.status("endpoint")
    assert status is not None
    assert (status.state, status.replicas) == ("Failed", 0)
    assert reason in status.failure_reason


async def test_all_replicas_are_used(make_endpoints: Make, puppet: Path) -> None:
    endpoints = make_endpoints(replicas=3)
    await endpoints.deploy(one(puppet))
    answers = await asyncio.gather(*(say(endpoints, "pid") for _ in range(30)))
    assert len({answer.body for answer in answers}) == 3


async def test_instances_above_one_are_taken_as_they_stand(endpoints: Endpoints, puppet: Path) -> None:
    await endpoints.deploy(one(puppet, instances=2))
    assert endpoints.status("endpoint").replicas == 2  # type: ignore[union-attr]


async def test_weights_and_names_choose_the_variant(endpoints: Endpoints, tmp_path: Path, puppet: Path) -> None:
    variants = (VariantSpec("blue", puppet, weight=3.0), VariantSpec("green", puppet, weight=1.0))
    await endpoints.deploy(EndpointSpec("endpoint", variants))
    answered = [(await say(endpoints, "pid")).variant for _ in range(8)]
    assert (answered.count("blue"), answered.count("green")) == (6, 2)
    assert (await say(endpoints, "pid", target_variant="green")).variant == "green"
    with pytest.raises(ValidationError, match="Variant red not found"):
        await say(endpoints, "pid", target_variant="red")


async def test_who_asks_alone_finds_a_warm_replica(make_endpoints: Make, puppet: Path) -> None:
    endpoints = make_endpoints(replicas=3)
    await endpoints.deploy(one(puppet))
    assert len({(await say(endpoints, "pid")).body for _ in range(6)}) == 1


async def test_who_tries_again_finds_another_replica(make_endpoints: Make, puppet: Path) -> None:
    endpoints = make_endpoints(replicas=3)
    await endpoints.deploy(one(puppet))
    failed = (await say(endpoints, "pid")).body
    with pytest.raises(ModelError):
        await say(endpoints, "status 500")
    again = [(await say(endpoints, "pid")).body for _ in range(3)]
    assert len(set(again)) == 1
    assert failed not in again


async def test_a_killed_replica_comes_back(endpoints: Endpoints, puppet: Path) -> None:
    await endpoints.deploy(one(puppet))
    seen = set()
    for _ in range(5):
        pid = int((await say(endpoints, "pid")).body)
        seen.add(pid)
        # When it is killed between two requests, the next one is answered all the same
        os.kill(pid, signal.SIGKILL)
    await say(endpoints, "pid")
    assert len(seen) == 5
    assert endpoints.status("endpoint").variants[0].restarts >= 5  # type: ignore[union-attr]


async def test_a_request_whose_replica_dies_is_asked_again(endpoints: Endpoints, puppet: Path, tmp_path: Path) -> None:
    await endpoints.deploy(one(puppet))
    assert int((await say(endpoints, f"die-once {tmp_path / 'mark'}")).body)


async def test_a_request_that_kills_every_replica_is_a_model_error(endpoints: Endpoints, puppet: Path) -> None:
    await endpoints.deploy(one(puppet))
    with pytest.raises(ModelError, match="process ended") as error:
        await say(endpoints, "die")
    assert error.value.members["OriginalStatusCode"] == 500
    # Then the endpoint is there for others
    assert int((await say(endpoints, "pid")).body)


async def test_the_time_limit_frees_the_place(make_endpoints: Make, puppet: Path, tmp_path: Path) -> None:
    endpoints = make_endpoints(invocation=0.3)
    await endpoints.deploy(one(puppet))
    with pytest.raises(ModelError, match="timed out") as error:
        await say(endpoints, f"gate {tmp_path / 'never'}")
    assert error.value.members["OriginalStatusCode"] == 0
    await until(lambda: endpoints.status("endpoint").variants[0].restarts == 1)  # type: ignore[union-attr]
    await until(lambda: endpoints.status("endpoint").replicas == 1)  # type: ignore[union-attr]
    assert int((await say(endpoints, "pid")).body)


async def test_who_waits_too_long_is_told_to_come_again(make_endpoints: Make, puppet: Path, tmp_path: Path) -> None:
    endpoints = make_endpoints(invocation=0.5)
    await endpoints.deploy(one(puppet))
    first = asyncio.create_task(say(endpoints, f"gate {tmp_path / 'never'}"))
    await until(lambda: bool(list(tmp_path.glob("never.*"))))
    await asyncio.sleep(0)
    with pytest.raises(ServiceUnavailable, match="no replica free"):
        await asyncio.gather(say(endpoints, "pid"), return_exceptions=False)
    with pytest.raises(ModelError):
        await first


async def test_the_line_is_bounded(make_endpoints: Make, puppet: Path, tmp_path: Path) -> None:
    endpoints = make_endpoints(waiting=2)
    await endpoints.deploy(one(puppet))
    gate = tmp_path / "gate"
    tasks = [asyncio.create_task(say(endpoints, f"gate {gate}")) for _ in range(8)]
    # One is being answered, two wait, five are refused at once
    await until(lambda: sum(task.done() for task in tasks) == 5)
    gate.touch()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(outcome, ServiceUnavailable) for outcome in outcomes) == 5
    assert sum(isinstance(outcome, Answer) for outcome in outcomes) == 3


async def test_the_line_is_bounded_in_bytes(make_endpoints: Make, puppet: Path, tmp_path: Path) -> None:
    endpoints = make_endpoints(waiting_bytes=1000)
    await endpoints.deploy(one(puppet))
    gate = tmp_path / "gate"
    first = asyncio.create_task(say(endpoints, f"gate {gate}"))
    await until(lambda: bool(list(tmp_path.glob("gate.*"))))
    with pytest.raises(ServiceUnavailable):
        await say(endpoints, "pid " + "x" * 1000)
    gate.touch()
    await first


@pytest.mark.parametrize(("size", "fits"), [(0, True), (1000, True), (1001, False)])
async def test_the_size_limit_is_exact(make_endpoints: Make, tmp_path: Path, size: int, fits: bool) -> None:
    endpoints = make_endpoints(body=1000)
    await endpoints.deploy(one(tiny.script(tmp_path / "echo")))
    if fits:
        assert len((await say(endpoints, "x" * size)).body) == size
    else:
        with pytest.raises(RequestEntityTooLarge) as error:
            await say(endpoints, "x" * size)
        assert error.value.status == 413


async def test_an_answer_beyond_the_limit_is_an_error(make_endpoints: Make, tmp_path: Path) -> None:
    endpoints = make_endpoints(answer=1000)
    await endpoints.deploy(one(tiny.script(tmp_path / "echo")))
    with pytest.raises(ModelError, match="cannot be read"):
        await say(endpoints, "x" * 1001)
    assert (await say(endpoints, "y")).body == b"y"


async def test_a_caller_that_goes_away_does_not_cost_a_place(
    endpoints: Endpoints, puppet: Path, tmp_path: Path
) -> None:
    await endpoints.deploy(one(puppet))
    gate = tmp_path / "gate"
    first = asyncio.create_task(say(endpoints, f"gate {gate}"))
    await until(lambda: bool(list(tmp_path.glob("gate.*"))))
    second = asyncio.create_task(say(endpoints, "pid"))
    await asyncio.sleep(0)
    # When the one that is served and the one that waits both go away
    first.cancel()
    second.cancel()
    await asyncio.gather(first, second, return_exceptions=True)
    gate.touch()
    # Then the same replica answers the next one
    pid = endpoints.status("endpoint").variants[0].pids[0]  # type: ignore[union-attr]
    assert int((await say(endpoints, "pid")).body) == pid


async def test_an_update_under_load_loses_nothing(make_endpoints: Make, tmp_path: Path) -> None:
    # Given a load that never pauses
    endpoints = make_endpoints(replicas=2)
    versions = [
        tiny.script(tmp_path / f"v{n}", tiny.ECHO.replace("return body, accept", f"return 'v{n}', accept"))
        for n in range(4)
    ]
    await endpoints.deploy(one(versions[0]))
    answers: list[bytes] = []
    stop = False

    async def load() -> None:
        while not stop:
            answers.append((await say(endpoints, "x")).body)

    loads = [asyncio.create_task(load()) for _ in range(6)]
    # When the model is replaced three times
    for version in versions[1:]:
        await endpoints.deploy(one(version))
    await until(lambda: answers[-1] == b"v3")
    stop = True
    await asyncio.gather(*loads)
    # Then every request was answered, by one version or another
    assert set(answers) == {b"v0", b"v1", b"v2", b"v3"}
    assert (await say(endpoints, "x")).body == b"v3"


async def test_the_old_replicas_finish_and_end(endpoints: Endpoints, puppet: Path, tmp_path: Path) -> None:
    await endpoints.deploy(one(puppet))
    gate = tmp_path / "gate"
    held = asyncio.create_task(say(endpoints, f"gate {gate}"))
    await until(lambda: bool(list(tmp_path.glob("gate.*"))))
    await endpoints.deploy(one(puppet))
    new = int((await say(endpoints, "pid")).body)
    gate.touch()
    old = int((await held).body)
    assert old != new
    await until(lambda: not Path(f"/proc/{old}").exists())


async def test_a_failed_update_leaves_what_served(endpoints: Endpoints, puppet: Path, tmp_path: Path) -> None:
    await endpoints.deploy(one(puppet))
    with pytest.raises(CannotServe):
        await endpoints.deploy(one(tiny.script(tmp_path / "broken", "raise OSError('broken')\n")))
    status = endpoints.status("endpoint")
    assert status is not None
    assert status.state == "InService"
    assert "broken" in status.failure_reason
    assert int((await say(endpoints, "pid")).body)


async def test_a_removed_endpoint_answers_what_it_has_and_ends(
    endpoints: Endpoints, puppet: Path, tmp_path: Path
) -> None:
    await endpoints.deploy(one(puppet))
    gate = tmp_path / "gate"
    held = asyncio.create_task(say(endpoints, f"gate {gate}"))
    await until(lambda: bool(list(tmp_path.glob("gate.*"))))
    removed = asyncio.create_task(endpoints.remove("endpoint"))
    await until(lambda: endpoints.status("endpoint") is None)
    with pytest.raises(ValidationError):
        await say(endpoints, "pid")
    assert not removed.done()
    gate.touch()
    pid = int((await held).body)
    await removed
    assert not Path(f"/proc/{pid}").exists()


async def test_other_weights_or_counts_leave_the_replicas_of_the_other_variants(
    endpoints: Endpoints, puppet: Path
) -> None:
    def spec(share: float, instances: int) -> EndpointSpec:
        variants = (VariantSpec("a", puppet, weight=share), VariantSpec("b", puppet, instances=instances))
        return EndpointSpec("endpoint", variants)

    def pids(place: int) -> tuple[int, ...]:
        status = endpoints.status("endpoint")
        assert status is not None
        return status.variants[place].pids

    await endpoints.deploy(spec(1.0, 2))
    first, second = pids(0), pids(1)
    await endpoints.deploy(spec(0.0, 2), keep=True)
    assert (pids(0), pids(1)) == (first, second)
    assert {(await say(endpoints, "pid")).variant for _ in range(4)} == {"b"}
    await endpoints.deploy(spec(0.0, 3), keep=True)
    assert pids(0) == first
    assert len(pids(1)) == 3
    assert not set(pids(1)) & set(second)
    await until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in second))


async def test_closing_ends_every_child(make_endpoints: Make, puppet: Path) -> None:
    endpoints = make_endpoints(replicas=2)
    await endpoints.deploy(one(puppet))
    pids = endpoints.status("endpoint").variants[0].pids  # type: ignore[union-attr]
    await endpoints.close()
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


async def test_output_is_logged_to_the_endpoints_group(endpoints: Endpoints, puppet: Path) -> None:
    await endpoints.deploy(one(puppet))
    lines = endpoints.lines  # type: ignore[attr-defined]
    await until(lambda: any(line[3] == "loaded" for line in lines))
    assert lines[0][0] == "/aws/sagemaker/Endpoints/endpoint"
    assert lines[0][1].startswith("AllTraffic/")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_a_replica_has_few_rights_and_knows_no_secret(
    endpoints: Endpoints, puppet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("ALIGHT_ANYTHING", "secret")
    await endpoints.deploy(one(puppet, MINE="yes"))
    assert b"NoNewPrivs:\t1" in (await say(endpoints, "file /proc/self/status")).body
    limits = (await say(endpoints, "file /proc/self/limits")).body.decode()
    assert next(line for line in limits.splitlines() if line.startswith("Max core file size")).split()[4] == "0"
    assert "unlimited" not in next(line for line in limits.splitlines() if line.startswith("Max address space"))
    environment = (await say(endpoints, "environment")).body.decode()
    assert "secret" not in environment
    assert "MINE=yes" in environment


@pytest.mark.skipif(not huge_pages_are_for_the_asking(), reason="nobody gets them, or everybody")
async def test_a_replica_asks_for_huge_pages_unless_its_container_says_otherwise(
    endpoints: Endpoints, puppet: Path
) -> None:
    """`hg` is among the flags of a heap that asks."""
    for endpoint, asks in (one(puppet), True), (one(puppet, GLIBC_TUNABLES=""), False):
        await endpoints.deploy(endpoint)
        maps = (await say(endpoints, "file /proc/self/smaps")).body.decode()
        heap = maps[maps.index("[heap]") :]
        assert ("hg" in heap[heap.index("VmFlags:") :].splitlines()[0].split()) == asks


async def test_files_of_the_package_do_not_replace_modules(endpoints: Endpoints, puppet: Path) -> None:
    (puppet / "json.py").write_text("raise SystemExit('taken from the model folder')")
    await endpoints.deploy(one(puppet))
    assert b"/json/" in (await say(endpoints, "import json")).body


async def test_the_socket_is_the_owners_alone(endpoints: Endpoints, puppet: Path, tmp_path: Path) -> None:
    await endpoints.deploy(one(puppet))
    folder = endpoints._socket_folder()
    assert folder.stat().st_mode & 0o077 == 0
    assert [path.stat().st_mode & 0o077 for path in folder.iterdir()] == [0]


@pytest.mark.skipif(sys.platform != "linux", reason="the death signal is Linux's")
async def test_replicas_die_with_their_supervisor(tmp_path: Path, puppet: Path) -> None:
    # Given a supervisor in a process of its own
    program = textwrap.dedent(
        """
        import asyncio, sys
        from pathlib import Path
        from alight.clock import SystemClock
        from alight.endpoints.server import Endpoints
        from tests.unit.endpoints.conftest import one

        async def main():
            endpoints = Endpoints(folder=Path(sys.argv[1]), clock=SystemClock(), cores=2)
            await endpoints.deploy(one(Path(sys.argv[2])))
            print(*endpoints.status("endpoint").variants[0].pids, flush=True)
            await asyncio.sleep(600)

        asyncio.run(main())
        """
    )
    command = [sys.executable, "-c", program, str(tmp_path / "data"), str(puppet)]
    root = Path(__file__).resolve().parents[3]
    supervisor = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root)
    assert supervisor.stdout is not None
    pids = [int(word) for word in (await asyncio.to_thread(supervisor.stdout.readline)).split()]
    assert len(pids) == 2
    # When it is killed
    supervisor.kill()
    supervisor.wait()
    supervisor.stdout.close()
    # Then they are gone
    await until(lambda: not any(_runs(pid) for pid in pids))


def _runs(pid: int) -> bool:
    """Whether the process is there and no zombie that nobody reaps."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_requirements_get_an_environment_of_their_own(
    endpoints: Endpoints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a script that needs a package which nobody else has
    source = tmp_path / "source"
    source.mkdir()
    (source / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "tinybird"\nversion = "1"\n'
    )
    (source / "backend.py").write_text(BACKEND)
    text = tiny.ECHO + "\nimport tinybird, numpy\n" + "def predict_fn(body, model):\n    return tinybird.SONG\n"
    package = tiny.script(tmp_path / "package", text, requirements__txt=f"{source}\n")
    # When it is deployed
    await endpoints.deploy(one(package))
    # Then it has it, beside ours, and the environment is kept
    assert (await say(endpoints, "x")).body == b"tweet"
    began = time.monotonic()
    await endpoints.deploy(one(package))
    assert sum("Installing" in line[3] for line in endpoints.lines) == 1  # type: ignore[attr-defined]
    assert time.monotonic() - began < 30


#: A build backend that needs nothing, so that the test needs no network.
BACKEND = """
import zipfile

def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = "tinybird-1-py3-none-any.whl"
    with zipfile.ZipFile(f"{folder}/{name}", "w") as wheel:
        wheel.writestr("tinybird.py", "SONG = 'tweet'")
        info = "tinybird-1.dist-info"
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: tinybird\\nVersion: 1\\n")
        about = "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
        wheel.writestr(f"{info}/WHEEL", about)
        wheel.writestr(f"{info}/RECORD", "")
    return name
"""


FOREIGN = """
import os, socketserver, sys
from http.server import BaseHTTPRequestHandler

class Handler(BaseHTTPRequestHandler):
    protocol_version = sys.argv[2]

    def address_string(self):
        return "unix"

    def log_message(self, *words):
        pass

    def do_GET(self):
        self.answer(b"" if self.path == "/ping" else b"no")

    def do_POST(self):
        self.answer(self.path.encode() + b" " + self.rfile.read(int(self.headers["Content-Length"])))

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Type", "text/foreign")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

Server(sys.argv[1], Handler).serve_forever()
"""


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"], ids=["keeps-connections", "closes-them"])
async def test_a_foreign_server_plugs_in_by_command_line(endpoints: Endpoints, tmp_path: Path, version: str) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "server.py").write_text(FOREIGN)
    command = f"'{sys.executable}' '{{model}}/server.py' {{socket}} {version}"
    await endpoints.deploy(one(tmp_path / "package", ALIGHT_SERVER=command))
    for word in ("hello", "again"):
        answer = await say(endpoints, word)
        assert (answer.body, answer.content_type) == (f"/invocations {word}".encode(), "text/foreign")
    assert endpoints.status("endpoint").variants[0].restarts == 0  # type: ignore[union-attr]


ODD = """
import socket, sys, threading, time

def serve(connection):
    while True:
        head = connection.recv(65536)
        if not head:
            return
        if head.startswith(b"GET"):
            connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")
        elif sys.argv[2] == "garbage":
            connection.sendall(b"this is not HTTP at all\\r\\n\\r\\n")
        elif sys.argv[2] == "hang-up":
            connection.close()
            return
        elif sys.argv[2] == "dribble":
            connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 1000000\\r\\n\\r\\n")
            while True:
                connection.sendall(b"x")
                time.sleep(0.01)

listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""


@pytest.mark.parametrize(
    ("habit", "status", "reason"),
    [
        ("garbage", 500, "cannot be read: not HTTP"),
        ("hang-up", 500, "process ended"),
        ("dribble", 0, "timed out"),
        ("silent", 0, "timed out"),
    ],
)
async def test_a_server_of_bad_habits_is_a_model_error_and_is_replaced(
    make_endpoints: Make, tmp_path: Path, habit: str, status: int, reason: str
) -> None:
    endpoints = make_endpoints(invocation=10.0 if status else 1.0)
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "server.py").write_text(ODD)
    await endpoints.deploy(one(tmp_path / "package", ALIGHT_SERVER=f"{sys.executable} server.py {{socket}} {habit}"))
    with pytest.raises(ModelError, match=reason) as error:
        await say(endpoints, "x")
    assert error.value.members["OriginalStatusCode"] == status
    await until(lambda: endpoints.status("endpoint").variants[0].restarts >= 1)  # type: ignore[union-attr]
    await until(lambda: endpoints.status("endpoint").replicas == 1)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("command", "reason"), [("/no/such/server {socket}", "cannot be started"), ("'", "ALIGHT_SERVER")]
)
async def test_a_foreign_server_that_does_not_start_is_named(
    endpoints: Endpoints, tmp_path: Path, command: str, reason: str
) -> None:
    with pytest.raises(CannotServe, match=reason):
        await endpoints.deploy(one(tmp_path, ALIGHT_SERVER=command))


async def test_every_invocation_is_told_to_who_observes(tmp_path: Path, puppet: Path) -> None:
    seen: list[Invoked] = []
    endpoints = Endpoints(folder=tmp_path / "data", clock=SystemClock(), cores=1, observe=seen.append)
    await endpoints.deploy(one(puppet))
    await say(endpoints, "pid", request_id="r-1")
    for words in ("status 400", "die"):
        with pytest.raises(ModelError):
            await say(endpoints, words)
    await endpoints.close()
    assert [(call.request_id, call.status) for call in seen] == [("r-1", 200), ("", 400), ("", 500)]
    assert all(call.seconds > 0 and call.variant == "AllTraffic" for call in seen)


def test_the_loop_of_production_serves_as_well(tmp_path: Path, puppet: Path) -> None:
    async def life() -> None:
        endpoints = Endpoints(folder=tmp_path / "data", clock=SystemClock(), cores=2)
        await endpoints.deploy(one(puppet))
        answers = await asyncio.gather(*(say(endpoints, "pid") for _ in range(20)))
        pids = {int(answer.body) for answer in answers}
        assert len(pids) == 2
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        assert int((await say(endpoints, "pid")).body) not in pids
        with pytest.raises(ModelError):
            await say(endpoints, "die")
        with pytest.raises(CannotServe, match="no such script"):
            await endpoints.deploy(one(tiny.script(tmp_path / "broken", "raise OSError('no such script')")))
        await endpoints.deploy(one(puppet))
        await say(endpoints, "pid")
        await endpoints.close()

    uvloop.run(life())


async def test_nan_over_the_socket_is_a_model_error(endpoints: Endpoints, tmp_path: Path) -> None:
    await endpoints.deploy(one(tiny.halves(tmp_path / "package")))
    with pytest.raises(ModelError) as error:
        await endpoints.invoke("endpoint", b"[0, 1]", content_type="application/json", accept=None)
    assert error.value.members["OriginalStatusCode"] == 500
    assert "ModelOutputInvalid" in json.loads(error.value.members["OriginalMessage"])["error"]
