"""AWS::ApiGateway::* : REST APIs and what stands in them.

An API keeps its id, and so its address, through every change. It carries its stack's and its logical id's names as
tags, as CloudFormation gives them, by which one that was made and not yet written down is found again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from alight.calls import Members
from alight.errors import AlightError, Fault
from alight.stacks.provider import ALL, Naming, Operation, Provider, Work, is_absence
from alight.stacks.resources.values import as_text, given, tag_map

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
        arn = f"arn:aws:apigateway:us-east-1::/restapis/{api_id}"
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


# Resource, Method ----------------------------------------------------------------------------------------------------


async def _create_resource(work: Work) -> Members:
    members = {"restApiId": "RestApiId", "parentId": "ParentId", "pathPart": "PathPart"}
    asked = {member: work.properties[name] for member, name in members.items()}
    made = await work.call(SERVICE, "CreateResource", **asked)
    return {"Ref": made["id"], "ResourceId": made["id"]}


async def _delete_resource(work: Work) -> None:
    api_id = work.properties["RestApiId"]
    if "Ref" in work.known:
        ids = [work.known["Ref"]]
    else:
        page = await work.call(SERVICE, "GetResources", restApiId=api_id, limit=500)
        place = (work.properties["ParentId"], work.properties["PathPart"])
        ids = [one["id"] for one in page["items"] if (one.get("parentId"), one.get("pathPart")) == place]
    for resource_id in ids:
        await work.quietly(SERVICE, "DeleteResource", restApiId=api_id, resourceId=resource_id)


def _method(properties: Members) -> Members:
    return {
        "restApiId": properties["RestApiId"],
        "resourceId": properties["ResourceId"],
        "httpMethod": properties["HttpMethod"],
    }


async def _put_method(work: Work) -> None:
    """Made anew, whole: a method is a few lines, and nothing is served before the next deployment."""
    properties, here = work.properties, _method(work.properties)
    await work.quietly(SERVICE, "DeleteMethod", **here)
    asked = _renamed(properties, "AuthorizerId", "OperationName", "RequestModels")
    parameters = properties.get("RequestParameters") or {}
    if parameters:
        asked["requestParameters"] = {name: as_text(value) == "true" for name, value in parameters.items()}
    await work.call(
        SERVICE, "PutMethod", **here, authorizationType=properties.get("AuthorizationType", "NONE"), **asked
    )
    for response in properties.get("MethodResponses") or []:
        declared = {
            name: as_text(value) == "true" for name, value in (response.get("ResponseParameters") or {}).items()
        }
        await work.call(
            SERVICE,
            "PutMethodResponse",
            **here,
            statusCode=response["StatusCode"],
            responseParameters=declared,
            **_renamed(response, "ResponseModels"),
        )
    await _put_integration(work, here)


async def _put_integration(work: Work, here: Members) -> None:
    integration = work.properties.get("Integration")
    if not integration:
        return
    asked = _renamed(
        integration,
        *("Type", "IntegrationHttpMethod", "Uri", "RequestParameters", "RequestTemplates"),
        *("PassthroughBehavior", "TimeoutInMillis", "ContentHandling", "Credentials"),
    )
    await work.call(SERVICE, "PutIntegration", **here, **asked)
    if integration["Type"] in ("AWS_PROXY", "HTTP_PROXY"):
        # The console writes a response beside every proxy; nothing of it can act.
        return
    for response in integration.get("IntegrationResponses") or []:
        members = ("StatusCode", "ResponseParameters", "ResponseTemplates", "SelectionPattern", "ContentHandling")
        await work.call(SERVICE, "PutIntegrationResponse", **here, **_renamed(response, *members))


def _renamed(properties: Members, *members: str) -> Members:
    """Properties as this service's members: the first letter small."""
    return {f"{name[0].lower()}{name[1:]}": value for name, value in given(properties, *members).items()}


async def _delete_method(work: Work) -> None:
    await work.quietly(SERVICE, "DeleteMethod", **_method(work.properties))


# Deployment, Stage, Authorizer, Account -------------------------------------------------------------------------------


async def _deploy(work: Work) -> Members:
    asked = _renamed(work.properties, "RestApiId", "StageName", "Description")
    stage = work.properties.get("StageDescription") or {}
    if "Description" in stage:
        asked["stageDescription"] = stage["Description"]
    if "Variables" in stage:
        asked["variables"] = _texts(stage["Variables"])
    made = await work.call(SERVICE, "CreateDeployment", **asked)
    return {"Ref": made["id"], "DeploymentId": made["id"]}


async def _undeploy(work: Work) -> None:
    """A stage that a deployment has made by itself goes with it; one that has moved on stays."""
    if "Ref" not in work.known:
        return
    api_id, deployment, stage = work.properties["RestApiId"], work.known["Ref"], work.properties.get("StageName")
    if stage and await _serves(work, api_id, stage, deployment):
        await work.quietly(SERVICE, "DeleteStage", restApiId=api_id, stageName=stage)
    await work.quietly(SERVICE, "DeleteDeployment", restApiId=api_id, deploymentId=deployment)


async def _serves(work: Work, api_id: str, stage: str, deployment: str) -> bool:
    try:
        found = await work.call(SERVICE, "GetStage", restApiId=api_id, stageName=stage)
    except Fault as fault:
        if not is_absence(fault):
            raise
        return False
    return bool(found["deploymentId"] == deployment)


def _texts(variables: Members) -> dict[str, str]:
    return {name: as_text(value) for name, value in variables.items()}


async def _create_stage(work: Work) -> None:
    asked = _renamed(work.properties, "RestApiId", "DeploymentId", "StageName", "Description")
    asked |= {"variables": _texts(work.properties.get("Variables") or {})} | tag_map(work.properties, "tags")
    await work.call(SERVICE, "CreateStage", **asked)


async def _update_stage(work: Work) -> None:
    properties = work.properties
    operations: list[Members] = [{"op": "replace", "path": "/deploymentId", "value": properties["DeploymentId"]}]
    if "Description" in properties:
        operations.append({"op": "replace", "path": "/description", "value": properties["Description"]})
    elif "Description" in work.before:
        operations.append({"op": "remove", "path": "/description"})
    wanted, before = _texts(properties.get("Variables") or {}), work.before.get("Variables") or {}
    operations += [{"op": "remove", "path": f"/variables/{name}"} for name in before if name not in wanted]
    operations += [{"op": "replace", "path": f"/variables/{name}", "value": value} for name, value in wanted.items()]
    here = _renamed(properties, "RestApiId", "StageName")
    await work.call(SERVICE, "UpdateStage", **here, patchOperations=operations)


async def _delete_stage(work: Work) -> None:
    await work.quietly(SERVICE, "DeleteStage", **_renamed(work.properties, "RestApiId", "StageName"))


_AUTHORIZER = (
    "Type",
    "AuthorizerUri",
    "IdentitySource",
    "IdentityValidationExpression",
    "AuthorizerResultTtlInSeconds",
)


async def _create_authorizer(work: Work) -> Members:
    asked = _renamed(work.properties, "RestApiId", "Name", "AuthorizerCredentials", "AuthType", *_AUTHORIZER)
    made = await work.call(SERVICE, "CreateAuthorizer", **asked)
    return {"Ref": made["id"], "AuthorizerId": made["id"]}


async def _update_authorizer(work: Work) -> None:
    operations: list[Members] = []
    for name in ("Name", *_AUTHORIZER):
        path = f"/{name[0].lower()}{name[1:]}"
        if name in work.properties:
            operations.append({"op": "replace", "path": path, "value": as_text(work.properties[name])})
        elif name in work.before:
            operations.append({"op": "replace", "path": path, "value": "300" if name.endswith("Seconds") else ""})
    here = _renamed(work.properties, "RestApiId") | {"authorizerId": work.known["Ref"]}
    await work.call(SERVICE, "UpdateAuthorizer", **here, patchOperations=operations)


async def _delete_authorizer(work: Work) -> None:
    api_id = work.properties["RestApiId"]
    if "Ref" in work.known:
        ids = [work.known["Ref"]]
    else:
        items = (await work.call(SERVICE, "GetAuthorizers", restApiId=api_id, limit=500))["items"]
        ids = [one["id"] for one in items if one["name"] == work.properties["Name"]]
    for authorizer_id in ids:
        await work.quietly(SERVICE, "DeleteAuthorizer", restApiId=api_id, authorizerId=authorizer_id)


async def _set_account(work: Work) -> None:
    role: Any = work.properties.get("CloudWatchRoleArn", "")
    operation = {"op": "replace", "path": "/cloudwatchRoleArn", "value": role}
    await work.call(SERVICE, "UpdateAccount", patchOperations=[operation])


async def _leave_account(work: Work) -> None:
    """The account is there for all, as on AWS."""


def _needs(*operations: str) -> tuple[Operation, ...]:
    return tuple((SERVICE, operation) for operation in operations)


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
        needs=_needs("CreateRestApi", "PutRestApi", "UpdateRestApi", "DeleteRestApi"),
    ),
    Provider(
        type="AWS::ApiGateway::Resource",
        naming=Naming(),
        create=_create_resource,
        delete=_delete_resource,
        attributes=lambda one: {},
        replaced_by=ALL,
        late=frozenset({"Ref", "ResourceId"}),
        needs=_needs("CreateResource", "DeleteResource"),
    ),
    Provider(
        type="AWS::ApiGateway::Method",
        naming=Naming(),
        create=_put_method,
        update=_put_method,
        delete=_delete_method,
        attributes=lambda one: {"Ref": one.name},
        replaced_by=frozenset({"RestApiId", "ResourceId", "HttpMethod"}),
        needs=_needs("PutMethod", "PutIntegration", "DeleteMethod"),
    ),
    Provider(
        type="AWS::ApiGateway::Deployment",
        naming=Naming(),
        create=_deploy,
        delete=_undeploy,
        attributes=lambda one: {},
        replaced_by=ALL,
        late=frozenset({"Ref", "DeploymentId"}),
        needs=_needs("CreateDeployment", "DeleteDeployment"),
    ),
    Provider(
        type="AWS::ApiGateway::Stage",
        naming=Naming("StageName", 128),
        create=_create_stage,
        update=_update_stage,
        delete=_delete_stage,
        attributes=lambda one: {"Ref": one.name},
        replaced_by=frozenset({"RestApiId", "StageName"}),
        needs=_needs("CreateStage", "UpdateStage", "DeleteStage"),
    ),
    Provider(
        type="AWS::ApiGateway::Authorizer",
        naming=Naming(),
        create=_create_authorizer,
        update=_update_authorizer,
        delete=_delete_authorizer,
        attributes=lambda one: {},
        replaced_by=frozenset({"RestApiId"}),
        late=frozenset({"Ref", "AuthorizerId"}),
        needs=_needs("CreateAuthorizer", "UpdateAuthorizer", "DeleteAuthorizer"),
    ),
    Provider(
        type="AWS::ApiGateway::Account",
        naming=Naming(),
        create=_set_account,
        update=_set_account,
        delete=_leave_account,
        attributes=lambda one: {"Ref": one.name, "Id": one.name},
        needs=_needs("UpdateAccount"),
    ),
)
