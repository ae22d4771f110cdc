"""REST APIs as a whole: made, described, changed, imported and deleted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from alight import names
from alight.calls import Call, Members
from alight.errors.apigateway import BadRequestException
from alight.services.apigateway.imports import imported
from alight.services.apigateway.ledger import Edit, Ledger
from alight.services.apigateway.methods_rules import refuse
from alight.services.apigateway.openapi import Document, read_document, understood
from alight.services.apigateway.pages import page
from alight.services.apigateway.patches import Setter, item, member, patch, whole

Body = dict[str, Any]

LARGEST = 10_485_760
_COMPRESSION = f"Invalid minimum compression size, must be between 0 and {LARGEST}"
_KEPT = ("description", "version", "binaryMediaTypes", "tags", "apiKeySource")
_SETTERS: dict[str, Setter] = {
    "/name": member("name"),
    "/description": member("description"),
    "/version": member("version"),
    "/binaryMediaTypes/": item("binaryMediaTypes"),
    "/minimumCompressionSize": whole("minimumCompressionSize", 0, LARGEST, _COMPRESSION),
    "/apiKeySource": member("apiKeySource"),
    "/securityPolicy": member("securityPolicy"),
}
_REFUSED = ("/policy", "/disableExecuteApiEndpoint", "/endpointConfiguration")


def new_api(given: Members, now: float) -> Body:
    """The record of a new REST API, with its root."""
    if given.get("description") == "":
        raise BadRequestException("Description cannot be an empty string")
    own_id, root = names.new_short_id(), names.new_short_id()
    api: Members = {"id": own_id, "name": given["name"], "createdDate": now, "apiKeySource": "HEADER"}
    api |= {name: given[name] for name in _KEPT if given.get(name)}
    size = given.get("minimumCompressionSize")
    if size is not None:
        if not 0 <= size <= LARGEST:
            raise BadRequestException(_COMPRESSION)
        api["minimumCompressionSize"] = size
    api |= {
        "endpointConfiguration": _endpoint(given.get("endpointConfiguration") or {}),
        "disableExecuteApiEndpoint": False,
        "rootResourceId": root,
    }
    return {
        "Api": api,
        "Resources": {root: {"id": root, "path": "/", "Methods": {}}},
        "Authorizers": {},
        "Deployments": {},
        "Stages": {},
    }


def check_given(given: Members) -> None:
    """Raises where a member asks for what would change who may call."""
    if given.get("policy"):
        raise refuse("policy: resource policies of APIs")
    if given.get("disableExecuteApiEndpoint"):
        raise refuse("disableExecuteApiEndpoint: the address that API Gateway gives is the only one there is")


def _endpoint(given: Members) -> Members:
    types = given.get("types") or ["EDGE"]
    if "PRIVATE" in types or given.get("vpcEndpointIds"):
        raise refuse("endpointConfiguration PRIVATE: there is no VPC here, and the API would be open to all")
    if any(kind not in ("EDGE", "REGIONAL") for kind in types):
        raise BadRequestException("Invalid endpoint type specified. Must be EDGE, REGIONAL or PRIVATE")
    return {"types": list(types), "ipAddressType": given.get("ipAddressType") or "ipv4"}


def described(body: Body) -> Members:
    api: Members = body["Api"]
    return api | {"createdDate": datetime.fromtimestamp(api["createdDate"], UTC)}


class RestApis:
    """The handlers."""

    def __init__(self, apis: Ledger) -> None:
        self._apis = apis

    async def create_rest_api(self, call: Call, given: Members) -> Members:
        if not given["name"]:
            raise BadRequestException("API name can't be empty")
        check_given(given)
        body = new_api(given, self._apis.now())
        await self._apis.create(body["Api"]["id"], body)
        return described(body)

    async def get_rest_api(self, call: Call, given: Members) -> Members:
        return described(self._apis.body(given["restApiId"]))

    async def get_rest_apis(self, call: Call, given: Members) -> Members:
        return page([described(body) for body in self._apis.all()], given, 25)

    async def update_rest_api(self, call: Call, given: Members) -> Members:
        def change(edit: Edit) -> Members:
            patch(edit.body["Api"], given.get("patchOperations"), _SETTERS, _REFUSED)
            if not edit.body["Api"].get("name"):
                raise BadRequestException("API name can't be empty")
            return described(edit.body)

        return await self._apis.change(given["restApiId"], change)

    async def delete_rest_api(self, call: Call, given: Members) -> Members:
        await self._apis.delete(given["restApiId"])
        return {}

    async def import_rest_api(self, call: Call, given: Members) -> Members:
        document = read_document(given["body"])
        parameters = given.get("parameters") or {}
        body = new_api(
            {"name": _title(document), "endpointConfiguration": _asked_endpoint(parameters)}, self._apis.now()
        )
        warnings = understood(lambda: imported(body, document, base=_base(parameters)))
        _check_warnings(given, warnings)
        await self._apis.create(body["Api"]["id"], body)
        return _with_warnings(described(body), warnings)

    async def put_rest_api(self, call: Call, given: Members) -> Members:
        """`overwrite` replaces everything but the API's id and name; `merge`, the rule, adds and replaces."""
        mode = given.get("mode") or "merge"
        if mode not in ("merge", "overwrite"):
            raise BadRequestException("Invalid mode specified. Must be merge or overwrite")
        document = read_document(given["body"])
        parameters = given.get("parameters") or {}

        def change(edit: Edit) -> Members:
            overwrite = mode == "overwrite"
            warnings = understood(lambda: imported(edit.body, document, base=_base(parameters), overwrite=overwrite))
            _check_warnings(given, warnings)
            if "endpointConfigurationTypes" in parameters:
                edit.body["Api"]["endpointConfiguration"] = _endpoint(_asked_endpoint(parameters))
            if overwrite:
                edit.body["Api"]["name"] = _title(document)
            return _with_warnings(described(edit.body), warnings)

        return await self._apis.change(given["restApiId"], change)


def check_definition(document: Document) -> None:
    """Raises what importing this would, and changes nothing."""
    understood(lambda: imported(new_api({"name": "scratch"}, 0.0), document))


def _title(document: Document) -> str:
    info = document.get("info")
    return str((info.get("title") if isinstance(info, dict) else "") or "Untitled")


def _asked_endpoint(parameters: Mapping[str, str]) -> Members:
    types = parameters.get("endpointConfigurationTypes")
    return {"types": types.split(",")} if types else {}


def _base(parameters: Mapping[str, str]) -> str:
    base = parameters.get("basepath", parameters.get("basePath", "ignore"))
    if base not in ("ignore", "prepend", "split"):
        raise BadRequestException("Invalid base path option specified. Must be ignore, prepend or split")
    return base


def _check_warnings(given: Members, warnings: list[str]) -> None:
    if given.get("failOnWarnings") and warnings:
        raise BadRequestException(f"Warnings found during import:\n\t{chr(10).join(warnings)}")


def _with_warnings(shown: Members, warnings: list[str]) -> Members:
    return shown | ({"warnings": warnings} if warnings else {})
