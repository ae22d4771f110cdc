"""Methods of a REST API's resources, and the responses they declare."""

from __future__ import annotations

from typing import Any

from alight.calls import Call, Members
from alight.errors.apigateway import BadRequestException, ConflictException, NotFoundException
from alight.services.apigateway import methods_rules as rules
from alight.services.apigateway.ledger import Edit, Ledger
from alight.services.apigateway.patches import Setter, entry, flag, member, patch
from alight.services.apigateway.resources import resource_of

Body = dict[str, Any]


def method_of(body: Body, given: Members) -> Body:
    resource = resource_of(body, given["resourceId"])
    found: Body | None = resource["Methods"].get(rules.verb_of(given))
    if found is None:
        raise NotFoundException("Invalid Method identifier specified")
    return found


def find_method(apis: Ledger, given: Members) -> Body:
    """As it is described now. An API that is not there is a resource that is not there, as on AWS."""
    body = apis.find(given["restApiId"])
    if body is None:
        raise NotFoundException("Invalid Resource identifier specified")
    return method_of(body, given)


_SETTERS: dict[str, Setter] = {
    "/authorizationType": member("authorizationType"),
    "/authorizerId": member("authorizerId"),
    "/operationName": member("operationName"),
    "/apiKeyRequired": flag("apiKeyRequired"),
    "/requestParameters/": entry("requestParameters", lambda text: text.lower() == "true"),
    "/requestModels/": entry("requestModels"),
    "/requestValidatorId": member("requestValidatorId"),
}
_RESPONSE_SETTERS: dict[str, Setter] = {
    "/responseParameters/": entry("responseParameters", lambda text: text.lower() == "true"),
    "/responseModels/": entry("responseModels"),
}


class Methods:
    """The handlers."""

    def __init__(self, apis: Ledger) -> None:
        self._apis = apis

    async def put_method(self, call: Call, given: Members) -> Members:
        if self._apis.find(given["restApiId"]) is None:
            raise NotFoundException("Invalid Resource identifier specified")

        def change(edit: Edit) -> Members:
            resource = resource_of(edit.body, given["resourceId"])
            method = rules.method(given, edit.body["Authorizers"])
            if method["httpMethod"] in resource["Methods"]:
                raise ConflictException("Method already exists for this resource")
            resource["Methods"][method["httpMethod"]] = method
            return method

        return await self._apis.change(given["restApiId"], change)

    async def get_method(self, call: Call, given: Members) -> Members:
        return find_method(self._apis, given)

    async def update_method(self, call: Call, given: Members) -> Members:
        find_method(self._apis, given)

        def change(edit: Edit) -> Members:
            method = method_of(edit.body, given)
            patch(method, given.get("patchOperations"), _SETTERS, ("/authorizationScopes",))
            parts = {name: method.pop(name) for name in ("methodResponses", "methodIntegration") if name in method}
            if method["authorizationType"].upper() != "CUSTOM":
                method.pop("authorizerId", None)
            checked = rules.method(method, edit.body["Authorizers"]) | parts
            method.clear()
            method |= checked
            return method

        return await self._apis.change(given["restApiId"], change)

    async def delete_method(self, call: Call, given: Members) -> Members:
        find_method(self._apis, given)

        def change(edit: Edit) -> None:
            method = method_of(edit.body, given)
            del resource_of(edit.body, given["resourceId"])["Methods"][method["httpMethod"]]

        await self._apis.change(given["restApiId"], change)
        return {}

    async def put_method_response(self, call: Call, given: Members) -> Members:
        find_method(self._apis, given)

        def change(edit: Edit) -> Members:
            responses = method_of(edit.body, given).setdefault("methodResponses", {})
            response = rules.method_response(given)
            if response["statusCode"] in responses:
                raise ConflictException("Response already exists for this resource")
            responses[response["statusCode"]] = response
            return response

        return await self._apis.change(given["restApiId"], change)

    async def get_method_response(self, call: Call, given: Members) -> Members:
        return _response(find_method(self._apis, given), given)

    async def update_method_response(self, call: Call, given: Members) -> Members:
        find_method(self._apis, given)

        def change(edit: Edit) -> Members:
            response = _response(method_of(edit.body, given), given)
            patch(response, given.get("patchOperations"), _RESPONSE_SETTERS)
            rules.method_response(response)
            return response

        return await self._apis.change(given["restApiId"], change)

    async def delete_method_response(self, call: Call, given: Members) -> Members:
        find_method(self._apis, given)

        def change(edit: Edit) -> None:
            method = method_of(edit.body, given)
            _response(method, given)
            del method["methodResponses"][given["statusCode"]]

        await self._apis.change(given["restApiId"], change)
        return {}


def _response(method: Body, given: Members) -> Body:
    found: Body | None = (method.get("methodResponses") or {}).get(given["statusCode"])
    if found is None:
        raise NotFoundException("Invalid Response status code specified")
    return found


def check_deployable(body: Body) -> None:
    """Raises what AWS says of an API that nothing could be served of."""
    methods = [method for resource in body["Resources"].values() for method in resource["Methods"].values()]
    if not methods:
        raise BadRequestException("The REST API doesn't contain any methods")
    for method in methods:
        integration = method.get("methodIntegration")
        if integration is None:
            raise BadRequestException("No integration defined for method")
        if integration["type"] in ("AWS", "MOCK") and "200" not in (integration.get("integrationResponses") or {}):
            raise rules.refuse(
                f"{method['httpMethod']} with an integration of type {integration['type']} that has no integration "
                "response 200: AWS would answer 500; add one (PutIntegrationResponse)"
            )
