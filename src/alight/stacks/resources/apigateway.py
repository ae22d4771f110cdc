"""AWS::ApiGateway::RestApi.

An API keeps its id, and so its address, through every change. It carries its stack's and its logical id's names as
tags, as CloudFormation gives them, by which one that was made and not yet written down is found again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from alight.calls import Members
from alight.errors import AlightError
from alight.services.apigateway.uris import resource_arn
from alight.stacks.provider import Naming, Operation, Provider, Work
from alight.stacks.resources.values import as_text, tag_map

SERVICE = "apigateway"


def marks(work: Work) -> dict[str, str]:
    """The tags by which a stack knows its own."""
    return {"aws:cloudformation:stack-name": work.around.stack, "aws:cloudformation:logical-id": work.logical_id}


def definition(work: Work) -> bytes | None:
    """The OpenAPI body: in the template, or in a file beside it."""
    if work.properties.get("Body"):
        return json.dumps(work.properties["Body"]).encode()
    local = (work.properties.get("BodyS3Location") or {}).get("Local")
    if local is None:
        return None
    path = work.path(local)
    if not path.is_file():
        raise AlightError(f"There is no definition at {path}.", "Correct DefinitionUri.")
    return path.read_bytes()


def definition_file(work: Work) -> Mapping[str, Path]:
    location = work.properties.get("BodyS3Location")
    local = location.get("Local") if isinstance(location, dict) else None
    return {"BodyS3Location": work.path(local)} if local is not None else {}


# RestApi -------------------------------------------------------------------------------------------------------------


async def _create_api(work: Work) -> Members:
    name = work.properties.get("Name") or work.name
    tags = tag_map(work.properties, "tags").get("tags", {}) | marks(work)
    endpoint = _endpoint(work.properties)
    made = await work.call(SERVICE, "CreateRestApi", name=name, tags=tags, **endpoint)
    known = {"Ref": made["id"], "RestApiId": made["id"], "RootResourceId": made["rootResourceId"]}
    await _define(work, made["id"])
    return known


def _endpoint(properties: Members) -> Members:
    types = (properties.get("EndpointConfiguration") or {}).get("Types")
    return {"endpointConfiguration": {"types": types}} if types else {}


async def _update_api(work: Work) -> Members | None:
    api_id = work.known["Ref"]
    if work.changed("Tags"):
        tags = tag_map(work.properties, "tags").get("tags", {})
        gone = list(tag_map(work.before, "tags").get("tags", {}).keys() - tags.keys())
        arn = resource_arn(f"/restapis/{api_id}")
        await work.call(SERVICE, "TagResource", resourceArn=arn, tags=tags)
        await work.call(SERVICE, "UntagResource", resourceArn=arn, tagKeys=gone)
    await _define(work, api_id)
    return None


async def _define(work: Work, api_id: str) -> None:
    """Make the API what the template says: the body first, then what stands beside it."""
    body = definition(work)
    if body is not None:
        parameters = {name: as_text(value) for name, value in (work.properties.get("Parameters") or {}).items()}
        await work.call(
            SERVICE,
            "PutRestApi",
            restApiId=api_id,
            mode=work.properties.get("Mode", "overwrite"),
            failOnWarnings=work.properties.get("FailOnWarnings", False),
            parameters=parameters,
            body=body,
        )
    operations = _operations(work)
    if operations:
        await work.call(SERVICE, "UpdateRestApi", restApiId=api_id, patchOperations=operations)


def _operations(work: Work) -> list[Members]:
    properties, before = work.properties, work.before
    operations = []
    for name, path in (("Name", "/name"), ("Description", "/description"), ("MinimumCompressionSize", None)):
        path = path or "/minimumCompressionSize"
        if name in properties:
            operations.append({"op": "replace", "path": path, "value": as_text(properties[name])})
        elif name in before and name != "Name" and definition(work) is None:
            operations.append({"op": "remove", "path": path})
    # CloudFormation takes `image~1png`, as the service's own paths spell it, and `image/png`.
    wanted = [_escaped(kind) for kind in properties.get("BinaryMediaTypes") or []]
    gone = {_escaped(kind) for kind in before.get("BinaryMediaTypes") or []} - set(wanted)
    operations += [{"op": "remove", "path": f"/binaryMediaTypes/{kind}"} for kind in sorted(gone)]
    return operations + [{"op": "add", "path": f"/binaryMediaTypes/{kind}"} for kind in wanted]


def _escaped(kind: str) -> str:
    return kind.replace("/", "~1")


async def _delete_api(work: Work) -> None:
    for api_id in [work.known["Ref"]] if "Ref" in work.known else await _begun(work):
        await work.quietly(SERVICE, "DeleteRestApi", restApiId=api_id)


async def _begun(work: Work) -> list[str]:
    """APIs that were made for this resource before anybody could write down their ids."""
    found, position = [], None
    while True:
        page = await work.call(SERVICE, "GetRestApis", limit=500, **({"position": position} if position else {}))
        found += [api["id"] for api in page["items"] if marks(work).items() <= (api.get("tags") or {}).items()]
        position = page.get("position")
        if not position:
            return found


def needs(service: str, *operations: str) -> tuple[Operation, ...]:
    """Operations of one service, as a `Provider` names them."""
    return tuple((service, operation) for operation in operations)


PROVIDERS = (
    Provider(
        type="AWS::ApiGateway::RestApi",
        naming=Naming(limit=128),
        create=_create_api,
        update=_update_api,
        delete=_delete_api,
        attributes=lambda one: {},
        late=frozenset({"Ref", "RestApiId", "RootResourceId"}),
        contents=definition_file,
        needs=needs(SERVICE, "CreateRestApi", "PutRestApi", "UpdateRestApi", "DeleteRestApi"),
    ),
)
