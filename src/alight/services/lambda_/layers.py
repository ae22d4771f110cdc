"""Layers: packages by themselves, in numbered versions, and what a function that names some of them gets."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from alight import names
from alight.calls import Call, Members
from alight.clock import Clock
from alight.errors.lambda_ import InvalidParameterValueException, ResourceNotFoundException
from alight.functions.layers import compiled_for, lay
from alight.functions.package import size_of
from alight.services.lambda_.sources import Sources, check_source
from alight.services.lambda_.versions import PAGE
from alight.store.database import Database, Tx
from alight.store.records import Records

KIND = "lambda:layer"
#: The last number that a layer's version got: no number is given twice, also where all versions are gone.
NUMBER = "lambda:layer-number"
#: Layers that one function may have.
MOST = 5
_MANY = 10_000

_LAYER = re.compile(r"(?:arn:aws:lambda:[a-z0-9-]+:(?P<account>\d{12}):layer:)?(?P<name>[a-zA-Z0-9_-]{1,140})")
_VERSION = re.compile(
    r"arn:aws:lambda:[a-z0-9-]+:(?P<account>\d{12}):layer:(?P<name>[a-zA-Z0-9_-]{1,140}):(?P<number>\d{1,12})"
)
_KEPT = ("CompatibleRuntimes", "CompatibleArchitectures", "LicenseInfo")

Body = dict[str, Any]
One = TypeVar("One")


class Layers:
    """The handlers. A version's record holds its answer (`Layer`) and where its content lies (`Code`)."""

    def __init__(self, database: Database, records: Records, clock: Clock, sources: Sources) -> None:
        self._database = database
        self._records = records
        self._clock = clock
        self._sources = sources

    async def publish_layer_version(self, call: Call, given: Members) -> Members:
        name = _name(given["LayerName"])
        check_source("PublishLayerVersion", given["Content"])
        code = await self._sources.layer(call, given["Content"])
        moment = datetime.fromtimestamp(self._clock.now(), UTC)
        described = {
            "Description": given.get("Description") or "",
            "CreatedDate": moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}+0000",
        } | {member: given[member] for member in _KEPT if given.get(member)}

        def job(tx: Tx) -> Body:
            last = self._records.get(NUMBER, name, tx)
            number = (last.body["Last"] if last else 0) + 1
            body = {"Layer": described | _named(name, number), "Code": code}
            self._records.put(tx, NUMBER, name, {"Last": number})
            self._records.put(tx, KIND, _place(name, number), body)
            return body

        return _answer(await self._database.write(job))

    async def get_layer_version(self, call: Call, given: Members) -> Members:
        body = self._find(_name(given["LayerName"]), given["VersionNumber"])
        if body is None:
            raise ResourceNotFoundException("The resource you requested does not exist.", Type="User")
        return _answer(body)

    async def get_layer_version_by_arn(self, call: Call, given: Members) -> Members:
        match = _VERSION.fullmatch(given["Arn"])
        body = self._find(match["name"], int(match["number"])) if match else None
        if body is None or body["Layer"]["LayerVersionArn"] != given["Arn"]:
            raise ResourceNotFoundException("The resource you requested does not exist.", Type="User")
        return _answer(body)

    async def delete_layer_version(self, call: Call, given: Members) -> Members:
        """Functions that have it keep it, as on AWS."""
        name, number = _name(given["LayerName"]), given["VersionNumber"]
        await self._records.remove(KIND, _place(name, number))
        return {}

    async def list_layer_versions(self, call: Call, given: Members) -> Members:
        """The newest first."""
        name = _name(given["LayerName"])
        before = int(given["Marker"]) if str(given.get("Marker") or "").isdecimal() else 10**12
        versions = [body["Layer"] for body in self._versions(name) if _fits(body["Layer"], given)]
        older = [layer for layer in reversed(versions) if layer["Version"] < before]
        found, marker = _page(older, given, lambda layer: str(layer["Version"]))
        return {"LayerVersions": [_without_arn(layer) for layer in found]} | marker

    async def list_layers(self, call: Call, given: Members) -> Members:
        """Each layer with the newest of its versions that is asked for."""
        latest: dict[str, Members] = {}
        for record in self._records.list(KIND, limit=_MANY):
            if _fits(record.body["Layer"], given):
                latest[record.name.partition(":")[0]] = record.body["Layer"]
        behind = [(name, layer) for name, layer in sorted(latest.items()) if name > (given.get("Marker") or "")]
        found, marker = _page(behind, given, lambda one: one[0])
        listed = [
            {"LayerName": name, "LayerArn": layer["LayerArn"], "LatestMatchingVersion": _without_arn(layer)}
            for name, layer in found
        ]
        return {"Layers": listed} | marker

    async def attached(self, arns: Sequence[str]) -> tuple[list[Members], Body | None]:
        """What a function with these layers (the last on top) has in its configuration, and `Opt` of its record: the
        folder of all of them, its size, and what is compiled in it. Raises for what is no layer here."""
        bodies = [self._attachable(arn, arns) for arn in arns]
        if not bodies:
            return [], None
        opt = await asyncio.to_thread(_laid, [body["Code"]["Dir"] for body in bodies], self._sources.folder)
        return [{"Arn": arn, "CodeSize": body["Code"]["Size"]} for arn, body in zip(arns, bodies, strict=True)], opt

    def _attachable(self, arn: str, arns: Sequence[str]) -> Body:
        if len(arns) > MOST:
            raise _invalid(f"Cannot reference more than {MOST} layers.")
        match = _VERSION.fullmatch(arn)
        if match is None:
            raise _invalid(f"{arn} is not the ARN of a layer's version.")
        same = [other for other in arns if other.rpartition(":")[0] == arn.rpartition(":")[0]]
        if len(same) > 1:
            raise _invalid(
                "Two different versions of the same layer are not allowed to be referenced in the same function. "
                f"{same[0]} and {same[1]} are versions of the same layer."
            )
        if match["account"] != names.ACCOUNT:
            raise _invalid(
                f"The layer {arn} belongs to another account, which is not reached from here: download its zip file "
                "and publish it here (aws lambda publish-layer-version)."
            )
        body = self._find(match["name"], int(match["number"]))
        if body is None:
            raise _invalid(f"Layer version {arn} does not exist.")
        return body

    def _find(self, name: str, number: int) -> Body | None:
        record = self._records.get(KIND, _place(name, number))
        return record.body if record else None

    def _versions(self, name: str) -> list[Body]:
        return [record.body for record in self._records.list(KIND, prefix=f"{name}:", limit=_MANY)]


def _laid(places: Sequence[str], folder: Path) -> Body:
    opt, seal = lay([folder / place for place in places], folder)
    return {
        "Dir": str(opt.relative_to(folder.absolute())),
        "Compiled": compiled_for(opt),
        "Unpacked": size_of(opt),
        "Seal": seal,
    }


def layer_folders(records: Records, folder: Path) -> Iterator[Path]:
    """Where the content of all layers lies."""
    return (folder / record.body["Code"]["Dir"] for record in records.list(KIND, limit=_MANY))


def layer_sizes(records: Records) -> Iterator[int]:
    """Bytes of each layer's zip file."""
    return (record.body["Code"]["Size"] for record in records.list(KIND, limit=_MANY))


def _name(text: str) -> str:
    match = _LAYER.fullmatch(text)
    if match is None or match["account"] not in (None, names.ACCOUNT):
        raise _invalid(f"Invalid layer name or ARN: {text}")
    return match["name"]


def _invalid(message: str) -> InvalidParameterValueException:
    return InvalidParameterValueException(message, Type="User")


def _place(name: str, number: int) -> str:
    return f"{name}:{number:012d}"


def _named(name: str, number: int) -> Members:
    arn = str(names.Arn("lambda", f"layer:{name}"))
    return {"LayerArn": arn, "LayerVersionArn": f"{arn}:{number}", "Version": number}


def _answer(body: Body) -> Members:
    layer, code = body["Layer"], body["Code"]
    return {**layer, "Content": {"Location": "", "CodeSha256": code["Sha256"], "CodeSize": code["Size"]}}


def _fits(layer: Members, given: Members) -> bool:
    """A version that says nothing of runtimes or processors is not found by them, as on AWS."""
    runtime, processor = given.get("CompatibleRuntime"), given.get("CompatibleArchitecture")
    return (not runtime or runtime in layer.get("CompatibleRuntimes", ())) and (
        not processor or processor in layer.get("CompatibleArchitectures", ())
    )


def _without_arn(layer: Members) -> Members:
    return {member: value for member, value in layer.items() if member != "LayerArn"}


def _page(found: Sequence[One], given: Members, key: Callable[[One], str]) -> tuple[Sequence[One], Members]:
    """The first page of what was found, and the NextMarker by which one goes on behind it."""
    limit = min(given.get("MaxItems") or PAGE, PAGE)
    return found[:limit], {"NextMarker": key(found[limit - 1])} if len(found) > limit else {}
