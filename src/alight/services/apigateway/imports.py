"""An OpenAPI body becomes resources, methods and authorizers of a REST API, by the rules that requests are held to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alight.calls import Members
from alight.errors.apigateway import BadRequestException
from alight.errors.common import NotImplemented_
from alight.services.apigateway import methods_rules as rules
from alight.services.apigateway.authorizers import add_authorizer, authorizer
from alight.services.apigateway.openapi import (
    AUTHORIZER,
    Document,
    Operation,
    base_path,
    joined,
    operations,
    refuse_extensions,
    security_schemes,
)
from alight.services.apigateway.resources import add_resource

Body = dict[str, Any]

_BINARY = "x-amazon-apigateway-binary-media-types"
_COMPRESSION = "x-amazon-apigateway-minimum-compression-size"
_KEY_SOURCE = "x-amazon-apigateway-api-key-source"
_AUTHTYPE = "x-amazon-apigateway-authtype"
_INTEGRATION = frozenset(
    {"type", "uri", "httpMethod", "requestParameters", "requestTemplates", "passthroughBehavior", "timeoutInMillis"}
    | {"connectionType", "connectionId", "contentHandling", "tlsConfig", "credentials", "responses"}
    | {"cacheNamespace", "cacheKeyParameters", "payloadFormatVersion", "responseTransferMode"}
)
#: What SAM writes for a method that nobody has to be authorized for.
_OPEN = "NONE"


def imported(body: Body, document: Document, *, base: str = "ignore", overwrite: bool = True) -> list[str]:
    """Change the record `body` to what the document says; returns warnings, as AWS does.

    Ids of resources and authorizers stay where their paths and names do. Raises what AWS says, or what is refused.
    """
    known = {_BINARY, _COMPRESSION, _KEY_SOURCE, "x-amazon-apigateway-importexport-version"}
    refuse_extensions(document, known, "of the API")
    before = {resource["path"]: resource["id"] for resource in body["Resources"].values()}
    _general(body["Api"], document, overwrite)
    authorizers = _authorizers(body, security_schemes(document), overwrite)
    if overwrite:
        root = body["Resources"][body["Api"]["rootResourceId"]]
        root["Methods"] = {}
        body["Resources"] = {root["id"]: root}
    found = list(operations(document))
    for operation in found:
        _put(body, operation, joined(base_path(document), operation.path, base), authorizers, before)
    if overwrite:
        used = set(authorizers.values())
        body["Authorizers"] = {key: one for key, one in body["Authorizers"].items() if key in used}
    return [
        f"No integration for {operation.verb} {operation.path}: it cannot be deployed"
        for operation in found
        if operation.integration is None
    ]


def _general(api: Body, document: Document, overwrite: bool) -> None:
    info = document.get("info") or {}
    for name in ("description", "version"):
        if info.get(name):
            api[name] = str(info[name])
        elif overwrite:
            api.pop(name, None)
    for extension, name in ((_BINARY, "binaryMediaTypes"), (_COMPRESSION, "minimumCompressionSize")):
        if document.get(extension) is not None:
            api[name] = document[extension]
        elif overwrite:
            api.pop(name, None)
    if document.get(_KEY_SOURCE):
        api["apiKeySource"] = str(document[_KEY_SOURCE]).upper()


def _authorizers(body: Body, schemes: Mapping[str, Document], overwrite: bool) -> dict[str, str]:
    """Make or change the authorizers of the document; scheme name → id ("" for AWS_IAM)."""
    by_name = {one["name"]: one["id"] for one in body["Authorizers"].values()}
    found: dict[str, str] = {}
    for name, scheme in schemes.items():
        if str(scheme.get(_AUTHTYPE) or "").lower() == "awssigv4":
            found[name] = ""
            continue
        asked = scheme.get(AUTHORIZER)
        if asked is None:
            # A plain scheme (an API key, basic) says something to readers; a method that asks for it is refused.
            continue
        given = _authorizer(name, scheme, asked)
        if name in by_name:
            changed = authorizer(given, body["Authorizers"], by_name[name])
            body["Authorizers"][by_name[name]] = changed
            found[name] = by_name[name]
        else:
            found[name] = add_authorizer(body, given)["id"]
    return found


def _authorizer(name: str, scheme: Document, asked: Document) -> Members:
    given: Members = {"name": name} | {key: value for key, value in asked.items() if value is not None}
    given["type"] = str(asked.get("type") or "").upper()
    if given["type"] == "TOKEN" and not given.get("identitySource"):
        given["identitySource"] = f"method.request.header.{scheme.get('name') or 'Authorization'}"
    if isinstance(given.get("identitySource"), list):
        given["identitySource"] = ",".join(given["identitySource"])
    if scheme.get(_AUTHTYPE):
        given["authType"] = scheme[_AUTHTYPE]
    return given


def _put(body: Body, operation: Operation, path: str, authorizers: dict[str, str], before: dict[str, str]) -> None:
    resource = _resource(body, path, before)
    where = f"'{operation.verb}' for resource at path '{path}'"
    method = rules.method(_method(operation, authorizers), body["Authorizers"])
    responses = operation.content.get("responses") or {}
    declared = {
        str(status): rules.method_response(_declared(str(status), response))
        for status, response in responses.items()
        if str(status).isdigit()
    }
    if declared:
        method["methodResponses"] = declared
    if operation.integration is not None:
        method["methodIntegration"] = _explained(
            f"Unable to put integration on {where}", operation.integration, operation.verb, resource["id"], declared
        )
    resource["Methods"][operation.verb] = method


def _resource(body: Body, path: str, before: dict[str, str]) -> Body:
    """The resource at `path`; it and those above it are made where they are not."""
    by_path = {one["path"]: one for one in body["Resources"].values()}
    here: Body = by_path["/"]
    for part in [part for part in path.split("/") if part]:
        below = f"{here['path'].rstrip('/')}/{part}"
        here = by_path.get(below) or add_resource(body, here["id"], part, before.get(below, ""))
    return here


def _method(operation: Operation, authorizers: dict[str, str]) -> Members:
    given: Members = {"httpMethod": operation.verb, "authorizationType": "NONE", "operationName": operation.name}
    for scheme in operation.schemes or ():
        if scheme == _OPEN:
            continue
        if scheme not in authorizers:
            raise NotImplemented_(
                f"Alight does not support the security scheme {scheme} of {operation.verb} {operation.path}: there are "
                "no API keys, usage plans and user pools here."
            )
        own = authorizers[scheme]
        given |= {"authorizationType": "CUSTOM", "authorizerId": own} if own else {"authorizationType": "AWS_IAM"}
    return given


def _declared(status: str, response: Document) -> Members:
    headers = response.get("headers") or {}
    return {"statusCode": status, "responseParameters": {f"method.response.header.{name}": False for name in headers}}


def _explained(what: str, asked: Document, verb: str, resource_id: str, declared: Members) -> Members:
    """The integration; what AWS would say of one that is wrong names the place."""
    try:
        return _integration(asked, verb, resource_id, declared)
    except BadRequestException as fault:
        raise BadRequestException(f"Errors found during import:\n\t{what}: {fault.message}") from None
    except NotImplemented_ as fault:
        raise NotImplemented_(f"{what}: {fault.message}") from None


def _integration(asked: Document, verb: str, resource_id: str, declared: Members) -> Members:
    if not isinstance(asked, dict) or not asked.get("type"):
        raise BadRequestException("Unable to parse API definition because of a malformed integration")
    odd = sorted(set(asked) - _INTEGRATION)
    if odd or str(asked.get("payloadFormatVersion", "1.0")) != "1.0":
        raise rules.refuse(f"{odd[0] if odd else 'payloadFormatVersion 2.0'} in an integration of a REST API")
    given: Members = {key: value for key, value in asked.items() if key not in ("httpMethod", "responses")}
    # OpenAPI spells these in small letters.
    given["passthroughBehavior"] = str(asked.get("passthroughBehavior") or "WHEN_NO_MATCH").upper()
    given["integrationHttpMethod"] = asked.get("httpMethod")
    kept = rules.integration(given, verb, resource_id)
    if kept["type"] in ("AWS_PROXY", "HTTP_PROXY"):
        # The console writes a `default` beside every proxy; nothing of it can act.
        return kept
    responses = {}
    for pattern, response in (asked.get("responses") or {}).items():
        entry = {"selectionPattern": "" if pattern == "default" else pattern} | response
        made = rules.integration_response(entry | {"statusCode": str(response["statusCode"])}, kept, declared)
        responses[made["statusCode"]] = made
    return kept | ({"integrationResponses": responses} if responses else {})
