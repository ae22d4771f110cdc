"""AWS::ApiGatewayV2::* : HTTP APIs and what stands in them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from alight.calls import Members
from alight.names import REGION
from alight.services.apigateway.uris import resource_arn
from alight.stacks.provider import Naming, Provider, Work
from alight.stacks.resources.apigateway import definition, definition_file, marks, needs
from alight.stacks.resources.values import as_text, given

SERVICE = "apigatewayv2"

_QUICK = ("RouteKey", "Target")


def _tags(properties: Members) -> dict[str, str]:
    return {name: as_text(value) for name, value in (properties.get("Tags") or {}).items()}


async def _create_api(work: Work) -> Members:
    asked = given(work.properties, "CorsConfiguration", "Description", "RouteSelectionExpression", *_QUICK)
    name = work.properties.get("Name") or work.name
    tags = _tags(work.properties) | marks(work)
    made = await work.call(SERVICE, "CreateApi", Name=name, ProtocolType="HTTP", Tags=tags, **asked)
    await _define(work, made["ApiId"])
    api_id = made["ApiId"]
    # As AWS spells it: whoever shows or uses it puts this instance's own address in its place.
    return {"Ref": api_id, "ApiId": api_id, "ApiEndpoint": f"https://{api_id}.execute-api.{REGION}.amazonaws.com"}


async def _update_api(work: Work) -> None:
    api_id, properties = work.known["Ref"], work.properties
    if work.changed("Tags"):
        arn = resource_arn(f"/apis/{api_id}")
        gone = list(_tags(work.before).keys() - _tags(properties).keys())
        await work.call(SERVICE, "TagResource", ResourceArn=arn, Tags=_tags(properties))
        await work.call(SERVICE, "UntagResource", ResourceArn=arn, TagKeys=gone)
    if "CorsConfiguration" in work.before and "CorsConfiguration" not in properties:
        await work.call(SERVICE, "DeleteCorsConfiguration", ApiId=api_id)
    await _define(work, api_id)
    asked = given(properties, "Name", "CorsConfiguration", "Description")
    asked |= {name: properties[name] for name in _QUICK if name in properties and work.changed(name)}
    if asked:
        await work.call(SERVICE, "UpdateApi", ApiId=api_id, **asked)


async def _define(work: Work, api_id: str) -> None:
    body = definition(work)
    if body is None:
        return
    asked: Members = {"Basepath": work.properties["BasePath"]} if "BasePath" in work.properties else {}
    asked |= given(work.properties, "FailOnWarnings")
    await work.call(SERVICE, "ReimportApi", ApiId=api_id, Body=body.decode(), **asked)
    beside = given(work.properties, "Name", "CorsConfiguration", "Description")
    if beside:
        await work.call(SERVICE, "UpdateApi", ApiId=api_id, **beside)


async def _delete_api(work: Work) -> None:
    for api_id in [work.known["Ref"]] if "Ref" in work.known else await _begun(work):
        await work.quietly(SERVICE, "DeleteApi", ApiId=api_id)


async def _begun(work: Work) -> list[str]:
    """APIs that were made for this resource before anybody could write down their ids."""
    items = await _all(work, "GetApis")
    return [api["ApiId"] for api in items if marks(work).items() <= (api.get("Tags") or {}).items()]


async def _all(work: Work, operation: str, **asked: Any) -> list[Members]:
    found: list[Members] = []
    token = None
    while True:
        page = await work.call(SERVICE, operation, **asked, **({"NextToken": token} if token else {}))
        found += page["Items"]
        token = page.get("NextToken")
        if not token:
            return found


def _settings(properties: Members) -> Members:
    asked = given(properties, "ApiId", "StageName", "AutoDeploy", "DeploymentId", "Description")
    asked["StageVariables"] = {name: as_text(value) for name, value in (properties.get("StageVariables") or {}).items()}
    return asked


async def _create_stage(work: Work) -> None:
    await work.call(SERVICE, "CreateStage", **_settings(work.properties), Tags=_tags(work.properties))


async def _update_stage(work: Work) -> None:
    gone = {"Description": ""} if "Description" in work.before else {}
    await work.call(SERVICE, "UpdateStage", **gone | _settings(work.properties))


async def _delete_stage(work: Work) -> None:
    await work.quietly(SERVICE, "DeleteStage", **given(work.properties, "ApiId", "StageName"))


async def _deploy(work: Work) -> Members:
    made = await work.call(SERVICE, "CreateDeployment", **given(work.properties, "ApiId", "StageName", "Description"))
    return {"Ref": made["DeploymentId"], "DeploymentId": made["DeploymentId"]}


async def _undeploy(work: Work) -> None:
    if "Ref" in work.known:
        here = given(work.properties, "ApiId") | {"DeploymentId": work.known["Ref"]}
        await work.quietly(SERVICE, "DeleteDeployment", **here)


#: What each part is known by before its id is written down, and what of it the operations take.
_IDENTITY = {"Route": "RouteKey", "Authorizer": "Name"}
_MEMBERS = {
    "Route": ("RouteKey", "Target", "AuthorizationType", "AuthorizerId", "OperationName"),
    "Integration": (
        *("IntegrationType", "IntegrationUri", "IntegrationMethod", "PayloadFormatVersion", "TimeoutInMillis"),
        *("Description", "CredentialsArn"),
    ),
    "Authorizer": (
        *("Name", "AuthorizerType", "AuthorizerUri", "AuthorizerPayloadFormatVersion", "AuthorizerResultTtlInSeconds"),
        *("EnableSimpleResponses", "IdentitySource", "AuthorizerCredentialsArn"),
    ),
}
#: What a property that left the template goes back to.
_DEFAULTS: Members = {
    "Target": "",
    "AuthorizationType": "NONE",
    "OperationName": "",
    "TimeoutInMillis": 30_000,
    "Description": "",
    "EnableSimpleResponses": False,
    "IdentitySource": [],
}


def _part(word: str) -> Provider:
    """Routes, integrations and authorizers are made, changed and removed alike."""
    own_id, members = f"{word}Id", _MEMBERS[word]

    async def create(work: Work) -> Members:
        made = await work.call(SERVICE, f"Create{word}", **given(work.properties, "ApiId", *members))
        return {"Ref": made[own_id], own_id: made[own_id]}

    async def update(work: Work) -> None:
        gone = [name for name in members if name in work.before and name not in work.properties]
        asked = {name: _DEFAULTS[name] for name in gone if name in _DEFAULTS} | given(work.properties, *members)
        here = given(work.properties, "ApiId") | {own_id: work.known["Ref"]}
        await work.call(SERVICE, f"Update{word}", **here, **asked)

    return Provider(
        type=f"AWS::ApiGatewayV2::{word}",
        naming=Naming(),
        create=create,
        update=update,
        delete=_removing(word, own_id),
        attributes=lambda one: {},
        replaced_by=frozenset({"ApiId"}),
        late=frozenset({"Ref", own_id}),
        needs=needs(SERVICE, f"Create{word}", f"Update{word}", f"Delete{word}"),
    )


def _removing(word: str, own_id: str) -> Callable[[Work], Awaitable[None]]:
    async def delete(work: Work) -> None:
        here, key = given(work.properties, "ApiId"), _IDENTITY.get(word, "")
        if "Ref" in work.known:
            ids = [work.known["Ref"]]
        elif key:
            items = await _all(work, f"Get{word}s", **here)
            ids = [one[own_id] for one in items if one[key] == work.properties[key]]
        else:
            # An integration that nothing points to answers nothing, and goes with its API.
            ids = []
        for part_id in ids:
            await work.quietly(SERVICE, f"Delete{word}", **here, **{own_id: part_id})

    return delete


PROVIDERS = (
    Provider(
        type="AWS::ApiGatewayV2::Api",
        naming=Naming(limit=128),
        create=_create_api,
        update=_update_api,
        delete=_delete_api,
        attributes=lambda one: {},
        late=frozenset({"Ref", "ApiId", "ApiEndpoint"}),
        contents=definition_file,
        needs=needs(SERVICE, "CreateApi", "ReimportApi", "UpdateApi", "DeleteApi"),
    ),
    Provider(
        type="AWS::ApiGatewayV2::Stage",
        naming=Naming("StageName", 128),
        create=_create_stage,
        update=_update_stage,
        delete=_delete_stage,
        attributes=lambda one: {"Ref": one.name},
        replaced_by=frozenset({"ApiId", "StageName"}),
        needs=needs(SERVICE, "CreateStage", "UpdateStage", "DeleteStage"),
    ),
    Provider(
        type="AWS::ApiGatewayV2::Deployment",
        naming=Naming(),
        create=_deploy,
        delete=_undeploy,
        attributes=lambda one: {},
        replaced_by=frozenset({"*"}),
        late=frozenset({"Ref", "DeploymentId"}),
        needs=needs(SERVICE, "CreateDeployment", "DeleteDeployment"),
    ),
    _part("Integration"),
    _part("Route"),
    _part("Authorizer"),
)
