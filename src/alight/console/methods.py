"""What the pages of APIs click together: a method with its function behind it, who may call that, and a deployment.

It is done as the console of AWS does it: API Gateway is let in, the method gets a Lambda proxy integration, and nobody
sees it before a stage is deployed.
"""

from __future__ import annotations

import hashlib
import re

from starlette.exceptions import HTTPException

from alight.console.world import World
from alight.errors import Fault
from alight.names import ACCOUNT, REGION, function_arn

METHODS = ("POST", "GET", "PUT", "DELETE", "PATCH", "ANY")
_VARIABLE = re.compile(r"\{[^/]*\}")


async def add_rest_method(world: World, api: str, method: str, path: str, function: str) -> None:
    """A method of a REST API, with the resources that its path needs. Raises the `Fault` of who refuses."""
    _check(path)
    await _let_in(world, api, method, path, function)
    place = {"restApiId": api, "resourceId": await _resource(world, api, path), "httpMethod": method}
    await world.call("apigateway", "PutMethod", {**place, "authorizationType": "NONE"})
    uri = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{function_arn(function)}/invocations"
    integration = {"type": "AWS_PROXY", "integrationHttpMethod": "POST", "uri": uri}
    await world.call("apigateway", "PutIntegration", {**place, **integration})


async def add_http_route(world: World, api: str, method: str, path: str, function: str) -> None:
    """A route of an HTTP API; stages that deploy by themselves have it at once."""
    _check(path)
    await _let_in(world, api, method, path, function)
    integration = {
        "ApiId": api,
        "IntegrationType": "AWS_PROXY",
        "IntegrationUri": function_arn(function),
        "PayloadFormatVersion": "2.0",
    }
    made = await world.call("apigatewayv2", "CreateIntegration", integration)
    route = {"ApiId": api, "RouteKey": f"{method} {path}", "Target": f"integrations/{made['IntegrationId']}"}
    try:
        await world.call("apigatewayv2", "CreateRoute", route)
    except Fault:
        # An integration that no route leads to would stay for ever.
        gone = {"ApiId": api, "IntegrationId": made["IntegrationId"]}
        await world.call("apigatewayv2", "DeleteIntegration", gone)
        raise


async def deploy(world: World, kind: str, api: str, stage: str) -> None:
    """What the API is now, to a stage; one that is not there is made."""
    if kind == "rest":
        await world.call("apigateway", "CreateDeployment", {"restApiId": api, "stageName": stage})
        return
    stages = (await world.call("apigatewayv2", "GetStages", {"ApiId": api})).get("Items") or []
    known = next((one for one in stages if one["StageName"] == stage), None)
    if known is None:
        await world.call("apigatewayv2", "CreateStage", {"ApiId": api, "StageName": stage, "AutoDeploy": True})
    elif not known.get("AutoDeploy"):
        await world.call("apigatewayv2", "CreateDeployment", {"ApiId": api, "StageName": stage})


def _check(path: str) -> None:
    if not path.startswith("/"):
        raise HTTPException(400, f"A path begins with a slash: /{path}")


async def _resource(world: World, api: str, path: str) -> str:
    """The id of the resource of a path, made with those above it where they are missing."""
    known: dict[str, str] = {}
    position = ""
    while True:
        given = {"restApiId": api, "limit": 500} | ({"position": position} if position else {})
        found = await world.call("apigateway", "GetResources", given)
        known |= {one["path"]: one["id"] for one in found["items"]}
        position = found.get("position") or ""
        if not position:
            break
    here, id = "", known["/"]
    for part in path.strip("/").split("/") if path != "/" else ():
        here = f"{here}/{part}"
        if here not in known:
            given = {"restApiId": api, "parentId": id, "pathPart": part}
            known[here] = (await world.call("apigateway", "CreateResource", given))["id"]
        id = known[here]
    return id


async def _let_in(world: World, api: str, method: str, path: str, function: str) -> None:
    """API Gateway may call the function for this route; where it may already, that stands."""
    shown = "*" if method == "ANY" else method
    digest = hashlib.sha256(f"{method} {path}".encode()).hexdigest()[:12]
    permission = {
        "FunctionName": function,
        "StatementId": f"console-api-{api}-{digest}",
        "Action": "lambda:InvokeFunction",
        "Principal": "apigateway.amazonaws.com",
        "SourceArn": f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{api}/*/{shown}{_VARIABLE.sub('*', path)}",
    }
    try:
        await world.call("lambda", "AddPermission", permission)
    except Fault as fault:
        if fault.code != "ResourceConflictException":
            raise
