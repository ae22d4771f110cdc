"""Integrations of a REST API's methods: what answers them, and how the answer is passed on."""

from __future__ import annotations

from typing import Any

from alight.calls import Call, Members
from alight.errors.apigateway import NotFoundException
from alight.services.apigateway import methods_rules as rules
from alight.services.apigateway.ledger import Edit, Ledger
from alight.services.apigateway.methods import find_method, method_of
from alight.services.apigateway.patches import Setter, entry, member, patch, whole

Body = dict[str, Any]

_TIMEOUT = "Timeout should be between 50 ms and 29000 ms"
_SETTERS: dict[str, Setter] = {
    "/uri": member("uri"),
    "/httpMethod": member("httpMethod"),
    "/timeoutInMillis": whole("timeoutInMillis", 50, 29_000, _TIMEOUT),
    "/passthroughBehavior": member("passthroughBehavior"),
    "/contentHandling": member("contentHandling"),
    "/credentials": member("credentials"),
    "/cacheNamespace": member("cacheNamespace"),
    "/requestParameters/": entry("requestParameters"),
    "/requestTemplates/": entry("requestTemplates"),
}
_RESPONSE_SETTERS: dict[str, Setter] = {
    "/selectionPattern": member("selectionPattern"),
    "/contentHandling": member("contentHandling"),
    "/responseParameters/": entry("responseParameters"),
    "/responseTemplates/": entry("responseTemplates"),
}


def integration_of(method: Body) -> Body:
    found: Body | None = method.get("methodIntegration")
    if found is None:
        raise NotFoundException("Invalid Integration identifier specified")
    return found


class Integrations:
    """The handlers."""

    def __init__(self, apis: Ledger) -> None:
        self._apis = apis

    async def put_integration(self, call: Call, given: Members) -> Members:
        find_method(self._apis, given)

        def change(edit: Edit) -> Members:
            method = method_of(edit.body, given)
            integration = rules.integration(given, method["httpMethod"], given["resourceId"])
            method["methodIntegration"] = integration
            return integration

        return await self._apis.change(given["restApiId"], change)

    async def get_integration(self, call: Call, given: Members) -> Members:
        return integration_of(find_method(self._apis, given))

    async def update_integration(self, call: Call, given: Members) -> Members:
        find_method(self._apis, given)

        def change(edit: Edit) -> Members:
            method = method_of(edit.body, given)
            integration = integration_of(method)
            patch(integration, given.get("patchOperations"), _SETTERS, ("/connectionId", "/connectionType"))
            asked = integration | {"integrationHttpMethod": integration.get("httpMethod")}
            checked = rules.integration(asked, method["httpMethod"], given["resourceId"])
            responses = integration.get("integrationResponses")
            method["methodIntegration"] = checked | ({"integrationResponses": responses} if responses else {})
            return dict(method["methodIntegration"])

        return await self._apis.change(given["restApiId"], change)

    async def delete_integration(self, call: Call, given: Members) -> Members:
        find_method(self._apis, given)

        def change(edit: Edit) -> None:
            method = method_of(edit.body, given)
            integration_of(method)
            del method["methodIntegration"]

        await self._apis.change(given["restApiId"], change)
        return {}

    async def put_integration_response(self, call: Call, given: Members) -> Members:
        find_method(self._apis, given)

        def change(edit: Edit) -> Members:
            method = method_of(edit.body, given)
            integration = integration_of(method)
            response = rules.integration_response(given, integration, method.get("methodResponses") or {})
            integration.setdefault("integrationResponses", {})[response["statusCode"]] = response
            return response

        return await self._apis.change(given["restApiId"], change)

    async def get_integration_response(self, call: Call, given: Members) -> Members:
        return _response(integration_of(find_method(self._apis, given)), given)

    async def update_integration_response(self, call: Call, given: Members) -> Members:
        find_method(self._apis, given)

        def change(edit: Edit) -> Members:
            method = method_of(edit.body, given)
            integration = integration_of(method)
            response = _response(integration, given)
            patch(response, given.get("patchOperations"), _RESPONSE_SETTERS)
            checked = rules.integration_response(response, integration, method.get("methodResponses") or {})
            integration["integrationResponses"][given["statusCode"]] = checked
            return checked

        return await self._apis.change(given["restApiId"], change)

    async def delete_integration_response(self, call: Call, given: Members) -> Members:
        find_method(self._apis, given)

        def change(edit: Edit) -> None:
            integration = integration_of(method_of(edit.body, given))
            _response(integration, given)
            del integration["integrationResponses"][given["statusCode"]]

        await self._apis.change(given["restApiId"], change)
        return {}


def _response(integration: Body, given: Members) -> Body:
    found: Body | None = (integration.get("integrationResponses") or {}).get(given["statusCode"])
    if found is None:
        raise NotFoundException("Invalid Response status code specified")
    return found
