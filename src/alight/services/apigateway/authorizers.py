"""Lambda authorizers of a REST API: TOKEN and REQUEST."""

from __future__ import annotations

import re
from typing import Any

from alight import names
from alight.calls import Call, Members
from alight.errors.apigateway import BadRequestException, ConflictException, NotFoundException
from alight.expressions import InvalidExpression, compile_expression
from alight.services.apigateway.ledger import Edit, Ledger
from alight.services.apigateway.methods_rules import refuse
from alight.services.apigateway.pages import page
from alight.services.apigateway.patches import Setter, member, patch, whole
from alight.services.apigateway.uris import function_of

Body = dict[str, Any]

_TTL = "Invalid authorizerResultTtlInSeconds specified. Must be between 0 and 3600"
_KEPT = ("authorizerUri", "authorizerCredentials", "identitySource", "identityValidationExpression", "authType")
_SETTERS: dict[str, Setter] = {
    "/name": member("name"),
    "/type": member("type"),
    "/authorizerUri": member("authorizerUri"),
    "/authorizerCredentials": member("authorizerCredentials"),
    "/identitySource": member("identitySource"),
    "/identityValidationExpression": member("identityValidationExpression"),
    "/authorizerResultTtlInSeconds": whole("authorizerResultTtlInSeconds", 0, 3600, _TTL),
    "/authType": member("authType"),
}
_SOURCE = re.compile(r"(method\.request\.(header|querystring)|context|stageVariables)\.\S+")


def authorizer(given: Members, others: dict[str, Any], own_id: str) -> Body:
    """An authorizer as it is kept. `others` are the API's, by id."""
    kind = str(given["type"]).upper()
    if kind == "COGNITO_USER_POOLS" or given.get("providerARNs"):
        raise refuse("authorizers of type COGNITO_USER_POOLS: there are no user pools here")
    if kind not in ("TOKEN", "REQUEST"):
        raise BadRequestException("Invalid authorizer type specified. Must be TOKEN, REQUEST or COGNITO_USER_POOLS")
    if any(other["name"] == given["name"] and other["id"] != own_id for other in others.values()):
        raise ConflictException(
            "Authorizer name must be unique. Authorizer {} already exists in this RestApi.".format(given["name"])
        )
    if not function_of(str(given.get("authorizerUri") or "")):
        raise BadRequestException(f"Invalid Authorizer URI: {given.get('authorizerUri') or ''}.")
    ttl = given.get("authorizerResultTtlInSeconds")
    ttl = 300 if ttl is None else int(ttl)
    if not 0 <= ttl <= 3600:
        raise BadRequestException(_TTL)
    _check_sources(str(given.get("identitySource") or ""), kind, ttl)
    try:
        compile_expression(given.get("identityValidationExpression") or "")
    except InvalidExpression as error:
        raise BadRequestException(f"Invalid identityValidationExpression specified: {error}") from None
    kept: Body = {"id": own_id, "name": given["name"], "type": kind}
    kept |= {name: given[name] for name in _KEPT if given.get(name)}
    return kept | {"authType": kept.get("authType", "custom"), "authorizerResultTtlInSeconds": ttl}


def _check_sources(text: str, kind: str, ttl: int) -> None:
    sources = [source.strip() for source in text.split(",") if source.strip()]
    odd = [source for source in sources if not _SOURCE.fullmatch(source)]
    if odd:
        raise BadRequestException(f"Invalid identity source specified: {odd[0]}")
    if kind == "TOKEN" and (len(sources) != 1 or not sources[0].startswith("method.request.header.")):
        raise BadRequestException("Identity source is required for a TOKEN authorizer: method.request.header.NAME")
    if kind == "REQUEST" and ttl and not sources:
        raise BadRequestException("Identity source is required for a REQUEST authorizer when caching is enabled.")


def add_authorizer(body: Body, given: Members) -> Body:
    own_id = names.new_short_id(6)
    made = authorizer(given, body["Authorizers"], own_id)
    body["Authorizers"][own_id] = made
    return made


class Authorizers:
    """The handlers."""

    def __init__(self, apis: Ledger) -> None:
        self._apis = apis

    async def create_authorizer(self, call: Call, given: Members) -> Members:
        return await self._apis.change(given["restApiId"], lambda edit: add_authorizer(edit.body, given))

    async def get_authorizer(self, call: Call, given: Members) -> Members:
        return _of(self._apis.body(given["restApiId"]), given)

    async def get_authorizers(self, call: Call, given: Members) -> Members:
        return page(list(self._apis.body(given["restApiId"])["Authorizers"].values()), given, 25)

    async def update_authorizer(self, call: Call, given: Members) -> Members:
        def change(edit: Edit) -> Members:
            found = _of(edit.body, given)
            patch(found, given.get("patchOperations"), _SETTERS, ("/providerARNs",))
            checked = authorizer(found, edit.body["Authorizers"], found["id"])
            edit.body["Authorizers"][found["id"]] = checked
            return checked

        return await self._apis.change(given["restApiId"], change)

    async def delete_authorizer(self, call: Call, given: Members) -> Members:
        def change(edit: Edit) -> None:
            found = _of(edit.body, given)
            for resource in edit.body["Resources"].values():
                for method in resource["Methods"].values():
                    if method.get("authorizerId") == found["id"]:
                        raise ConflictException(
                            f"Cannot delete authorizer '{found['id']}', is referenced in method: "
                            f"{resource['path']}/{method['httpMethod']}"
                        )
            del edit.body["Authorizers"][found["id"]]

        await self._apis.change(given["restApiId"], change)
        return {}


def _of(body: Body, given: Members) -> Body:
    found: Body | None = body["Authorizers"].get(given["authorizerId"])
    if found is None:
        raise NotFoundException("Invalid Authorizer identifier specified")
    return found
