"""What tests of several rooms share: a real `alight up` as a child process, and the system tools they may need."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import SystemRandom
from typing import Any

import boto3
from botocore.config import Config

from alight import cli
from alight.cli.env import variables
from tests.translations import hand_over, take_over

READY = "Alight ready at "
BIN = Path(sys.executable).parent
#: Settings that would change what a test sees, keys that must never leave the machine, and what would make every
#: process compile the package anew.
STRANGERS = ("ALIGHT_", "AWS_", "PYTHONDONTWRITEBYTECODE")
#: Held by whoever has turned this process's output into a command's answer.
ASKING = threading.Lock()


def clean_environment(**more: str) -> dict[str, str]:
    """This process's environment without anybody's AWS or Alight settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(STRANGERS)}
    return kept | {"AWS_EC2_METADATA_DISABLED": "true", "PYTHONWARNINGS": "default"} | more


@dataclass
class Instance:
    """One running Alight: its process, address, folder and keys."""

    process: subprocess.Popen[str]
    url: str
    data: Path
    stderr: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    def client(self, service: str, **config: Any) -> Any:
        """A boto3 client that signs with this instance's root key."""
        return boto3.client(  # type: ignore[call-overload, unused-ignore]
            service,
            endpoint_url=self.variables["AWS_ENDPOINT_URL"],
            aws_access_key_id=self.variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.variables["AWS_SECRET_ACCESS_KEY"],
            region_name=self.variables["AWS_DEFAULT_REGION"],
            config=Config(**({"retries": {"total_max_attempts": 1}} | config)),
        )

    def alight(self, *words: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run `alight WORDS --data ...` and return what it printed."""
        return run_alight(*words, "--data", str(self.data), timeout=timeout)

    def json(self, *words: str) -> Any:
        """What `alight WORDS --json` answers; raises where it fails. It is asked in this process, without the start of
        another, since many tests ask again and again."""
        out, err = io.StringIO(), io.StringIO()
        with ASKING, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = cli.main([*words, "--data", str(self.data), "--json"])
        if code:
            raise AssertionError(f"alight {' '.join(words)}: exit {code}: {err.getvalue()}")
        return json.loads(out.getvalue())

    def kill(self) -> None:
        """`kill -9` of the runtime, as a power cut of the process."""
        self.process.kill()
        self.process.wait()

    def stop(self, grace: float = 20) -> int:
        """SIGTERM, as a user's Ctrl-C or an init system does it. Returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(grace)
            except subprocess.TimeoutExpired:
                sweep(self.process)
                raise AssertionError(f"Alight did not stop in {grace} s: {self.stderr.read_text()[-2000:]}") from None
        return self.process.returncode


def invoke(functions: Any, **given: Any) -> dict[str, Any]:
    """Invoke through boto3 and read the whole answer, so that no connection is left open; `Payload` is bytes."""
    answer = functions.invoke(**given)
    return {**answer, "Payload": answer["Payload"].read()}


#: The fixture `start`: `start(template=None, data=None, port=0, **environment)`.
Start = Callable[..., Instance]


def run_alight(*words: str, timeout: float = 60, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(BIN / "alight"), *words],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=clean_environment(**environment),
        stdin=subprocess.DEVNULL,
    )


def start_alight(
    data: Path,
    template: Path | None = None,
    *,
    timeout: float = 30,
    port: int = 0,
    before: Sequence[str] = (),
    **environment: str,
) -> Instance:
    """`alight up` on `data`, in a session of its own; returns once it has said that it is ready.

    `before` is a command that runs the runtime's process itself, as `strace` does.
    """
    data.parent.mkdir(parents=True, exist_ok=True)
    if template:
        hand_over(data)
    stderr = data.parent / f"{data.name}.stderr"
    flags = ["--port", str(port), "--data", str(data)]
    command = [str(BIN / "alight"), "up", *([str(template)] if template else []), *flags]
    if before:
        command = [*before, sys.executable, "-m", "alight.app", *flags]
    with stderr.open("a") as log:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=log,
            stdin=subprocess.DEVNULL,
            text=True,
            env=clean_environment(**environment),
            start_new_session=True,
        )
    try:
        url = _wait_ready(process, timeout)
        take_over(data)
        return Instance(process, url, data, stderr, variables(data))
    except BaseException as error:
        sweep(process)
        error.add_note(f"stderr of alight up:\n{stderr.read_text()[-4000:]}")
        raise


def _wait_ready(process: subprocess.Popen[str], timeout: float) -> str:
    """The address in the ready line. The rest of stdout is drained by a thread, so that it never blocks."""
    assert process.stdout is not None
    stdout = process.stdout
    lines: list[str] = []
    ready = threading.Event()

    def read() -> None:
        for line in stdout:
            lines.append(line)
            if line.startswith(READY):
                ready.set()
        ready.set()

    threading.Thread(target=read, daemon=True).start()
    if not ready.wait(timeout):
        raise AssertionError(f"Alight was not ready in {timeout} s")
    for line in lines:
        if line.startswith(READY):
            return line.removeprefix(READY).strip()
    raise AssertionError(f"Alight stopped before it was ready: {''.join(lines)}")


def steady_port() -> int:
    """A free port to come back to: below those that the system hands out. Whoever listens on one of those and goes for
    a moment may find it taken, by a client of anybody's, or by his own that came back too soon and met itself."""
    while True:
        with socket.socket() as listener:
            # Not of the seeds that some tests give to `random`.
            port = SystemRandom().randrange(20_000, 32_000)
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def sweep(process: subprocess.Popen[str]) -> None:
    """End a child and whatever it left in its session, by its own id."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout:
        process.stdout.close()


def eventually(condition: Callable[[], Any], timeout: float = 30, what: str = "it") -> Any:
    """Poll until `condition` gives something true, and return that."""
    deadline = time.monotonic() + timeout
    while True:
        if value := condition():
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen in {timeout} s")
        time.sleep(0.01)


@cache
def find_tool(name: str) -> str | None:
    """Where a tool is: `aws` is version 1 of this environment, `aws2` the system's version 2, others as on PATH."""
    if name == "aws":
        return str(BIN / "aws") if (BIN / "aws").exists() else None
    if name == "aws2":
        return next((path for path in ("/usr/bin/aws", "/usr/local/bin/aws") if _is_version_2(path)), None)
    return shutil.which(name)


def _is_version_2(path: str) -> bool:
    if not os.path.exists(path):
        return False
    answer = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=60, env=clean_environment())
    return answer.stdout.startswith("aws-cli/2")
