"""AWS::Lambda::Function and AWS::Lambda::LayerVersion."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

from alight import names
from alight.calls import Members
from alight.errors import AlightError
from alight.stacks.provider import ALL, Named, Naming, Provider, Work
from alight.stacks.resources.values import as_text, given, tag_map

#: Properties that the operations take as they are.
_PLAIN = (
    "Handler",
    "Runtime",
    "Role",
    "Description",
    "Timeout",
    "MemorySize",
    "EphemeralStorage",
    "LoggingConfig",
    "DeadLetterConfig",
    "TracingConfig",
    "SnapStart",
    "Layers",
)
#: What a property that left the template goes back to.
_DEFAULTS: Members = {
    "Description": "",
    "Timeout": 3,
    "MemorySize": 128,
    "Environment": {"Variables": {}},
    "DeadLetterConfig": {"TargetArn": ""},
    "TracingConfig": {"Mode": "PassThrough"},
    "Layers": [],
}
#: A zip whose bytes depend on the code alone.
_EPOCH = (1980, 1, 1, 0, 0, 0)
#: What inline code may import beside the standard library and boto3.
_RESPONSE = Path(__file__).with_name("cfnresponse.py")


def _configuration(properties: Members) -> Members:
    members = given(properties, *_PLAIN)
    if "Environment" in properties:
        variables = properties["Environment"].get("Variables") or {}
        members["Environment"] = {"Variables": {name: as_text(value) for name, value in variables.items()}}
    return members


def _code(work: Work) -> Members:
    code: Members = work.properties.get("Code") or {}
    if "Local" in code:
        return _local(work, code["Local"], "Correct CodeUri.")
    if "ZipFile" in code:
        return {"ZipFile": _inline(code["ZipFile"])}
    return given(code, "S3Bucket", "S3Key", "S3ObjectVersion")


def _local(work: Work, place: str, hint: str) -> Members:
    path = work.path(place)
    if not path.exists():
        raise AlightError(f"There is no code at {path}.", hint)
    return {"Local": str(path)}


def _inline(source: str) -> bytes:
    """Inline code is the module `index`, as on AWS; where it speaks of `cfnresponse`, that lies beside it."""
    files = {"index.py": source}
    if _RESPONSE.stem in source:
        files[_RESPONSE.name] = _RESPONSE.read_text()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as writer:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o644 << 16
            writer.writestr(entry, text)
    return archive.getvalue()


def _contents(work: Work) -> Mapping[str, Path]:
    code = work.properties.get("Code") or {}
    return {"Code": work.path(code["Local"])} if isinstance(code, dict) and "Local" in code else {}


def _publish(metadata: Members) -> str:
    """`Metadata: {Alight: {Publish: immediate}}` asks for AWS's timing of publishes (design, decision 3)."""
    return str((metadata.get("Alight") or {}).get("Publish", "staged"))


async def _create(work: Work) -> None:
    members = _configuration(work.properties) | given(work.properties, "Architectures") | tag_map(work.properties)
    members |= {"Code": _code(work), "AlightPublish": _publish(work.metadata)}
    await work.call("lambda", "CreateFunction", FunctionName=work.name, **members)
    await _reserve(work)
    await _let_loop(work)


async def _update(work: Work) -> None:
    # The configuration first: the packages are installed for the runtime that it names.
    wanted, before = _configuration(work.properties), _configuration(work.before)
    gone = {name: _DEFAULTS[name] for name in before.keys() - wanted.keys() if name in _DEFAULTS}
    members = wanted | gone | {"AlightPublish": _publish(work.metadata)}
    await work.call("lambda", "UpdateFunctionConfiguration", FunctionName=work.name, **members)
    await work.call("lambda", "UpdateFunctionCode", FunctionName=work.name, **_code(work))
    await _reserve(work)
    await _let_loop(work)
    if work.changed("Tags"):
        await _tag(work)


async def _tag(work: Work) -> None:
    resource = names.function_arn(work.name)
    before, now = (tag_map(properties).get("Tags", {}) for properties in (work.before, work.properties))
    if gone := sorted(before.keys() - now.keys()):
        await work.call("lambda", "UntagResource", Resource=resource, TagKeys=gone)
    if now:
        await work.call("lambda", "TagResource", Resource=resource, Tags=now)


async def _reserve(work: Work) -> None:
    reserved = given(work.properties, "ReservedConcurrentExecutions")
    if reserved:
        await work.call("lambda", "PutFunctionConcurrency", FunctionName=work.name, **reserved)
    elif "ReservedConcurrentExecutions" in work.before:
        await work.call("lambda", "DeleteFunctionConcurrency", FunctionName=work.name)


async def _let_loop(work: Work) -> None:
    """Where it leaves the template, loops are ended again, as where nobody has said anything."""
    if work.changed("RecursiveLoop"):
        wanted = work.properties.get("RecursiveLoop", "Terminate")
        await work.call("lambda", "PutFunctionRecursionConfig", FunctionName=work.name, RecursiveLoop=wanted)


async def _delete(work: Work) -> None:
    await work.quietly("lambda", "DeleteFunction", FunctionName=work.name)


async def _publish_layer(work: Work) -> Members:
    content: Members = work.properties["Content"]
    if "Local" in content:
        content = _local(work, content["Local"], "Correct ContentUri.")
    members = given(
        work.properties, "Description", "CompatibleRuntimes", "CompatibleArchitectures", "LicenseInfo"
    )  # fmt: skip
    made = await work.call("lambda", "PublishLayerVersion", LayerName=work.name, Content=content, **members)
    return {"Ref": made["LayerVersionArn"], "LayerVersionArn": made["LayerVersionArn"], "Version": made["Version"]}


async def _delete_layer(work: Work) -> None:
    if "Version" in work.known:
        members = {"LayerName": work.name, "VersionNumber": work.known["Version"]}
        await work.quietly("lambda", "DeleteLayerVersion", **members)


def _layer_contents(work: Work) -> Mapping[str, Path]:
    content = work.properties.get("Content") or {}
    return {"Content": work.path(content["Local"])} if isinstance(content, dict) and "Local" in content else {}


def _attributes(one: Named) -> Members:
    return {"Ref": one.name, "Arn": names.function_arn(one.name)}


FUNCTION = Provider(
    type="AWS::Lambda::Function",
    naming=Naming("FunctionName", 64),
    create=_create,
    update=_update,
    delete=_delete,
    attributes=_attributes,
    replaced_by=frozenset({"FunctionName"}),
    contents=_contents,
    needs=(("lambda", "CreateFunction"), ("lambda", "UpdateFunctionCode"), ("lambda", "DeleteFunction")),
)

LAYER_VERSION = Provider(
    type="AWS::Lambda::LayerVersion",
    naming=Naming("LayerName", 140),
    create=_publish_layer,
    delete=_delete_layer,
    attributes=lambda one: {},
    replaced_by=ALL,
    late=frozenset({"Ref", "LayerVersionArn"}),
    contents=_layer_contents,
    needs=(("lambda", "PublishLayerVersion"), ("lambda", "DeleteLayerVersion")),
)

PROVIDERS = (FUNCTION, LAYER_VERSION)
