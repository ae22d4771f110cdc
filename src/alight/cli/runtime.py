"""The runtime's process, `python -m alight.app`: its command line, and its life as somebody's child."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

from alight.errors import AlightError

READY = "Alight ready at "
#: Seconds from SIGTERM until the process is killed.
GRACE = 15.0


def command_line(
    template: Path | None, host: str | None, port: int | None, data: Path | None, *further: str
) -> list[str]:
    """How to start the runtime; what is None is left to `alight.toml` and `ALIGHT_*`. With -P: a `yaml.py` in the
    folder where somebody starts it is none of the runtime's libraries."""
    given = {"--template": template, "--host": host, "--port": port, "--data": data}
    flags = [word for name, value in given.items() if value is not None for word in (name, str(value))]
    return [sys.executable, "-P", "-m", "alight.app", *flags, *further]


class Runtime:
    """A runtime started for the length of one command. Use as a context manager: leaving it stops the process."""

    def __init__(self, command: list[str], log: Path) -> None:
        self.command = command
        self.log = log
        self.url = ""
        self._process: subprocess.Popen[str] | None = None
        self._ready = threading.Event()

    def __enter__(self) -> Runtime:
        with self.log.open("ab") as stderr:
            self._process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr, text=True
            )
        assert self._process.stdout is not None
        threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def wait_ready(self, seconds: float) -> str:
        """The address, as soon as the runtime serves. Raises `AlightError` with its last words where it does not."""
        answered = self._ready.wait(seconds)
        if self.url:
            return self.url
        what = "stopped before it was ready" if answered else f"was not ready in {seconds:.0f} s"
        raise AlightError(f"Alight {what}.", self.last_words())

    def last_words(self) -> str:
        """The last thing that the runtime wrote to stderr: one line, with those indented under it."""
        lines = self.log.read_text(errors="replace").rstrip().splitlines()
        start = max((number for number, line in enumerate(lines) if line[:1].strip()), default=0)
        return " ".join(line.strip() for line in lines[start:]) or "It said nothing."

    def has_stopped(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def stop(self) -> None:
        """SIGTERM, and SIGKILL where that is not enough."""
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _read(self, stdout: IO[str]) -> None:
        with stdout:
            for line in stdout:
                if line.startswith(READY):
                    self.url = line.removeprefix(READY).strip()
                    self._ready.set()
        self._ready.set()
