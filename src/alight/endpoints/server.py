"""`Endpoints`: deploy, invoke, remove. What InvokeEndpoint answers is decided here.

A deployment builds its replicas beside the ones that serve, and takes their place only when every one of them
answers; the old ones finish what they have. A deployment that fails leaves what was there.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from alight.clock import Clock
from alight.endpoints import formats, venv
from alight.endpoints.asking import Asking, model_error
from alight.endpoints.contract import CUSTOM_ATTRIBUTES, CannotServe, Reply
from alight.endpoints.fleet import Busy, Fleet
from alight.endpoints.process import Launch
from alight.endpoints.shadows import Compared, Copies, Share
from alight.endpoints.shelf import Package, Shelf
from alight.endpoints.spec import (
    Answer,
    EndpointSpec,
    EndpointStatus,
    Excuse,
    Invoked,
    Limits,
    State,
    Streamed,
    VariantSpec,
    VariantStatus,
)
from alight.endpoints.variants import Turns
from alight.errors.sagemaker import RequestEntityTooLarge, ServiceUnavailable, ValidationError
from alight.fence.tiers import NONE, Tier
from alight.names import ACCOUNT

#: group, stream, seconds since 1970, message, request id
Log = Callable[[str, str, float, str, str], None]
#: Longest path that an address of a Unix socket can hold on every system.
LONGEST_SOCKET = 100


@dataclass(slots=True)
class _Serving:
    """The fleets of one deployment."""

    fleets: dict[str, Fleet | Shelf]
    turns: Turns
    specs: dict[str, VariantSpec]
    #: Of those in `fleets`, the ones that get copies only.
    shadows: dict[str, Share]


@dataclass(slots=True)
class _Endpoint:
    state: State
    failure_reason: str = ""
    serving: _Serving | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Endpoints:
    """Everything that serves models. Call it from one event loop; `close` ends every child."""

    def __init__(
        self,
        *,
        folder: Path,
        clock: Clock,
        cores: int,
        default_replicas: int = 0,
        limits: Limits | None = None,
        log: Log | None = None,
        observe: Callable[[Invoked], None] | None = None,
        compare: Callable[[Compared], None] = lambda compared: None,
        fence: Tier = NONE,
    ) -> None:
        """`folder` keeps sockets and virtual environments; `default_replicas` 0 means one per core; `compare` is told
        what became of each copy for a shadow; `fence` keeps replicas in."""
        self._folder, self._clock = folder, clock
        self._default_replicas = default_replicas or cores
        self._limits, self._fence = limits or Limits(), fence
        self._log = log
        self._asking = Asking(clock, observe)
        self._copies = Copies(compare, clock.monotonic)
        self._endpoints: dict[str, _Endpoint] = {}
        self._sockets: Path | None = None
        self._temporary: Path | None = None
        self._deployments = 0
        self._draining: set[asyncio.Task[None]] = set()

    async def deploy(self, spec: EndpointSpec, *, keep: bool = False) -> None:
        """Return when every variant answers. Raises `CannotServe`; what served before goes on serving. With `keep`, a
        variant that stays as it was, but for its weight, keeps its replicas."""
        endpoint = self._endpoints.setdefault(spec.name, _Endpoint("Creating"))
        async with endpoint.lock:
            endpoint.state = "Updating" if endpoint.serving else "Creating"
            try:
                fresh = await self._build(spec, endpoint.serving if keep else None)
            except CannotServe as reason:
                endpoint.failure_reason = str(reason)
                endpoint.state = "InService" if endpoint.serving else "Failed"
                raise
            except BaseException:
                endpoint.state = "InService" if endpoint.serving else "Failed"
                raise
            if self._endpoints.get(spec.name) is not endpoint:  # removed meanwhile
                await _close(fresh.fleets.values())
                return
            old, endpoint.serving = endpoint.serving, fresh
            endpoint.state, endpoint.failure_reason = "InService", ""
        if old is not None:
            kept = fresh.fleets.values()
            self._drain([fleet for fleet in old.fleets.values() if fleet not in kept])

    async def remove(self, name: str) -> None:
        """No new request from here on; return when what is under way was answered and the replicas have ended.
        Unknown names are no error."""
        endpoint = self._endpoints.pop(name, None)
        if endpoint is not None and endpoint.serving is not None:
            await asyncio.wait({self._drain(endpoint.serving.fleets.values())})

    def status(self, name: str) -> EndpointStatus | None:
        """None where no such endpoint was deployed."""
        endpoint = self._endpoints.get(name)
        if endpoint is None:
            return None
        variants = _variant_statuses(endpoint.serving) if endpoint.serving else ()
        running = sum(variant.replicas for variant in variants)
        return EndpointStatus(endpoint.state, endpoint.failure_reason, running, variants)

    async def invoke(
        self,
        name: str,
        body: bytes,
        *,
        content_type: str | None,
        accept: str | None,
        custom_attributes: str = "",
        request_id: str = "",
        target_variant: str = "",
        seconds: float = 0.0,
        most: int = 0,
        target_model: str = "",
        package: Callable[[str], Awaitable[Path]] | None = None,
        excuse: Excuse | None = None,
    ) -> Answer:
        """`seconds` and `most` bytes of the body are the limits' own where they are 0. `package` gives the folder of
        `target_model` for a variant that has many models. `excuse` is there for an event's call.

        Raises ValidationError, ModelError, ServiceUnavailable or RequestEntityTooLarge of `errors.sagemaker`.
        """
        serving, variant, fleet = self._chosen(name, target_variant, len(body), most)
        headers = _headers(content_type, accept, custom_attributes, request_id)
        if isinstance(fleet, Shelf):
            fleet = await self._taken(name, fleet, target_model, partial(package, variant) if package else None)
        elif target_model:
            raise ValidationError(f"Endpoint {name} of account {ACCOUNT} has one model; TargetModel is for many.")
        began = self._clock.monotonic()
        reply = await self._asking.ask(name, variant, fleet, headers, body, seconds, excuse=excuse)
        if serving.shadows:
            self._copy(name, variant, serving, headers, body, reply, self._clock.monotonic() - began)
        if not 200 <= reply.status < 300:
            raise model_error(name, reply.status, reply.body)
        attributes = reply.headers.get(CUSTOM_ATTRIBUTES.lower(), "")
        return Answer(reply.body, reply.content_type, variant, attributes)

    async def stream(
        self,
        name: str,
        body: bytes,
        *,
        content_type: str | None,
        accept: str | None,
        custom_attributes: str = "",
        request_id: str = "",
        target_variant: str = "",
        excuse: Excuse | None = None,
    ) -> Streamed:
        """The same, returned when the answer begins. A model that answers whole gives one part. No shadow is asked."""
        _, variant, fleet = self._chosen(name, target_variant, len(body), 0)
        if isinstance(fleet, Shelf):
            raise ValidationError(f"Endpoint {name} of account {ACCOUNT} has many models, which are not streamed.")
        headers = _headers(content_type, accept, custom_attributes, request_id)
        head, parts = await self._asking.open(name, variant, fleet, headers, body, excuse)
        return Streamed(parts, head.content_type, variant, head.headers.get(CUSTOM_ATTRIBUTES.lower(), ""))

    def _chosen(self, name: str, target: str, size: int, most: int) -> tuple[_Serving, str, Fleet | Shelf]:
        """Who answers a request. Raises ValidationError, RequestEntityTooLarge."""
        endpoint = self._endpoints.get(name)
        if endpoint is None or endpoint.serving is None:
            raise ValidationError(f"Endpoint {name} of account {ACCOUNT} not found.")
        if size > (most or self._limits.body):
            raise RequestEntityTooLarge(f"The body has {size} bytes; {most or self._limits.body} are allowed.")
        serving = endpoint.serving
        variant = target or serving.turns.next()
        fleet = serving.fleets.get(variant)
        if fleet is None or variant in serving.shadows:
            raise ValidationError(f"Variant {variant} not found for Request.")
        return serving, variant, fleet

    async def copied(self) -> None:
        """Until shadows have answered every copy that was sent."""
        await self._copies.settled()

    async def close(self) -> None:
        """End every replica now."""
        await self._copies.close()
        endpoints, self._endpoints = list(self._endpoints.values()), {}
        await asyncio.gather(*(_close(endpoint.serving.fleets.values()) for endpoint in endpoints if endpoint.serving))
        for task in self._draining:
            task.cancel()
        await asyncio.gather(*self._draining, return_exceptions=True)
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)

    async def _taken(self, name: str, shelf: Shelf, model: str, package: Package | None) -> Fleet:
        """The fleet of one model among many, loaded where it is not."""
        if not model or package is None:
            raise ValidationError(f"Endpoint {name} of account {ACCOUNT} has many models; TargetModel must name one.")
        try:
            return await shelf.take(model, package)
        except Busy as reason:
            raise ServiceUnavailable(f"Endpoint {name} takes no more requests: {reason}.") from None
        except CannotServe as reason:
            raise model_error(name, 500, f"{model} cannot be served: {reason}".encode()) from None

    def _copy(
        self,
        name: str,
        variant: str,
        serving: _Serving,
        headers: dict[str, str],
        body: bytes,
        reply: Reply,
        took: float,
    ) -> None:
        for shadow, share in serving.shadows.items():
            fleet = serving.fleets[shadow]
            if isinstance(fleet, Fleet) and share.due():
                ask = partial(self._asking.ask, name, shadow, fleet, headers, body)
                self._copies.send((name, variant, shadow), ask, len(body), reply, took)

    async def _build(self, spec: EndpointSpec, serving: _Serving | None) -> _Serving:
        """Start the fleets of all variants that do not serve already; all answer or none of these is left."""
        self._deployments += 1
        fleets: dict[str, Fleet | Shelf] = {}
        started: list[Fleet | Shelf] = []
        try:
            for variant in (*spec.variants, *spec.shadows):
                fleet = _unchanged(variant, serving)
                prefix = f"{self._deployments}.{len(fleets)}"
                if fleet is None and variant.multi:
                    fleet = self._shelf(spec.name, variant, prefix)
                elif fleet is None:
                    made = await self._fleet(spec.name, variant, prefix)
                    await made.start()
                    started.append(fleet := made)
                fleets[variant.name] = fleet
        except BaseException:
            await _close(started)
            raise
        turns = Turns([(variant.name, variant.weight) for variant in spec.variants])
        total = sum(variant.weight for variant in spec.variants) or 1.0
        shadows = {shadow.name: Share(shadow.weight / total) for shadow in spec.shadows}
        return _Serving(fleets, turns, {one.name: one for one in (*spec.variants, *spec.shadows)}, shadows)

    def _shelf(self, endpoint: str, variant: VariantSpec, prefix: str) -> Shelf:
        numbers = itertools.count()

        def build(folder: Path) -> Awaitable[Fleet]:
            return self._fleet(endpoint, replace(variant, model_dir=folder), f"{prefix}.m{next(numbers)}")

        return Shelf(build, self._drain, variant.instances)

    async def _fleet(self, endpoint: str, variant: VariantSpec, prefix: str) -> Fleet:
        group, stream = f"/aws/sagemaker/Endpoints/{endpoint}", f"{variant.name}/{prefix}"

        def log(line: str) -> None:
            if self._log is not None:
                self._log(group, stream, self._clock.now(), line, "")

        python = Path(sys.executable)
        kind = await asyncio.to_thread(formats.detect, variant.model_dir, variant.environment)
        if kind in (formats.SCRIPT, formats.SERVER):
            python = await venv.prepare(variant.model_dir / "code", self._folder / "venvs", log)
        launch = Launch(
            python=python, model_dir=variant.model_dir, environment=dict(variant.environment), log=log,
            start_limit=self._limits.start, max_answer=self._limits.answer,
            command=formats.server_command(variant.environment), fence=self._fence,
        )  # fmt: skip
        count = variant.instances if variant.instances > 1 or variant.multi else self._default_replicas
        return Fleet(launch, count, self._socket_folder(), prefix, self._limits, self._clock)

    def _socket_folder(self) -> Path:
        """In the data folder, or in a short temporary one where that path is too long for a socket."""
        if self._sockets is None:
            wanted = (self._folder / "sockets").absolute()
            if len(str(wanted)) + 18 > LONGEST_SOCKET:
                wanted = self._temporary = Path(tempfile.mkdtemp(prefix="alight-"))
            wanted.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._sockets = wanted
        return self._sockets

    def _drain(self, fleets: Collection[Fleet | Shelf]) -> asyncio.Task[None]:
        task = asyncio.create_task(_drain(list(fleets)))
        self._draining.add(task)
        task.add_done_callback(self._draining.discard)
        return task


def _headers(content_type: str | None, accept: str | None, attributes: str, request_id: str) -> dict[str, str]:
    return {
        "Content-Type": content_type or "",
        "Accept": accept or "",
        CUSTOM_ATTRIBUTES: attributes,
        "X-Amzn-SageMaker-Request-Id": request_id,
    }


def _variant_statuses(serving: _Serving) -> tuple[VariantStatus, ...]:
    return tuple(
        VariantStatus(name, serving.specs[name].weight, fleet.wanted, len(fleet.pids), fleet.restarts, fleet.pids)
        for name, fleet in serving.fleets.items()
    )


def _unchanged(variant: VariantSpec, serving: _Serving | None) -> Fleet | Shelf | None:
    """The replicas that serve this variant already, whatever its weight was."""
    known = serving.specs.get(variant.name) if serving else None
    if serving is None or known is None or replace(known, weight=variant.weight) != variant:
        return None
    return serving.fleets[variant.name]


async def _close(fleets: Collection[Fleet | Shelf]) -> None:
    await asyncio.gather(*(fleet.close() for fleet in fleets))


async def _drain(fleets: Collection[Fleet | Shelf]) -> None:
    try:
        await asyncio.gather(*(fleet.drain() for fleet in fleets))
    except asyncio.CancelledError:
        with contextlib.suppress(Exception):
            await _close(fleets)
        raise
