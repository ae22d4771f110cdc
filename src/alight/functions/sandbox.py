"""One worker: a process that has loaded one configuration of one function and takes its calls one after another.

`run` waits until the handler is loaded (the first time), hands over the call, and waits for the first of: an answer,
the process's end, the deadline, the memory limit, or `stop` from outside. Whichever comes first is the verdict.
Every verdict but an answer costs the process its life, with all that it started.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from alight.clock import Clock
from alight.functions import report
from alight.functions.command import Start, plan, program
from alight.functions.environment import private_variables, public_variables
from alight.functions.invocation import FunctionSpec, Invocation, Kind, Outcome
from alight.functions.memory import Cgroup, MemoryGuard, usage
from alight.functions.output import Output
from alight.functions.processes import ChildProcess, kill_marked
from alight.functions.runtime_api import Answer, RuntimeApi

#: Seconds that loading a handler may take where its own time limit is shorter (as in Lambda).
INIT_LIMIT = 10.0
#: Called with log group, stream, seconds since 1970, message, request id.
Log = Callable[[str, str, float, str, str], None]


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a phase ended. `status` and `error_type` go into the REPORT line; `reusable` keeps the worker."""

    kind: Kind
    payload: bytes = b""
    status: str = ""
    error_type: str = ""
    reusable: bool = True


class Sandbox:
    """See the module. `worker_id` is also the end of the log stream's name."""

    def __init__(self, spec: FunctionSpec, start: Start, clock: Clock, guard: MemoryGuard, log: Log) -> None:
        self.spec = spec
        self.worker_id = secrets.token_hex(16)
        self.current: Invocation | None = None
        self.started = clock.monotonic()
        self.stale = False
        self.stream = report.stream_name(clock.now(), spec.version, self.worker_id)
        self._start = start
        self._clock = clock
        self._guard = guard
        self._log = log
        self._api = RuntimeApi(self)
        self._verdict: asyncio.Future[Verdict | None] | None = None
        self._process: ChildProcess | None = None
        self._output: Output | None = None
        self._cgroup: Cgroup | None = None
        self._scratch = start.folder / "run" / self.worker_id
        self._no_process = ""
        self._ready = False
        self._peak_kib = 0
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
        if self._start.cgroup_parent:
            with contextlib.suppress(OSError):
                name = f"alight-{self.worker_id}"
                self._cgroup = Cgroup(self._start.cgroup_parent / name, self.spec.memory_mb)
        secret = private_variables(
            self.spec, api=address, credentials=credentials(self.spec, self.worker_id), endpoint_url=endpoint_url
        )
        public = public_variables(
            self.spec, stream=self.stream, scratch=self._scratch, interpreter=self._start.interpreter,
            runtime_dir=self._start.supplied,
        )  # fmt: skip
        self.started = self._clock.monotonic()
        if self._stopping:
            return
        try:
            self._process = ChildProcess(
                program(self.spec, self._start), environment=public, output=self._output.writer,
                on_exit=self._exited, plan=plan(self.spec, self._start, secret, self._cgroup),
            )  # fmt: skip
        except OSError as error:
            self._no_process = str(error)
        self._output.close_writer()

    async def run(self, invocation: Invocation) -> Outcome:
        """One call, from hand-over to REPORT line. Never raises for what the function does."""
        self.current = invocation
        self._guard.watch(self)
        init_ms, duration_ms = None, 0.0
        try:
            verdict = None
            if not self._ready:
                verdict = await self._load(invocation.request_id)
                init_ms = (self._clock.monotonic() - self.started) * 1000
            self._begin(invocation, verdict, init_ms)
            if verdict is None:
                began = self._clock.monotonic()
                verdict = await self._call(invocation)
                duration_ms = (self._clock.monotonic() - began) * 1000
            return await self._conclude(invocation, verdict, duration_ms, init_ms)
        finally:
            self._guard.leave(self)
            self.current = None

    async def stop(self) -> None:
        """Kill the worker and all it started, give back what it held. A call that runs ends as `killed`."""
        self._settle(self._killed())
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._dispose())
        await asyncio.shield(self._stopping)

    def measure(self) -> None:
        """Called by the guard while busy."""
        if self._cgroup or self._process is None or self._process.exited.is_set():
            return
        found = usage(self._process.pid)
        if found is None:
            return
        self._peak_kib = max(self._peak_kib, found.peak)
        if found.held > self.spec.memory_mb * 1024:
            self._process.kill()
            self._settle(self._out_of_memory())

    # What the child does, as the Runtime API tells.

    def on_ready(self) -> None:
        if not self._ready:
            self._settle(None)

    def on_answer(self, answer: Answer) -> None:
        if self._output:
            self._output.drain()
        self._settle(_judge(answer, self.current.request_id if self.current else ""))

    def on_init_error(self, payload: bytes) -> None:
        self._settle(Verdict("init", payload, "error", report.error_type_of(payload), reusable=False))

    def _exited(self) -> None:
        code = self._process.returncode if self._process else None
        if self._output:
            self._output.drain()
        if self._cgroup and self._cgroup.out_of_memory():
            self._settle(self._out_of_memory())
        kind: Kind = "crash" if self._ready else "init"
        document = report.exit_document(self._request_id, report.exit_reason(code or 0))
        self._settle(Verdict(kind, document, "error", "Runtime.ExitError", reusable=False))
        self.on_exit()

    @property
    def _request_id(self) -> str:
        return self.current.request_id if self.current else ""

    def _out_of_memory(self) -> Verdict:
        reason = "Runtime exited with error: signal: killed"
        document = report.exit_document(self._request_id, reason, "Runtime.OutOfMemory")
        return Verdict("oom", document, "error", "Runtime.OutOfMemory", reusable=False)

    def _killed(self) -> Verdict:
        document = report.exit_document(self._request_id, "Runtime exited with error: signal: killed")
        return Verdict("killed", document, "error", "Runtime.ExitError", reusable=False)

    def _timed_out(self) -> None:
        if self._process:
            self._process.kill()
        document = report.timeout_document(self._request_id, self.spec.timeout)
        self._settle(Verdict("timeout", document, "timeout", reusable=False))

    def _settle(self, verdict: Verdict | None) -> None:
        if self._verdict and not self._verdict.done():
            self._verdict.set_result(verdict)

    # The phases of `run`.

    async def _load(self, request_id: str) -> Verdict | None:
        """Wait until the handler is loaded; None when it is."""
        verdict = await self._wait(max(INIT_LIMIT, self.spec.timeout))
        self._ready = verdict is None
        return verdict

    async def _call(self, invocation: Invocation) -> Verdict:
        now = self._clock.now()
        headers = _headers(self.spec, invocation, deadline_ms=int((now + self.spec.timeout) * 1000))
        verdict = await self._wait(
            self.spec.timeout, lambda: self._api.offer(invocation.request_id, headers, invocation.payload)
        )
        self._api.withdraw()
        assert verdict is not None
        return verdict

    async def _wait(self, limit: float, begin: Callable[[], None] = lambda: None) -> Verdict | None:
        loop = asyncio.get_running_loop()
        self._verdict = loop.create_future()
        deadline = loop.call_later(limit, self._timed_out)
        try:
            if self._stopping:
                self._settle(self._killed())
            elif self._process is None:
                document = report.exit_document(self._request_id, self._no_process, "Runtime.InvalidEntrypoint")
                self._settle(Verdict("init", document, "error", "Runtime.InvalidEntrypoint", reusable=False))
            elif self._process.exited.is_set():
                self._exited()
            else:
                begin()
            return await self._verdict
        finally:
            deadline.cancel()
            self._verdict = None

    def _begin(self, invocation: Invocation, verdict: Verdict | None, init_ms: float | None) -> None:
        assert self._output is not None
        if verdict is not None:
            self._output.begin("")
            self._output.line(report.init_report_line(init_ms or 0.0, verdict.status, verdict.error_type))
        self._output.begin(invocation.request_id)
        self._output.line(report.start_line(invocation.request_id, self.spec.version))

    async def _conclude(
        self, invocation: Invocation, verdict: Verdict, duration_ms: float, init_ms: float | None
    ) -> Outcome:
        assert self._output is not None
        if verdict.kind == "timeout":
            # Lambda's figure is the limit itself, not the milliseconds that killing takes.
            duration_ms = self.spec.timeout * 1000 if self._ready else duration_ms
        elif self._process and not self._process.exited.is_set():
            self.measure()
        if not verdict.reusable:
            await self.stop()
        used = self._used_mb()
        closing = report.report_line(
            invocation.request_id, duration_ms=duration_ms, init_ms=init_ms, memory_mb=self.spec.memory_mb,
            used_mb=used, status=verdict.status, error_type=verdict.error_type,
        )  # fmt: skip
        tail = self._output.end(*self._reasons(invocation, verdict), report.end_line(invocation.request_id), closing)
        if self._stopping:
            self._output.close()
        return Outcome(
            payload=verdict.payload, function_error=None if verdict.kind == "ok" else "Unhandled", kind=verdict.kind,
            log_tail=tail, duration_ms=duration_ms, billed_ms=report.billed(duration_ms, init_ms), init_ms=init_ms,
            max_memory_mb=used, log_stream=self.stream, version=self.spec.version,
        )  # fmt: skip

    def _reasons(self, invocation: Invocation, verdict: Verdict) -> list[str]:
        """Lambda's lines on a call that did not come back."""
        if verdict.kind == "timeout":
            return [report.timeout_line(self._clock.now(), invocation.request_id, self.spec.timeout) + "\n"]
        if verdict.error_type in ("Runtime.ExitError", "Runtime.OutOfMemory"):
            return [f"{json.loads(verdict.payload)['errorMessage']}\nRuntime.ExitError"]
        return []

    def _used_mb(self) -> int:
        if self._cgroup:
            self._peak_kib = max(self._peak_kib, self._cgroup.peak_kib())
        return min(-(-self._peak_kib // 1024), self.spec.memory_mb)

    async def _dispose(self) -> None:
        self._api.close()
        if self._cgroup:
            self._cgroup.kill()
        if self._process:
            self._process.kill()
            await self._process.exited.wait()
        await asyncio.to_thread(self._clean)
        if self._output and self.current is None:
            self._output.close()

    def _clean(self) -> None:
        kill_marked(str(self._scratch))
        if self._cgroup:
            self._cgroup.remove()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _emit(self, message: str, request_id: str) -> None:
        self._log(self.spec.log_group, self.stream, self._clock.now(), message, request_id)


def _judge(answer: Answer, request_id: str) -> Verdict:
    """An answer is what the handler returned, if that can be an answer at all."""
    if answer.too_large:
        return Verdict("error", report.too_large_document(), reusable=False)
    if answer.error:
        return Verdict("error", answer.payload)
    problem = _unfit(answer)
    if problem:
        return Verdict("error", report.error_document("Runtime.MarshalError", problem, request_id))
    return Verdict("ok", answer.payload)


def _unfit(answer: Answer) -> str:
    """Why the answer is not JSON; only looked into where it may not be."""
    suspicious = b"NaN" in answer.payload or b"Infinity" in answer.payload
    if not suspicious and answer.content_type != "application/unknown":
        return ""
    try:
        json.loads(answer.payload, parse_constant=_refuse_constant)
    except ValueError as error:
        return f"Unable to marshal response: {error}"
    return ""


def _refuse_constant(name: str) -> None:
    raise ValueError(f"Out of range float values are not JSON compliant: {name}")


def _headers(spec: FunctionSpec, invocation: Invocation, *, deadline_ms: int) -> dict[str, str]:
    trace = invocation.trace_id or _trace_id(deadline_ms // 1000)
    headers = {
        "Content-Type": "application/json",
        "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
        "Lambda-Runtime-Deadline-Ms": str(deadline_ms),
        "Lambda-Runtime-Invoked-Function-Arn": spec.arn,
        "Lambda-Runtime-Trace-Id": trace,
    }
    if invocation.client_context:
        # One line of ASCII, whatever the caller's JSON looked like.
        with contextlib.suppress(ValueError):
            headers["Lambda-Runtime-Client-Context"] = json.dumps(json.loads(invocation.client_context))
    return headers


def _trace_id(second: int) -> str:
    return f"Root=1-{second:08x}-{secrets.token_hex(12)};Parent={secrets.token_hex(8)};Sampled=0"


def remove_leftovers(folder: Path) -> None:
    """At start: workers that outlived a killed runtime, and their scratch folders."""
    run = folder / "run"
    kill_marked(f"TMPDIR={run}/")
    shutil.rmtree(run, ignore_errors=True)
