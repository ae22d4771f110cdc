"""From an endpoint's configuration to replicas that answer: fetch the packages, unpack, deploy; in the background.

An endpoint's record says what serves (`Variants`, each with the SHA-256 of its package) and, while a deployment is
under way, what is wanted (`Wanted`). After a restart what was wanted, or else what served, is deployed again: from
our own store of packages, even where the S3 object or the definitions have gone. One that is being deleted answers what
it has, and goes; what a restart finds of it is removed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from alight.calls import Members
from alight.endpoints.artifact import Artifact, reopen, sweep, unpack
from alight.endpoints.contract import CannotServe
from alight.endpoints.server import Endpoints
from alight.endpoints.spec import EndpointSpec, VariantSpec
from alight.errors import AlightError, Fault
from alight.errors.common import AccessDenied
from alight.errors.sagemaker import ValidationError
from alight.names import bucket_arn
from alight.services.sagemaker.acting import Acting, split
from alight.services.sagemaker.definitions import ACTS_AS, NoModelData, container_of, is_multi, model_data_url
from alight.services.sagemaker.ledger import ENDPOINT, MODEL, Ledger
from alight.store.records import Record

#: `s3://bucket/key` -> a file that holds the object; it is read, never changed or removed.
Fetch = Callable[[str], Awaitable[Path]]
#: What a variant's own members mean to descriptions only.
_SETTINGS = ("InstanceType", "RoutingConfig", "ServerlessConfig")
#: What an update may leave as it is, by AWS's name for it, and the part's field.
_RETAINED = {"DesiredInstanceCount": "instances", "DesiredWeight": "weight"}
#: What an endpoint's record takes over from its configuration as it stands there.
CARRIED = ("DataCaptureConfig", "AsyncInferenceConfig")
#: Seconds between tries to bring back what served before a restart; after the last one it has failed.
RETURN_PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Part:
    """One variant of an endpoint, as the endpoint's record keeps it."""

    name: str
    url: str
    sha256: str
    instances: int
    weight: float
    environment: dict[str, str]
    image: str
    settings: Members = field(default_factory=dict)
    role: str = ""
    multi: bool = False


def _all_parts(body: Members) -> list[Members]:
    return [*body["Variants"], *(body.get("Shadows") or [])]


class Deployments:
    """One background task per endpoint at most."""

    def __init__(self, ledger: Ledger, endpoints: Endpoints, store: Path, fetch: Fetch, acting: Acting) -> None:
        self._ledger = ledger
        self._acting = acting
        self._endpoints = endpoints
        self._store = store
        self._fetch = fetch
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._restoring: set[str] = set()
        self._unpacking = asyncio.Lock()
        #: Called when a deployment has ended, however it ended.
        self.on_ended: Callable[[], None] = lambda: None

    def wanted(self, configuration: Record) -> Members:
        """What a configuration asks for now. Raises `ValidationException` where one of its models has gone."""
        body = configuration.body
        parts = [asdict(self._part(variant)) for variant in body["ProductionVariants"]]
        shadows = [asdict(self._part(variant)) for variant in body.get("ShadowProductionVariants") or []]
        return {
            "EndpointConfigName": configuration.name,
            "Variants": parts,
            "Shadows": shadows,
            "Role": body.get("ExecutionRoleArn") or parts[0]["role"],
            **{member: body.get(member) for member in CARRIED},
        }

    def retaining(self, configuration: Record, record: Record, excluded: Collection[str]) -> Members:
        """The same with weights and counts as they are, but for those that `excluded` names."""
        wanted = self.wanted(configuration)
        kept = [field for name, field in _RETAINED.items() if name not in excluded]
        served = {part["name"]: {field: part[field] for field in kept} for part in record.body["Variants"]}
        if "DataCaptureConfig" not in excluded:
            wanted["DataCaptureConfig"] = record.body.get("DataCaptureConfig")
        return {**wanted, "Variants": [{**part, **served.get(part["name"], {})} for part in wanted["Variants"]]}

    async def package(self, record: Record, target: str, variant: str) -> Path:
        """The folder of one package among a variant's many. Raises `ValidationError` where there is none, or
        `CannotServe`."""
        part = Part(**next(part for part in record.body["Variants"] if part["name"] == variant))
        url = f"{part.url.rstrip('/')}/{target}"
        try:
            async with self._unpacking:
                return (await self._bring(url, part.environment, part.role)).dir
        except NoModelData as missing:
            bucket, key = split(url)
            raise ValidationError(
                f"Failed to download model data(bucket: {bucket}, key: {key}). Please ensure that there is an object "
                "located at the URL and that the role passed to CreateModel has permissions to download the model."
            ) from missing

    async def inspect(self, url: str, environment: Mapping[str, str], role: str) -> None:
        """Bring a model's package here and look whether it can be served. Raises `CannotServe` with what is wrong."""
        async with self._unpacking:
            await self._bring(url, environment, role)

    def start(self, name: str) -> None:
        """Deploy in the background what the endpoint's record wants."""
        self._run(name, self._deploy(name))

    async def resume(self) -> None:
        """Start to deploy everything that was there before a restart; `wait` waits for one of them.

        Call it once, before requests are let in.
        """
        records = self._ledger.all(ENDPOINT)
        for record in records:
            if record.body["EndpointStatus"] == "Deleting":
                await self._ledger.remove(ENDPOINT, record.name)
        records = self._ledger.all(ENDPOINT)
        back = [record.name for record in records if record.body["EndpointStatus"] != "Failed"]
        self._restoring.update(back)
        kept = {part["sha256"] for record in records for part in _all_parts(record.body)}
        async with self._unpacking:
            await sweep(self._store, kept)
        for name in back:
            self.start(name)

    def restoring(self, name: str) -> bool:
        """Whether the endpoint served before a restart and is not back yet."""
        return name in self._restoring

    def under_way(self, name: str) -> bool:
        return name in self._tasks

    async def wait(self, name: str, limit: float | None = None) -> None:
        """Until the endpoint's deployment has ended, however it ended, or `limit` seconds have passed."""
        task = self._tasks.get(name)
        if task is not None:
            await asyncio.wait({task}, timeout=limit)

    async def remove(self, name: str) -> None:
        """Stop deploying what is written down as Deleting, let it answer what it has, forget it: in the background,
        `wait` waits for the end."""
        task = self._tasks.pop(name, None)
        if task is not None:
            task.cancel()
            await asyncio.wait({task})
        self._restoring.discard(name)
        self._run(name, self._remove(name))

    async def close(self) -> None:
        tasks, self._tasks = list(self._tasks.values()), {}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _run(self, name: str, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks[name] = task
        task.add_done_callback(lambda done: self._ended(name, done))

    def _ended(self, name: str, done: asyncio.Task[None]) -> None:
        if self._tasks.get(name) is done:
            del self._tasks[name]
            self._restoring.discard(name)
        self.on_ended()

    async def _deploy(self, name: str) -> None:
        record = self._ledger.find(ENDPOINT, name)
        if record is None:
            return
        try:
            changes = await self._return(record) if self._served(record) else await self._serve(record)
        except (CannotServe, Fault, AlightError) as reason:
            changes = self._failed(name, str(reason))
        except Exception:
            _log.exception("The deployment of endpoint %s failed.", name)
            changes = self._failed(name, "an error of Alight's own; see its log")

        def deployed(body: Members) -> Members:
            return body if body["EndpointStatus"] == "Deleting" else {**body, **changes, "Wanted": None}

        await self._ledger.amend(ENDPOINT, name, deployed)

    async def _remove(self, name: str) -> None:
        await self._endpoints.remove(name)
        await self._ledger.remove(ENDPOINT, name)

    def _served(self, record: Record) -> bool:
        """Whether it is to come back as it was before a restart."""
        return self.restoring(record.name) and record.body["EndpointStatus"] == "InService"

    async def _return(self, record: Record) -> Members:
        """A replica that is killed while it starts is no reason to give up for good what worked until now."""
        for pause in RETURN_PAUSES:
            try:
                return await self._serve(record)
            except CannotServe as reason:
                _log.warning("Endpoint %s is not back yet, the next try is in %g s: %s", record.name, pause, reason)
                await asyncio.sleep(pause)
        return await self._serve(record)

    async def _serve(self, record: Record) -> Members:
        wanted = record.body["Wanted"] or record.body
        parts = [await self._packed(Part(**part)) for part in wanted["Variants"]]
        shadows = [await self._packed(Part(**part)) for part in wanted.get("Shadows") or []]
        spec = EndpointSpec(
            record.name,
            tuple(self._spec(part) for part in parts),
            tuple(self._spec(part) for part in shadows),
        )
        await self._endpoints.deploy(spec, keep=wanted.get("Keep", False))
        return {
            **{member: wanted.get(member) for member in ("EndpointConfigName", "Role", *CARRIED)},
            "EndpointStatus": "InService",
            "FailureReason": "",
            "Variants": [asdict(part) for part in parts],
            "Shadows": [asdict(part) for part in shadows],
        }

    def _spec(self, part: Part) -> VariantSpec:
        return VariantSpec(
            part.name, self._store / part.sha256, part.instances, part.weight, part.environment, part.multi
        )

    def _failed(self, name: str, reason: str) -> Members:
        status = self._endpoints.status(name)
        serving = status is not None and status.state == "InService"
        text = (
            "The primary container did not pass the ping health check; its logs are in log group "
            f"/aws/sagemaker/Endpoints/{name}. Reason: {reason}"
        )
        return {"EndpointStatus": "InService" if serving else "Failed", "FailureReason": text[:1024]}

    def _part(self, variant: Members) -> Part:
        model = self._ledger.known(MODEL, variant["ModelName"]).body
        container = container_of(model)
        return Part(
            name=variant["VariantName"],
            url=model_data_url(container),
            sha256="",
            instances=int(variant.get("InitialInstanceCount") or 1),
            weight=float(variant.get("InitialVariantWeight", 1.0)),
            environment=dict(container.get("Environment") or {}),
            image=container.get("Image", ""),
            role=model.get(ACTS_AS, ""),
            multi=is_multi(container),
            settings={member: variant[member] for member in _SETTINGS if member in variant},
        )

    async def _packed(self, part: Part) -> Part:
        """The part with its package in the store: the one that was deployed before, or what its URL holds now."""
        if part.multi:
            return part
        async with self._unpacking:
            return replace(part, sha256=(await self._package(part)).sha256)

    async def _package(self, part: Part) -> Artifact:
        if part.sha256:
            found = await reopen(part.sha256, self._store, part.environment)
            if found is not None:
                return found
        return await self._bring(part.url, part.environment, part.role)

    async def _bring(self, url: str, environment: Mapping[str, str], role: str) -> Artifact:
        address = urlsplit(url)
        if address.scheme == "file":
            return await unpack(Path(unquote(address.path)), self._store, environment)
        try:
            self._acting.check(role, "s3:GetObject", bucket_arn(*split(url)))
            source = await self._fetch(url)
        except AccessDenied as error:
            raise NoModelData(url, forbidden_to=role) from error
        except (Fault, OSError) as error:
            raise NoModelData(url) from error
        return await unpack(source, self._store, environment)
