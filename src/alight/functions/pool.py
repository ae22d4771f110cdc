"""All workers: who runs, who waits, what stays warm, what has to go.

A call takes a slot, then a warm worker of exactly its configuration or a new one. After the call the worker waits
for more until it has been idle for `idle_timeout`. Calls belong to the pool once they have begun: a caller that goes
away does not stop the function, as in Lambda.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Literal

from alight.clock import Clock
from alight.fence.tiers import NONE, Tier
from alight.functions.binaries import Misfit, entries_of, misfits, site_packages
from alight.functions.bytecode import Bytecode
from alight.functions.command import Start, choose_child
from alight.functions.hatch import Calls
from alight.functions.interpreters import Interpreter, Interpreters
from alight.functions.invocation import FunctionSpec, Invocation, Kind, Outcome, PoolClosed, Throttled
from alight.functions.memory import MemoryGuard, find_cgroup_parent
from alight.functions.sandbox import Log, Sandbox, remove_leftovers
from alight.functions.seal import Seals
from alight.functions.slots import Slots
from alight.functions.supplied import has_awslambdaric, link_entries, link_supplied

__all__ = ["FunctionPool", "FunctionSpec", "Invocation", "Kind", "Outcome", "PoolClosed", "Throttled"]

#: Seconds after which an idle worker is replaced: its session key is good for longer, but not for ever.
MAX_AGE = 3600.0
#: Idle and busy workers together, as a multiple of the limit on busy ones.
WARM_FACTOR = 4
#: Workers whose last call is remembered after their end.
REMEMBERED = 1_000

Credentials = Callable[[FunctionSpec, str], Mapping[str, str]]
#: Is told what came of a call.
Ended = Callable[[Outcome], None]


class FunctionPool:
    """`limit` calls run at a time. `folder` is the functions' own, not shared with another pool.

    `credentials(spec, worker_id)` gives a worker's AWS_ variables; `log` gets each line of output.
    `child` chooses the loop inside Python workers; "auto" takes awslambdaric where it fits. `fence` keeps them in,
    `quick_boto3` lets their calls home take a short way.
    """

    def __init__(
        self, *, limit: int, idle_timeout: float, clock: Clock, folder: Path, credentials: Credentials,
        endpoint_url: Callable[[], str], log: Log, child: Literal["auto", "awslambdaric", "bootstrap"] = "auto",
        fence: Tier = NONE, quick_boto3: bool = True,
    ) -> None:  # fmt: skip
        self.interpreters = Interpreters()
        #: Called whenever a call has ended, or has left the line: there may be room for another. Told the event's id,
        #: where one has run.
        self.on_free: Callable[[str], None] = lambda event_id: None
        #: Told as a call begins: the function, how many of its calls run now, how many of all.
        self.on_begin: Callable[[str, int, int], None] = lambda name, own, every: None
        #: Answers what workers ask by their hatches; they have none, until somebody says who does.
        self.calls: Calls | None = None
        self._idle_timeout = idle_timeout
        self._clock = clock
        self._folder = folder.absolute()
        self._credentials = credentials
        self._endpoint_url = endpoint_url
        self._log = log
        self._child = child
        self._fence = fence
        self._quick_boto3 = quick_boto3
        #: Calls that run at a time.
        self.limit = limit
        self._slots = Slots(limit)
        self._guard = MemoryGuard()
        self._seals = Seals()
        self._bytecode = Bytecode(fence)
        self._prepared: asyncio.Task[tuple[Path, bool]] | None = None
        self._cgroup_parent = find_cgroup_parent()
        self._workers: dict[str, Sandbox] = {}
        #: The last calls of workers that have ended, oldest first.
        self._past: dict[str, Invocation] = {}
        #: Idle workers and when they became so, longest idle first.
        self._idle: dict[Sandbox, float] = {}
        self._reaper: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    async def invoke(
        self, spec: FunctionSpec, invocation: Invocation, *, wait: bool = True, ended: Ended = lambda outcome: None
    ) -> Outcome:
        """Run one call. Waits for a slot of the machine; with `wait=False` raises `Throttled` where there is none. Who
        goes away while it waits takes the call along. Once that has its slot it is run, whoever goes away, and `ended`
        is told what came of it before the caller is.

        Raises `UnsupportedRuntime` where the function can never run here, `PoolClosed` after `close`.
        """
        try:
            await self._slots.acquire(spec.name, spec.reserved, wait=wait)
        except asyncio.CancelledError:
            # A slot may have come in that moment, and have been given back: whoever waits for one has to hear of it.
            self.on_free("")
            raise
        self.on_begin(spec.name, *self._slots.running(spec.name))
        caller: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._spawn(self._serve(spec, invocation, ended, caller))
        return await caller

    def free_slots(self, spec: FunctionSpec) -> int:
        """How many calls of this function would run at once, were they made now."""
        return 0 if self._closed else self._slots.free(spec.name, spec.reserved)

    def current(self, worker_id: str) -> Invocation | None:
        """What a worker is busy with."""
        worker = self._workers.get(worker_id)
        return worker.current if worker else None

    def latest(self, worker_id: str) -> Invocation | None:
        """What a worker is busy with, or was last: a request that it has sent may arrive when the call has ended, or
        when the worker itself has."""
        worker = self._workers.get(worker_id)
        return worker.latest if worker else self._past.get(worker_id)

    def worker_ids(self, name: str) -> list[str]:
        """Workers of a function, idle ones too."""
        return [worker_id for worker_id, worker in self._workers.items() if worker.spec.name == name]

    async def retire(self, name: str, version: str = "") -> None:
        """Code or configuration of a version (of all, where none is named) has changed: idle workers go now, busy ones
        after their call."""
        leaving = []
        for worker in [worker for worker in self._workers.values() if worker.spec.name == name]:
            if version not in ("", worker.spec.version):
                continue
            worker.stale = True
            if worker in self._idle:
                leaving.append(self._discard(worker))
        await asyncio.gather(*leaving)

    async def close(self) -> None:
        """Kill all workers; calls that run end as `killed`."""
        self._closed = True
        if self._reaper:
            self._reaper.cancel()
        self._bytecode.close()
        await asyncio.gather(*(self._discard(worker) for worker in list(self._workers.values())))
        while self._tasks:
            await asyncio.gather(*list(self._tasks), return_exceptions=True)
        self._guard.close()

    async def _serve(
        self, spec: FunctionSpec, invocation: Invocation, ended: Ended, caller: asyncio.Future[Outcome]
    ) -> None:
        """A call that has its slot; `caller` is told, if it has not gone. One task and one future: `asyncio.shield`
        around the task would do the same in four times as many steps."""
        try:
            outcome = await self._in_slot(spec, invocation)
            ended(outcome)
        except asyncio.CancelledError:
            caller.cancel()
            raise
        except Exception as error:
            if not caller.done():
                caller.set_exception(error)
        else:
            if not caller.done():
                caller.set_result(outcome)

    async def _in_slot(self, spec: FunctionSpec, invocation: Invocation) -> Outcome:
        try:
            if self._closed:
                raise PoolClosed
            worker = self._take_warm(spec) or await self._start(spec)
            try:
                return await worker.run(invocation)
            finally:
                self._put_back(worker)
        finally:
            self._slots.release(spec.name)
            self.on_free(invocation.event_id or "")

    def _take_warm(self, spec: FunctionSpec) -> Sandbox | None:
        """The worker that was busy last, so that those in excess grow old."""
        now = self._clock.monotonic()
        for worker in reversed(list(self._idle)):
            # Nearly always it is the same object: comparing two looks at all they have.
            if worker.spec is not spec and worker.spec != spec:
                continue
            if worker.alive and now - worker.started < MAX_AGE:
                del self._idle[worker]
                return worker
            self._spawn(self._discard(worker))
        return None

    async def _start(self, spec: FunctionSpec) -> Sandbox:
        interpreter = await self.interpreters.choose(spec.runtime)
        if self._prepared is None:
            self._prepared = asyncio.create_task(asyncio.to_thread(self._prepare))
        supplied, awslambdaric = await asyncio.shield(self._prepared)
        child = choose_child(spec, interpreter, self._child, awslambdaric=awslambdaric)
        instead: tuple[Path, ...] = ()
        warnings: tuple[str, ...] = (interpreter.warning,) if interpreter.warning else ()
        if spec.compiled and child != "executable":
            odd = await asyncio.to_thread(misfits, spec.compiled, interpreter, spec.venv)
            instead = await asyncio.to_thread(self._instead, odd, spec.venv, interpreter)
            warnings += tuple(map(str, odd))
        refusal = await asyncio.to_thread(self._seals.refusal, spec)
        if self._closed:
            raise PoolClosed
        self._make_room()
        start = Start(
            self._folder, interpreter, child, supplied, self._cgroup_parent, instead, warnings, self._fence,
            self._quick_boto3, refusal, self.calls,
        )  # fmt: skip
        worker = Sandbox(spec, start, self._clock, self._guard, self._log)
        self._workers[worker.worker_id] = worker
        worker.on_exit = lambda: self._ended(worker)
        try:
            await worker.launch(self._credentials, self._endpoint_url())
        except BaseException:
            await self._discard(worker)
            raise
        if child != "executable" and not refusal:
            self._spawn(self._bytecode.make(spec.seals, interpreter))
        if said := (*warnings, refusal) if refusal else warnings:
            self._log(spec.log_group, worker.stream, self._clock.now(), said, "")
        return worker

    def _prepare(self) -> tuple[Path, bool]:
        """Once, before the first worker."""
        remove_leftovers(self._folder)
        return link_supplied(self._folder / "supplied"), has_awslambdaric()

    def _instead(self, odd: tuple[Misfit, ...], venv: Path | None, interpreter: Interpreter) -> tuple[Path, ...]:
        """What takes the place of packages that do not fit: the function's requirements, then Alight's own."""
        folder, found = self._folder / "supplied", list[Path]()
        if venv:
            site = site_packages(venv, interpreter)
            required = [entry for misfit in odd if misfit.required for entry in entries_of(site, misfit.name)]
            found += [link_entries(folder, required)] if required else []
        names = tuple(sorted({misfit.supplied for misfit in odd if misfit.supplied}))
        return (*found, link_supplied(folder, names)) if names else tuple(found)

    def _make_room(self) -> None:
        """Stop the longest idle workers where there are too many."""
        excess = len(self._workers) + 1 - max(self.limit * WARM_FACTOR, self.limit + 1)
        for worker in list(self._idle)[: max(excess, 0)]:
            self._spawn(self._discard(worker))

    def _put_back(self, worker: Sandbox) -> None:
        if not worker.alive or self._closed:
            self._spawn(self._discard(worker))
            return
        self._idle[worker] = self._clock.monotonic()
        if self._reaper is None or self._reaper.done():
            self._reaper = asyncio.create_task(self._reap())

    def _ended(self, worker: Sandbox) -> None:
        """A process has ended by itself; where it was busy, `run` knows already."""
        if worker in self._idle:
            self._spawn(self._discard(worker))

    async def _reap(self) -> None:
        """Stop workers that have been idle for long enough; ends when none is left."""
        while self._idle:
            oldest = min(self._idle.values())
            await self._clock.sleep(max(oldest + self._idle_timeout - self._clock.monotonic(), 0.001))
            due = self._clock.monotonic() - self._idle_timeout
            await asyncio.gather(*(self._discard(worker) for worker, since in list(self._idle.items()) if since <= due))

    async def _discard(self, worker: Sandbox) -> None:
        self._idle.pop(worker, None)
        try:
            await worker.stop()
        finally:
            self._workers.pop(worker.worker_id, None)
            if worker.latest:
                self._past[worker.worker_id] = worker.latest
            if len(self._past) > REMEMBERED:
                del self._past[next(iter(self._past))]

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """A task of the pool's own, kept until it has ended."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
