"""A peer's server: a process with its own group, asked until it answers, ended with all that it began."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 60


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def server(
    command: Sequence[str | Path],
    log: Path,
    answers: Callable[[], bool],
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Iterator[int]:
    """Its process id, once it `answers`. What it says stands in `log`."""
    quiet = {"ORT_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}
    paths = quiet | {"PATH": f"{Path(command[0]).parent}:/usr/bin:/bin", "HOME": str(log.parent)}
    with log.open("w") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, cwd=cwd or log.parent, start_new_session=True, env=paths | dict(env or {})
        )
    try:
        deadline = time.monotonic() + PATIENCE
        while not answers():
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError(f"{Path(command[0]).name} does not answer: {log.read_text()[-1500:]}")
            time.sleep(0.05)
        yield process.pid
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def heard(url: str) -> Callable[[], bool]:
    """Whether anything but an error of the server comes from there."""

    def ask() -> bool:
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except urllib.error.HTTPError as error:
            return error.code < 500
        except OSError:
            return False
        return True

    return ask


def connected(port: int) -> Callable[[], bool]:
    """Whether somebody listens."""

    def ask() -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            return False
        return True

    return ask
