"""One replica as its supervisor sees it: started, pinged until it answers, asked, ended.

The child gets a folder of its own, for its socket and whatever it wants to keep there while it runs, and a clean
environment: nothing of ours but what a process needs to run, then the container's own `Environment`. It starts behind
the fence, which lets it read its model and write its folder. What it prints goes line by line to whoever collects logs,
and its last lines are kept: they are the reason where it cannot serve.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from alight.endpoints.client import BadAnswer, Connection, ReplicaGone, connect
from alight.endpoints.contract import AT_ONCE, CANNOT_SERVE, CannotServe
from alight.fence.tiers import NONE, RAISING, Tier, home_of, own_places
from alight.quiet import NO_TELEMETRY

LogLine = Callable[[str], None]
#: The name of its socket in its folder.
SOCKET = "s"
#: Seconds between two pings of a replica that starts.
POLL = 0.02
#: Seconds that the output of an ended replica is still read.
LAST_WORDS = 1.0
#: Whether a child can be looked at without the loop's hearing of it, and how.
_CAN_LOOK = hasattr(os, "waitid")
_HAS_ENDED = os.WEXITED | os.WNOHANG | os.WNOWAIT if _CAN_LOOK else 0
#: PYTHONPATH, since Alight itself may be found by it (`pip install --target`).
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "PYTHONPATH")

#: glibc asks for huge pages for its heap, where the system gives them to those who ask. A model's numbers and pictures
#: lie on thousands of small ones otherwise, and to find them there takes a tenth of the processor's time.
_HEAP = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}


@dataclass(frozen=True, slots=True)
class Launch:
    """What every start of a replica needs; `command` is a foreign server's, with `{socket}` and `{model}` in it."""

    python: Path
    model_dir: Path
    environment: Mapping[str, str]
    log: LogLine
    start_limit: float
    max_answer: int
    command: tuple[str, ...] = ()
    fence: Tier = NONE


class ReplicaProcess:
    """A running child and the connection to it. Made by `start`."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path, launch: Launch) -> None:
        self._process = process
        self._folder = folder
        self._launch = launch
        self._last_lines: deque[str] = deque(maxlen=20)
        self._readers = [asyncio.create_task(self._read(stream)) for stream in (process.stdout, process.stderr)]
        self._connection: Connection | None = None
        self._connecting = asyncio.Lock()
        self.at_once = 1

    @classmethod
    async def start(cls, folder: Path, launch: Launch) -> ReplicaProcess:
        """Start a child in a folder of its own, wait for its ping. Raises `CannotServe`; then no child is left."""
        await asyncio.to_thread(_empty, folder)
        spawning = asyncio.create_task(_spawn(folder, launch))
        try:
            process = await asyncio.shield(spawning)
        except asyncio.CancelledError:  # between the fork and our knowledge of it
            await cls(await spawning, folder, launch).stop()
            raise
        made = cls(process, folder, launch)
        try:
            async with asyncio.timeout(launch.start_limit):
                await made._wait_for_ping()
        except TimeoutError:
            await made.stop()
            raise CannotServe(f"it did not answer a ping in {launch.start_limit:g} seconds") from None
        except BaseException:
            await made.stop()
            raise
        return made

    @property
    def pid(self) -> int:
        return self._process.pid

    async def ended(self) -> str:
        """Wait for the end of the process; returns how it ended."""
        code = await self._process.wait()
        return f"signal {-code}" if code < 0 else f"exit status {code}"

    def kill(self) -> None:
        """End the child and whatever it started, now."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    async def connected(self) -> Connection:
        """The connection; a new one where the replica closed the last. Raises `ReplicaGone`."""
        async with self._connecting:
            if self.connection is None:
                try:
                    self._connection = await connect(self._folder / SOCKET, self._launch.max_answer)
                except OSError:
                    raise ReplicaGone from None
            assert self._connection is not None
            return self._connection

    @property
    def connection(self) -> Connection | None:
        """The one that is there, if it is."""
        return None if self._connection is None or self._connection.lost.done() else self._connection

    def alive(self) -> bool:
        """Whether the child has not ended, looked at now and not when the loop comes to hear of it."""
        if not _CAN_LOOK:
            return self._process.returncode is None
        try:
            return os.waitid(os.P_PID, self._process.pid, _HAS_ENDED) is None
        except ChildProcessError:
            return False

    async def stop(self) -> None:
        """Kill, and clear up after it; a caller that is cancelled meanwhile is cancelled when that is done."""
        clearing = asyncio.create_task(self._clear())
        try:
            await asyncio.shield(clearing)
        except asyncio.CancelledError:
            await clearing
            raise

    async def _clear(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self.kill()
        await self._process.wait()
        _, open_still = await asyncio.wait(self._readers, timeout=LAST_WORDS)
        for reader in open_still:  # something that it started holds the pipe
            reader.cancel()
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    async def _wait_for_ping(self) -> None:
        while True:
            if self._process.returncode is not None:
                await asyncio.wait(self._readers, timeout=LAST_WORDS)
                raise CannotServe(self._reason())
            with contextlib.suppress(ReplicaGone, BadAnswer):
                pong = await (await self.connected()).ask("GET", "/ping")
                if pong.status == 200:
                    self.at_once = max(1, int(pong.headers.get(AT_ONCE.lower(), 1)))
                    return
            await asyncio.sleep(POLL)

    def _reason(self) -> str:
        last = self._last_lines[-1] if self._last_lines else "it printed nothing"
        if self._process.returncode == CANNOT_SERVE:
            return last
        return f"it ended with status {self._process.returncode}; its last line: {last}"

    async def _read(self, stream: asyncio.StreamReader | None) -> None:
        if stream is None:
            return
        while True:
            try:
                line = await stream.readline()
            except ValueError:  # a line beyond the buffer's limit: go on behind it
                continue
            if not line:
                return
            text = line.decode("utf-8", "replace").rstrip("\n")
            self._last_lines.append(text)
            self._launch.log(text)


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)


def _foreign(socket: Path, launch: Launch) -> list[str]:
    places = {"{socket}": str(socket), "{model}": str(launch.model_dir)}
    words = list(launch.command)
    for place, path in places.items():
        words = [word.replace(place, path) for word in words]
    return ["--exec", *words] if words else []


async def _spawn(folder: Path, launch: Launch) -> asyncio.subprocess.Process:
    socket = folder / SOCKET
    return await asyncio.create_subprocess_exec(
        *_behind_fence(folder, launch),
        str(launch.python),
        *("-P", "-m", "alight.endpoints.replica"),
        *("--socket", str(socket), "--model", str(launch.model_dir), "--parent", str(os.getpid())),
        *_foreign(socket, launch),
        env={"TMPDIR": str(folder), "HOME": str(folder), **child_environment(launch)},
        cwd=launch.model_dir,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )


def _behind_fence(folder: Path, launch: Launch) -> list[str]:
    """The program that puts up the fence, then becomes what follows."""
    own = [launch.model_dir, launch.python.parent.parent, home_of(launch.python), *own_places()]
    plan = launch.fence.plan(read=own, scratch=folder)
    return [sys.executable, "-I", "-S", str(RAISING), json.dumps(plan)] if plan else []


def child_environment(launch: Launch) -> dict[str, str]:
    """What the child may see; the container's own values win."""
    base = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {
        **base,
        **NO_TELEMETRY,
        **_HEAP,
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
        "SM_MODEL_DIR": str(launch.model_dir),
        **launch.environment,
    }
