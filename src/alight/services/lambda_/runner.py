"""From a function's record to a running worker and back: for Invoke, and for events of the dispatcher."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from alight import names
from alight.calls import Attempt
from alight.clock import Clock
from alight.errors.lambda_ import TooManyRequestsException
from alight.events.dispatch import Result, Target, Throttled
from alight.events.ended import Tell
from alight.functions import invocation as functions
from alight.functions.invocation import FunctionSpec, Invocation, Outcome
from alight.functions.pool import FunctionPool
from alight.services.lambda_ import definitions
from alight.services.lambda_.catalogue import Catalogue
from alight.services.lambda_.metrics import FunctionMetrics
from alight.services.lambda_.places import code_of, compiled_of, opt_of, seals_of
from alight.services.lambda_.qualifiers import LATEST
from alight.store.journal import Event
from alight.store.telemetry import Telemetry


def spec_of(body: dict[str, Any], folder: Path) -> FunctionSpec:
    """What the worker room has to know of a function; `folder` is that of all functions."""
    configuration = body["Configuration"]
    name, version = configuration["FunctionName"], configuration["Version"]
    code_dir, venv = code_of(body["Code"], folder)
    return FunctionSpec(
        name=name,
        arn=names.function_arn(name, "" if version == LATEST else version),
        version=version,
        code_dir=code_dir,
        venv=venv,
        handler=configuration["Handler"],
        runtime=configuration["Runtime"],
        environment=configuration.get("Environment", {}).get("Variables", {}),
        timeout=float(configuration["Timeout"]),
        memory_mb=configuration["MemorySize"],
        role=definitions.role_name(configuration["Role"]),
        log_group=configuration["LoggingConfig"]["LogGroup"],
        reserved=body["Reserved"],
        ephemeral_mb=configuration["EphemeralStorage"]["Size"],
        opt=opt_of(body, folder),
        compiled=compiled_of(body),
        seals=seals_of(body, folder),
    )


class Runner:
    """Runs functions and keeps an account of each run."""

    def __init__(
        self,
        catalogue: Catalogue,
        pool: FunctionPool,
        telemetry: Telemetry,
        metrics: FunctionMetrics,
        clock: Clock,
        delays: tuple[float, ...],
        folder: Path,
        *,
        lot: Callable[[], float] = random.random,
    ) -> None:
        self._catalogue = catalogue
        self._pool = pool
        self._telemetry = telemetry
        self._metrics = metrics
        self._clock = clock
        self._delays = delays
        self._folder = folder.absolute()
        #: What is done at the end of a function's events; nothing, until somebody says what.
        self.tell_of: Callable[[dict[str, Any]], Tell | None] = lambda body: None
        #: Draws from [0, 1): which version of an alias with weights gets a call.
        self._lot = lot
        #: Attempts at events that run now, and how many calls of each have no place at an endpoint, or had none.
        self._attempts: dict[tuple[str, int], int] = {}
        #: What was read for events of a function, for as long as no definition changes.
        self._known: dict[tuple[str, str], tuple[dict[str, Any], FunctionSpec] | None] = {}
        self._version = -1

    def target(self, arn: str) -> Target | None:
        """How many events the function can take now; None where there is no such function."""
        found = self._read("find", arn, self._catalogue.find)
        if found is None:
            return None
        body, spec = found
        if body["Reserved"] == 0:
            return Target(0, disabled="ZeroReservedConcurrency", tell=self.tell_of(body))
        return Target(self._pool.free_slots(spec), self._delays, tell=self.tell_of(body), rings=True)

    def at_hand(self, arn: str) -> int:
        """How many events the function can take now, by what is known of it; 0 where it has to be looked up. May be
        asked on any thread."""
        found = self._known.get(("find", arn)) if self._version == self._catalogue.version else None
        if found is None or found[0]["Reserved"] == 0:
            return 0
        return self._pool.free_slots(found[1])

    async def request(self, body: dict[str, Any], invocation: Invocation) -> Outcome:
        """Run now; of an alias with weights, one of its versions. Waits for a free worker of this machine, but not
        beyond the function's own reserved concurrency, nor where too many wait for it already: there Lambda answers
        429, and so do we."""
        body, spec = self._chosen(body, self._spec(body))
        try:
            return await self._run(body, spec, invocation, attempt=1, wait=True)
        except functions.Throttled as throttled:
            self._metrics.throttled(spec.name)
            limit = "ReservedFunctionConcurrentInvocation" if throttled.reserved else "ConcurrentInvocation"
            raise TooManyRequestsException(Reason=f"{limit}LimitExceeded", Type="User") from None

    def excuse(self, attempt: Attempt, excused: bool) -> None:
        """A call of this attempt waits for a place at an endpoint: where it then fails, or runs out of time, that is no
        failure of its own. Not `excused`: the call has got its place."""
        place = attempt.event_id or "", attempt.fence
        if place in self._attempts:
            self._attempts[place] += 1 if excused else -1

    async def event(self, event: Event) -> Result:
        """Run one attempt at an event. An alias is looked up, and its weights are drawn by, at each attempt: what an
        alias was turned away from is not tried again. Raises `Throttled` where somebody else took the free worker."""
        found = self._read("body", event.function, self._catalogue.body)
        assert found is not None
        body, spec = self._chosen(*found)
        invocation = Invocation(
            request_id=event.id,
            payload=event.payload,
            event_id=event.id,
            fence=event.fence,
            staged=body["Publish"] != "immediate",
        )
        started, place = self._clock.now(), (event.id, event.fence)
        self._attempts[place] = excused = 0
        try:
            outcome = await self._run(body, spec, invocation, attempt=event.attempts + 1, wait=False)
        except (functions.Throttled, functions.PoolClosed):
            raise Throttled from None
        finally:
            excused = self._attempts.pop(place)
        self._metrics.waited(spec.name, started - event.accepted)
        ended = self._clock.now()
        return Result(outcome.kind, outcome.payload, event.id, started, ended, outcome.version, excused > 0)

    def find(self, arn: str) -> dict[str, Any] | None:
        """A function's record, as it is kept for reading; None where there is no such function."""
        found = self._read("find", arn, self._catalogue.find)
        return found[0] if found else None

    def free(self, arn: str) -> int:
        """How many calls of a function would run at once, were they made now."""
        target = self.target(arn)
        return target.free if target else 0

    async def batch(self, arn: str, invocation: Invocation) -> Outcome:
        """Run a queue's messages now. Raises `Throttled` where somebody else took the free worker."""
        found = self._read("body", arn, self._catalogue.body)
        assert found is not None
        try:
            return await self._run(*self._chosen(*found), invocation, attempt=1, wait=False)
        except functions.Throttled:
            raise Throttled from None

    def _spec(self, body: dict[str, Any]) -> FunctionSpec:
        """Of a record that `find` has given, it is known already."""
        found = self._known.get(("find", body["Configuration"]["FunctionArn"]))
        return found[1] if found and found[0] is body else spec_of(body, self._folder)

    def _chosen(self, body: dict[str, Any], spec: FunctionSpec) -> tuple[dict[str, Any], FunctionSpec]:
        """Of an alias with weights, the version that the lot gives one call."""
        if not body.get("Routes"):
            return body, spec
        routed = self._catalogue.routed(body, self._lot())
        return routed, spec_of(routed, self._folder)

    def _read(
        self, how: str, arn: str, read: Callable[[str], dict[str, Any] | None]
    ) -> tuple[dict[str, Any], FunctionSpec] | None:
        """A function's body and what the workers must know of it. Raises what `read` raises."""
        if self._version != self._catalogue.version:
            self._known, self._version = {}, self._catalogue.version
        place = (how, arn)
        if place not in self._known:
            body = read(arn)
            self._known[place] = None if body is None else (body, spec_of(body, self._folder))
        return self._known[place]

    async def _run(
        self, body: dict[str, Any], spec: FunctionSpec, invocation: Invocation, *, attempt: int, wait: bool
    ) -> Outcome:
        """Once it has begun, it is run and accounted, whoever goes away."""
        if (arn := body["Configuration"]["FunctionArn"]) != spec.arn:
            invocation = replace(invocation, function_arn=arn)
        started = self._clock.now()

        def account(outcome: Outcome) -> None:
            ended = self._clock.now()
            self._metrics.ran(spec.name, outcome, arn, ended)
            self._telemetry.invocation(
                request_id=invocation.request_id,
                event_id=invocation.event_id or "",
                function=spec.name,
                attempt=attempt,
                started=started,
                ended=ended,
                init_ms=outcome.init_ms,
                outcome=outcome.kind,
                error=outcome.payload.decode("utf-8", "replace")[:4096] if outcome.function_error else "",
                max_memory_mb=outcome.max_memory_mb,
            )

        return await self._pool.invoke(spec, invocation, wait=wait, ended=account)
