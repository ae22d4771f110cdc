"""What stands in a REST API, piece by piece: resources, methods, deployments, stages, authorizers; and the account."""

from __future__ import annotations

from typing import Any

from alight.calls import Members
from alight.errors import Fault
from alight.stacks.provider import ALL, Naming, Provider, Work, is_absence
from alight.stacks.resources.apigateway import SERVICE, needs
from alight.stacks.resources.values import as_text, given, tag_map


def _renamed(properties: Members, *members: str) -> Members:
    """Properties as this service's members: the first letter small."""
    return {f"{name[0].lower()}{name[1:]}": value for name, value in given(properties, *members).items()}


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


PROVIDERS = (
    Provider(
        type="AWS::ApiGateway::Resource",
        naming=Naming(),
        create=_create_resource,
        delete=_delete_resource,
        attributes=lambda one: {},
        replaced_by=ALL,
        late=frozenset({"Ref", "ResourceId"}),
        needs=needs(SERVICE, "CreateResource", "DeleteResource"),
    ),
    Provider(
        type="AWS::ApiGateway::Method",
        naming=Naming(),
        create=_put_method,
        update=_put_method,
        delete=_delete_method,
        attributes=lambda one: {"Ref": one.name},
        replaced_by=frozenset({"RestApiId", "ResourceId", "HttpMethod"}),
        needs=needs(SERVICE, "PutMethod", "PutIntegration", "DeleteMethod"),
    ),
    Provider(
        type="AWS::ApiGateway::Deployment",
        naming=Naming(),
        create=_deploy,
        delete=_undeploy,
        attributes=lambda one: {},
        replaced_by=ALL,
        late=frozenset({"Ref", "DeploymentId"}),
        needs=needs(SERVICE, "CreateDeployment", "DeleteDeployment"),
    ),
    Provider(
        type="AWS::ApiGateway::Stage",
        naming=Naming("StageName", 128),
        create=_create_stage,
        update=_update_stage,
        delete=_delete_stage,
        attributes=lambda one: {"Ref": one.name},
        replaced_by=frozenset({"RestApiId", "StageName"}),
        needs=needs(SERVICE, "CreateStage", "UpdateStage", "DeleteStage"),
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
        needs=needs(SERVICE, "CreateAuthorizer", "UpdateAuthorizer", "DeleteAuthorizer"),
    ),
    Provider(
        type="AWS::ApiGateway::Account",
        naming=Naming(),
        create=_set_account,
        update=_set_account,
        delete=_leave_account,
        attributes=lambda one: {"Ref": one.name, "Id": one.name},
        needs=needs(SERVICE, "UpdateAccount"),
    ),
)
