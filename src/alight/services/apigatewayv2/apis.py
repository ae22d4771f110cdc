"""HTTP APIs as a whole: made (at once with a route, where a target is given), described, imported, deleted."""

from __future__ import annotations

from typing import Any

from alight import names
from alight.calls import Call, Members
from alight.errors.apigateway import BadRequestException, NotFoundException
from alight.services.apigateway.ledger import Edit, Ledger, stage_of
from alight.services.apigateway.methods_rules import refuse
from alight.services.apigateway.openapi import Document, read_document, understood
from alight.services.apigateway.tags import tagged
from alight.services.apigateway.uris import function_of
from alight.services.apigatewayv2 import rules
from alight.services.apigatewayv2.deploying import follow, with_moments
from alight.services.apigatewayv2.imports import imported
from alight.services.apigatewayv2.pages import page
from alight.services.apigatewayv2.stages import new_stage

Body = dict[str, Any]

#: Where APIs are served, below this instance's address.
MOUNT = "/_aws/execute-api"
_SELECTION = "$request.method $request.path"


def new_api(given: Members, now: float) -> Body:
    """The record of a new HTTP API."""
    if given.get("ProtocolType", "HTTP") != "HTTP":
        if given["ProtocolType"] == "WEBSOCKET":
            raise refuse("ProtocolType WEBSOCKET")
        raise BadRequestException("Invalid protocol specified. Must be one of [HTTP, WEBSOCKET]")
    _check(given)
    api: Members = {
        "ApiId": names.new_short_id(),
        "Name": given["Name"],
        "ProtocolType": "HTTP",
        "CreatedDate": now,
        "ApiKeySelectionExpression": "$request.header.x-api-key",
        "RouteSelectionExpression": _SELECTION,
        "DisableExecuteApiEndpoint": False,
        "IpAddressType": given.get("IpAddressType") or "ipv4",
        "Tags": given.get("Tags") or {},
    }
    api |= {name: given[name] for name in ("Description", "Version") if given.get(name)}
    if given.get("CorsConfiguration"):
        api["CorsConfiguration"] = rules.cors(given["CorsConfiguration"])
    return {"Api": api, "Routes": {}, "Integrations": {}, "Authorizers": {}, "Stages": {}, "Deployments": {}}


def _check(given: Members) -> None:
    if given.get("DisableExecuteApiEndpoint"):
        raise refuse("DisableExecuteApiEndpoint: the address that API Gateway gives is the only one there is")
    if given.get("RouteSelectionExpression") not in (None, _SELECTION):
        raise BadRequestException(f"RouteSelectionExpression for HTTP APIs must be {_SELECTION}")


def described(body: Body, call: Call) -> Members:
    api = body["Api"]
    return with_moments(api) | {"ApiEndpoint": f"{call.base_url}{MOUNT}/{api['ApiId']}"}


class Apis:
    """The handlers."""

    def __init__(self, apis: Ledger) -> None:
        self._apis = apis

    async def create_api(self, call: Call, given: Members) -> Members:
        body = new_api(given, self._apis.now())
        if given.get("RouteKey") and not given.get("Target"):
            raise BadRequestException("Target must be set when RouteKey is set")
        then = (lambda edit: _quickly(edit, given)) if given.get("Target") else None
        await self._apis.create(body["Api"]["ApiId"], body, then)
        return described(body, call)

    async def get_api(self, call: Call, given: Members) -> Members:
        return described(self._apis.body(given["ApiId"]), call)

    async def get_apis(self, call: Call, given: Members) -> Members:
        return page([described(body, call) for body in self._apis.all()], given)

    async def update_api(self, call: Call, given: Members) -> Members:
        _check(given)

        def change(edit: Edit) -> Members:
            api = edit.body["Api"]
            api |= {
                name: given[name] for name in ("Name", "Description", "Version", "IpAddressType") if given.get(name)
            }
            if given.get("CorsConfiguration") is not None:
                api["CorsConfiguration"] = rules.cors(given["CorsConfiguration"])
            if given.get("RouteKey") or given.get("Target") or given.get("CredentialsArn"):
                _change_quick(edit.body, given)
            follow(edit)
            return described(edit.body, call)

        return await self._apis.change(given["ApiId"], change)

    async def delete_api(self, call: Call, given: Members) -> Members:
        await self._apis.delete(given["ApiId"])
        return {}

    async def delete_cors_configuration(self, call: Call, given: Members) -> Members:
        def change(edit: Edit) -> None:
            edit.body["Api"].pop("CorsConfiguration", None)
            follow(edit)

        await self._apis.change(given["ApiId"], change)
        return {}

    async def import_api(self, call: Call, given: Members) -> Members:
        document = read_document(given["Body"])
        body = new_api({"Name": "Untitled"}, self._apis.now())
        warnings = understood(lambda: imported(body, document, given.get("Basepath") or "ignore"))
        _check_warnings(given, warnings)
        await self._apis.create(body["Api"]["ApiId"], body)
        return _with_warnings(described(body, call), warnings)

    async def reimport_api(self, call: Call, given: Members) -> Members:
        document = read_document(given["Body"])

        def change(edit: Edit) -> Members:
            warnings = understood(lambda: imported(edit.body, document, given.get("Basepath") or "ignore"))
            _check_warnings(given, warnings)
            follow(edit)
            return _with_warnings(described(edit.body, call), warnings)

        return await self._apis.change(given["ApiId"], change)

    async def tag_resource(self, call: Call, given: Members) -> Members:
        await self._tag(given["ResourceArn"], lambda tags: tags | (given.get("Tags") or {}))
        return {}

    async def untag_resource(self, call: Call, given: Members) -> Members:
        gone = given["TagKeys"]
        await self._tag(given["ResourceArn"], lambda tags: {key: tags[key] for key in tags if key not in gone})
        return {}

    async def get_tags(self, call: Call, given: Members) -> Members:
        api, stage = tagged(given["ResourceArn"])
        body = self._apis.body(api)
        return {"Tags": (stage_of(body, stage) if stage else body["Api"]).get("Tags") or {}}

    async def _tag(self, arn: str, changed: Any) -> None:
        api, stage = tagged(arn)

        def change(edit: Edit) -> None:
            holder = stage_of(edit.body, stage) if stage else edit.body["Api"]
            holder["Tags"] = changed(holder.get("Tags") or {})

        await self._apis.change(api, change)


def check_definition(document: Document) -> None:
    """Raises what importing this would, and changes nothing."""
    understood(lambda: imported(new_api({"Name": "scratch"}, 0.0), document))


def _quickly(edit: Edit, given: Members) -> None:
    """Quick create: a target makes an integration, a route and a stage that deploys by itself."""
    integration = rules.integration(_quick_integration(given), names.new_short_id(7))
    edit.body["Integrations"][integration["IntegrationId"]] = integration | {"ApiGatewayManaged": True}
    asked = {"RouteKey": given.get("RouteKey") or "$default", "Target": f"integrations/{integration['IntegrationId']}"}
    route = rules.route(asked, edit.body, names.new_short_id(7))
    edit.body["Routes"][route["RouteId"]] = route | {"ApiGatewayManaged": True}
    stage = new_stage({"StageName": "$default", "AutoDeploy": True}, edit.now)
    edit.body["Stages"]["$default"] = stage | {"ApiGatewayManaged": True}
    follow(edit)


def _quick_integration(given: Members) -> Members:
    target = str(given["Target"])
    asked: Members = {"IntegrationUri": target, "CredentialsArn": given.get("CredentialsArn")}
    if function_of(target):
        return asked | {"IntegrationType": "AWS_PROXY", "PayloadFormatVersion": "2.0"}
    return asked | {"IntegrationType": "HTTP_PROXY", "IntegrationMethod": "ANY", "PayloadFormatVersion": "1.0"}


def _change_quick(body: Body, given: Members) -> None:
    """A new target or route key for what quick create has made."""
    routes = [one for one in body["Routes"].values() if one.get("ApiGatewayManaged")]
    integrations = [one for one in body["Integrations"].values() if one.get("ApiGatewayManaged")]
    if not routes or not integrations:
        raise NotFoundException("RouteKey and Target can only be updated for an API that was made by quick create")
    route, integration = routes[0], integrations[0]
    if given.get("Target"):
        made = rules.integration(_quick_integration(given), integration["IntegrationId"])
        body["Integrations"][integration["IntegrationId"]] = made | {"ApiGatewayManaged": True}
    if given.get("RouteKey"):
        made = rules.route(route | {"RouteKey": given["RouteKey"]}, body, route["RouteId"])
        body["Routes"][route["RouteId"]] = made | {"ApiGatewayManaged": True}


def _check_warnings(given: Members, warnings: list[str]) -> None:
    if given.get("FailOnWarnings") and warnings:
        raise BadRequestException(f"Warnings found during import:\n\t{chr(10).join(warnings)}")


def _with_warnings(shown: Members, warnings: list[str]) -> Members:
    return shown | ({"Warnings": warnings} if warnings else {})
