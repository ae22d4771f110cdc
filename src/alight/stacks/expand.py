"""Second step: `AWS::Serverless::*` becomes plain CloudFormation, by AWS's own translator.

The translator runs in a child process (see `sam`) and only when the template, its parameters or the code's
content changed in a way that it can see; its answer is kept in `<data>/stacks/`. It insists on code that lies in
S3, so local paths travel as placeholders and come back as `{"Local": path}`, relative as they were written.
"""

from __future__ import annotations

import asyncio
import copy
import hashlib
import json
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from alight.calls import Members
from alight.errors import AlightError
from alight.names import REGION
from alight.stacks.contents import fingerprint
from alight.stacks.load import Template, canonical
from alight.stacks.problems import Problem, TemplateRefused, at

SAM = "AWS::Serverless-2016-10-31"
#: Nothing to expand: its functions (ToJsonString, Length) are part of the resolver.
LANGUAGE_EXTENSIONS = "AWS::LanguageExtensions"
PLACEHOLDER = "alight-local"
KEPT = 16
_VERSION = "1"
_URIS = frozenset({"CodeUri", "ContentUri", "DefinitionUri"})
_FAR = ("s3://", "http://", "https://")


async def expand(
    template: Template, parameters: Mapping[str, Any], policies: Mapping[str, str], cache: Path
) -> Members:
    """The template's body in plain CloudFormation, code as `{"Local": path}` where it is local.

    `parameters` are the values that were given (the translator adds defaults), `policies` maps the managed
    policies' names to ARNs, `cache` is a folder. Raises `TemplateRefused`.
    """
    transforms = template.body.get("Transform", [])
    transforms = transforms if isinstance(transforms, list) else [transforms]
    _refuse_unknown(template, transforms)
    body = copy.deepcopy(template.body)
    if SAM in transforms:
        marked = await asyncio.to_thread(_mark, body, template) if template.anchored else body
        body = await _translated(template, marked, parameters, policies, cache)
    body.pop("Transform", None)
    # An address that came over the wire is not one of ours, whatever it looks like.
    return _localised(_unmark(body)) if template.anchored else body


def _refuse_unknown(template: Template, transforms: list[Any]) -> None:
    problems: list[Problem] = []
    for transform in transforms:
        if transform not in (SAM, LANGUAGE_EXTENSIONS):
            problems.append(at(template, ("Transform",), f"the macro {transform} is not offered."))
    for steps in template.lines:
        if steps and isinstance(steps[-1], str) and steps[-1].startswith("Fn::ForEach"):
            problems.append(at(template, steps, "Fn::ForEach is not offered; write the resources out."))
    resources = template.body.get("Resources")
    if not isinstance(resources, dict) or not resources:
        raise TemplateRefused(
            [at(template, ("Resources",), "a template needs a section Resources with something in it.")]
        )
    for name, resource in resources.items():
        if not isinstance(resource, dict) or not isinstance(resource.get("Type"), str):
            if not name.startswith("Fn::ForEach"):
                problems.append(at(template, ("Resources", name), "a resource is a mapping with a Type."))
        elif resource["Type"].startswith("AWS::Serverless::") and SAM not in transforms:
            problems.append(at(template, ("Resources", name), f"{resource['Type']} needs `Transform: {SAM}`."))
    if problems:
        raise TemplateRefused(problems)


def _mark(body: Members, template: Template) -> Members:
    """Local URIs of serverless resources become S3 addresses that carry the path."""
    resources = [r for r in body["Resources"].values() if r["Type"].startswith("AWS::Serverless::")]
    holders = [r.get("Properties") for r in resources] + list((body.get("Globals") or {}).values())
    versioned = any(isinstance(holder, dict) and "AutoPublishAlias" in holder for holder in holders)
    for holder in holders:
        for name in _URIS & set(holder if isinstance(holder, dict) else ()):
            uri = holder[name]
            if isinstance(uri, str) and not uri.startswith(_FAR):
                # A deployment is one of this definition, a version one of this code, a layer's version one of this
                # content: they see what is in it.
                seen = versioned or name in ("DefinitionUri", "ContentUri")
                content = fingerprint(template.folder / uri) if seen else "-"
                holder[name] = f"s3://{PLACEHOLDER}/{content}/{uri.encode().hex()}"
    return body


def _unmark(value: Any) -> Any:
    """`_mark` undone, wherever the translator has put the address."""
    if isinstance(value, list):
        return [_unmark(item) for item in value]
    if not isinstance(value, dict):
        return value
    for bucket, key in (("S3Bucket", "S3Key"), ("Bucket", "Key")):
        if value.get(bucket) == PLACEHOLDER:
            return {"Local": bytes.fromhex(value[key].rpartition("/")[2]).decode()}
    return {name: _unmark(item) for name, item in value.items()}


def _localised(body: Members) -> Members:
    """A plain function's `Code: path`, the form that `aws cloudformation package` takes, is a local path too."""
    for resource in body["Resources"].values():
        properties = resource.get("Properties") if isinstance(resource, dict) else None
        if isinstance(properties, dict) and resource.get("Type") == "AWS::Lambda::Function":
            code = properties.get("Code")
            if isinstance(code, str) and not code.startswith(_FAR):
                properties["Code"] = {"Local": code}
    return body


async def _translated(
    template: Template, marked: Members, parameters: Mapping[str, Any], policies: Mapping[str, str], cache: Path
) -> Members:
    asked = {"template": marked, "parameters": dict(parameters), "policies": dict(policies), "region": REGION}
    key = canonical([_VERSION, metadata.version("aws-sam-translator"), asked])
    kept = cache / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"
    answer = await asyncio.to_thread(_read, kept)
    if answer is None:
        answer = await _run_translator(asked)
        if "problems" in answer:
            raise TemplateRefused(at(template, _steps(p["resource"]), p["message"]) for p in answer["problems"])
        await asyncio.to_thread(_keep, kept, answer)
    result: Members = answer["template"]
    return result


def _steps(logical_id: str) -> tuple[str, ...]:
    return ("Resources", logical_id) if logical_id else ()


async def _run_translator(asked: Members) -> Members:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "alight.stacks.sam",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        answer, complaint = await process.communicate(json.dumps(asked).encode())
    except BaseException:
        process.kill()
        await process.wait()
        raise
    if process.returncode != 0:
        reason = complaint.decode(errors="replace").strip().rpartition("\n")[2]
        raise AlightError(f"The SAM translator failed on this template: {reason}")
    result: Members = json.loads(answer)
    return result


def _read(path: Path) -> Members | None:
    try:
        kept: Members = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return kept


def _keep(path: Path, answer: Members) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(answer))
    temporary.rename(path)
    ages = sorted(path.parent.glob("*.json"), key=lambda file: file.stat().st_mtime)
    for old in ages[:-KEPT]:
        old.unlink(missing_ok=True)
