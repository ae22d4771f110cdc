"""One worker: a process that has loaded one configuration of one function and takes its calls one after another.

`run` waits until the handler is loaded (the first time), hands over the call, and waits for the first of: an answer,
the process's end, the deadline, the memory limit, or `stop` from outside. Whichever comes first is the verdict.
Every verdict but an answer costs the process its life, with all that it started.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import secrets
import shutil
import socket
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from alight.clock import Clock
from alight.functions import report, verdict
from alight.functions.command import OPEN_FILES, Start, plan, program
from alight.functions.environment import private_variables, public_variables
from alight.functions.hatch import Hatch, open_hatch
from alight.functions.invocation import FunctionSpec, Invocation, Outcome
from alight.functions.memory import MemoryGuard, Meter
from alight.functions.output import Output
from alight.functions.processes import ChildProcess, kill_marked
from alight.functions.runtime_api import Answer, RuntimeApi
from alight.functions.verdict import Verdict

#: Seconds that loading a handler may take where its own time limit is shorter (as in Lambda).
INIT_LIMIT = 10.0
#: Called with log group, stream, the time (seconds since 1970), messages, request id.
Log = Callable[[str, str, float, Sequence[str], str], None]


class Sandbox:
    """See the module. `worker_id` is also the end of the log stream's name."""

    def __init__(self, spec: FunctionSpec, start: Start, clock: Clock, guard: MemoryGuard, log: Log) -> None:
        self.spec = spec
        self.worker_id = secrets.token_hex(16)
        self.current: Invocation | None = None
        #: The present call, or the last one: what the worker still does after its answer belongs to it.
        self.latest: Invocation | None = None
        self.started = clock.monotonic()
        self.stale = False
        self.stream = report.stream_name(clock.now(), spec.version, self.worker_id)
        self._start = start
        self._clock = clock
        self._guard = guard
        self._log = log
        self._api = RuntimeApi(self)
        self._hatch: Hatch | None = None
        self._verdict: asyncio.Future[Verdict | None] | None = None
        self._process: ChildProcess | None = None
        self._output: Output | None = None
        self._meter = Meter(spec.memory_mb, clock)
        self._scratch = start.folder / "run" / self.worker_id
        self._no_process = start.refusal
        self._ready = False
        self._stopping: asyncio.Task[None] | None = None
        #: Set once the process has ended, whatever the reason.
        self.on_exit: Callable[[], None] = lambda: None

    @property
    def alive(self) -> bool:
        """Whether it can take a call."""
        running = self._process is None or not self._process.exited.is_set()
        return running and self._stopping is None and not self.stale

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    async def launch(self, credentials: Callable[[FunctionSpec, str], Mapping[str, str]], endpoint_url: str) -> None:
        """Start the process. Where that is not possible the first call says so."""
        self._scratch.mkdir(parents=True, mode=0o700)
        address = await self._api.open()
        self._output = Output(self._emit)
        self._output.line(report.init_start_line(self._start.runtime_version))
        self._meter.open_cgroup(self._start.cgroup_parent, f"alight-{self.worker_id}")
        secret = private_variables(
            self.spec, api=address, credentials=credentials(self.spec, self.worker_id), endpoint_url=endpoint_url
        )
        public = public_variables(
            self.spec, stream=self.stream, scratch=self._scratch, interpreter=self._start.interpreter,
            runtime_dir=self._start.supplied,
        )  # fmt: skip
        self._hatch, theirs = await _hatch_for(self._start, secret)
        self.started = self._clock.monotonic()
        if self._stopping:
            return
        try:
            if self._no_process:
                return
            told = plan(self.spec, self._start, secret, self._meter.cgroup, self._scratch, theirs)
            self._process = ChildProcess(
                program(self.spec, self._start), environment=public, output=self._output.writer,
                on_exit=self._exited, plan=told, inherited=theirs,
            )  # fmt: skip
        except OSError as error:
            self._no_process = str(error)
        finally:
            self._output.close_writer()
            _close(theirs)

    async def run(self, invocation: Invocation) -> Outcome:
        """One call, from hand-over to REPORT line. Never raises for what the function does."""
        self.current, self.latest = invocation, invocation.bare()
        self._guard.watch(self)
        init_ms, duration_ms = None, 0.0
        try:
            ended = None
            if not self._ready:
                ended = await self._load(invocation.request_id)
                init_ms = (self._clock.monotonic() - self.started) * 1000
            self._begin(invocation, ended, init_ms)
            if ended is None:
                began = self._clock.monotonic()
                ended = await self._call(invocation)
                duration_ms = (self._clock.monotonic() - began) * 1000
            return await self._conclude(invocation, ended, duration_ms, init_ms)
        finally:
            self._guard.leave(self)
            self.current = None
            if self._stopping and self._output:
                self._output.close()

    async def stop(self) -> None:
        """Kill the worker and all it started, give back what it held. A call that runs ends as `killed`."""
        self._settle(verdict.killed(self._request_id))
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._dispose())
        await asyncio.shield(self._stopping)

    def measure(self) -> None:
        """Called by the guard while busy."""
        if not self._look() and self._process:
            self._process.kill()
            self._settle(verdict.out_of_memory(self._request_id))

    def _look(self) -> bool:
        """Take the measure of the process; False where it holds more memory than it may."""
        if self._process is None or self._process.exited.is_set():
            return True
        within = self._meter.look(self._process.pid)
        self.stale = self.stale or self._meter.descriptors >= OPEN_FILES
        return within

    # What the child does, as the Runtime API tells.

    def on_ready(self) -> None:
        if not self._ready:
            self._settle(None)

    def on_answer(self, answer: Answer) -> None:
        if self._output:
            self._output.drain()
        self._settle(verdict.judge(answer, self._request_id))

    def on_init_error(self, payload: bytes) -> None:
        self._settle(verdict.not_loaded(payload))

    def _exited(self) -> None:
        code = self._process.returncode if self._process else None
        if self._output:
            self._output.drain()
        if self._meter.killed:
            self._settle(verdict.out_of_memory(self._request_id))
        self._settle(verdict.exited(self._request_id, code or 0, loaded=self._ready))
        self.on_exit()

    @property
    def _request_id(self) -> str:
        return self.current.request_id if self.current else ""

    def _timed_out(self) -> None:
        if self._process:
            self._process.kill()
        self._settle(verdict.timed_out(self._request_id, self.spec.timeout))

    def _settle(self, verdict: Verdict | None) -> None:
        if self._verdict and not self._verdict.done():
            self._verdict.set_result(verdict)

    # The phases of `run`.

    async def _load(self, request_id: str) -> Verdict | None:
        """Wait until the handler is loaded; None when it is."""
        ended = await self._wait(max(INIT_LIMIT, self.spec.timeout))
        self._ready = ended is None
        return ended

    async def _call(self, invocation: Invocation) -> Verdict:
        now = self._clock.now()
        headers = _headers(self.spec, invocation, deadline_ms=int((now + self.spec.timeout) * 1000))
        ended = await self._wait(
            self.spec.timeout, lambda: self._api.offer(invocation.request_id, headers, invocation.payload)
        )
        self._api.withdraw()
        assert ended is not None
        return ended

    async def _wait(self, limit: float, begin: Callable[[], None] = lambda: None) -> Verdict | None:
        loop = asyncio.get_running_loop()
        self._verdict = loop.create_future()
        deadline = loop.call_later(limit, self._timed_out)
        try:
            if self._stopping:
                self._settle(verdict.killed(self._request_id))
            elif self._process is None:
                self._settle(verdict.not_started(self._request_id, self._no_process))
            elif self._process.exited.is_set():
                self._exited()
            else:
                begin()
            return await self._verdict
        finally:
            deadline.cancel()
            self._verdict = None

    def _begin(self, invocation: Invocation, ended: Verdict | None, init_ms: float | None) -> None:
        assert self._output is not None
        if ended is not None:
            self._output.begin("")
            self._output.line(report.init_report_line(init_ms or 0.0, ended.status, ended.error_type))
        self._output.begin(invocation.request_id)
        self._output.line(report.start_line(invocation.request_id, self.spec.version))

    async def _conclude(
        self, invocation: Invocation, ended: Verdict, duration_ms: float, init_ms: float | None
    ) -> Outcome:
        assert self._output is not None
        if ended.kind == "timeout":
            # Lambda's figure is the limit itself, not the milliseconds that killing takes.
            duration_ms = self.spec.timeout * 1000 if self._ready else duration_ms
        elif ended.reusable and (init_ms or self._meter.outdated):
            # Too late to take the answer back, but the next call gets a worker that is within its limits.
            self.stale = not self._look() or self.stale
        if not ended.reusable:
            await self._end_process()
        used = self._meter.used_mb()
        closing = report.report_line(
            invocation.request_id, duration_ms=duration_ms, init_ms=init_ms, memory_mb=self.spec.memory_mb,
            used_mb=used, status=ended.status, error_type=ended.error_type,
        )  # fmt: skip
        tail = self._output.end(*self._reasons(invocation, ended), report.end_line(invocation.request_id), closing)
        return Outcome(
            payload=ended.payload, function_error=None if ended.kind == "ok" else "Unhandled", kind=ended.kind,
            log_tail=tail, duration_ms=duration_ms, billed_ms=report.billed(duration_ms, init_ms), init_ms=init_ms,
            max_memory_mb=used, log_stream=self.stream, version=self.spec.version,
        )  # fmt: skip

    def _reasons(self, invocation: Invocation, ended: Verdict) -> list[str]:
        """Lambda's lines on a call that did not come back."""
        if ended.kind == "timeout":
            return [report.timeout_line(self._clock.now(), invocation.request_id, self.spec.timeout) + "\n"]
        if ended.error_type in ("Runtime.ExitError", "Runtime.OutOfMemory"):
            return [f"{json.loads(ended.payload)['errorMessage']}\nRuntime.ExitError"]
        return []

    async def _end_process(self) -> None:
        self.stale = True
        if self._meter.cgroup:
            self._meter.cgroup.kill()
        if self._process:
            self._process.kill()
            await self._process.exited.wait()

    async def _dispose(self) -> None:
        _close(self._api, self._hatch)
        await self._end_process()
        await asyncio.to_thread(self._clean)
        if self._output and self.current is None:
            self._output.close()

    def _clean(self) -> None:
        kill_marked(str(self._scratch))
        if self._meter.cgroup:
            self._meter.cgroup.remove()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _emit(self, messages: Sequence[str], request_id: str) -> None:
        self._log(self.spec.log_group, self.stream, self._clock.now(), messages, request_id)


async def _hatch_for(start: Start, secret: Mapping[str, str]) -> tuple[Hatch, socket.socket] | tuple[None, None]:
    """Both ends, where the worker's boto3 takes the short way home; a function may ask somebody else."""
    if start.calls is None or not start.quick_boto3 or start.child == "executable" or "AWS_ENDPOINT_URL" not in secret:
        return None, None
    return await open_hatch(partial(start.calls, secret["AWS_ACCESS_KEY_ID"], secret["AWS_SESSION_TOKEN"]))


def _close(*doors: RuntimeApi | Hatch | socket.socket | None) -> None:
    for door in doors:
        if door is not None:
            door.close()


def _headers(spec: FunctionSpec, invocation: Invocation, *, deadline_ms: int) -> dict[str, str]:
    trace = invocation.trace_id or _trace_id(deadline_ms // 1000)
    headers = {
        "Content-Type": "application/json",
        "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
        "Lambda-Runtime-Deadline-Ms": str(deadline_ms),
        "Lambda-Runtime-Invoked-Function-Arn": invocation.function_arn or spec.arn,
        "Lambda-Runtime-Trace-Id": trace,
    }
    if invocation.client_context:
        # One line of ASCII, whatever the caller's JSON looked like.
        with contextlib.suppress(ValueError):
            headers["Lambda-Runtime-Client-Context"] = json.dumps(json.loads(invocation.client_context))
    return headers


def _trace_id(second: int) -> str:
    # It is told to everybody, and has only to be another each time.
    drawn = f"{random.getrandbits(160):040x}"
    return f"Root=1-{second:08x}-{drawn[:24]};Parent={drawn[24:]};Sampled=0"


def remove_leftovers(folder: Path) -> None:
    """At start: workers that outlived a killed runtime, and their scratch folders."""
    run = folder / "run"
    kill_marked(f"TMPDIR={run}/")
    shutil.rmtree(run, ignore_errors=True)
