"""An OpenAPI body becomes routes, integrations and authorizers of an HTTP API, by the rules that requests keep to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alight import names
from alight.calls import Members
from alight.errors.apigateway import BadRequestException
from alight.errors.common import NotImplemented_
from alight.services.apigateway.methods_rules import refuse
from alight.services.apigateway.openapi import (
    AUTHORIZER,
    Document,
    Operation,
    base_path,
    joined,
    operations,
    refuse_extensions,
    security_schemes,
    version_of,
)
from alight.services.apigatewayv2 import rules

Body = dict[str, Any]

_CORS = "x-amazon-apigateway-cors"
_TAG = "x-amazon-apigateway-tag-value"
_VERSION = "x-amazon-apigateway-importexport-version"
_REFERENCE = "#/components/x-amazon-apigateway-integrations/"
#: How OpenAPI spells an integration's members → how the operations do.
_MEMBERS = {
    "type": "IntegrationType",
    "uri": "IntegrationUri",
    "httpMethod": "IntegrationMethod",
    "payloadFormatVersion": "PayloadFormatVersion",
    "timeoutInMillis": "TimeoutInMillis",
    "connectionType": "ConnectionType",
    "connectionId": "ConnectionId",
    "credentials": "CredentialsArn",
    "requestParameters": "RequestParameters",
    "responseParameters": "ResponseParameters",
    "integrationSubtype": "IntegrationSubtype",
    "tlsConfig": "TlsConfig",
    "description": "Description",
}
_AUTHORIZER_MEMBERS = {
    "authorizerUri": "AuthorizerUri",
    "authorizerPayloadFormatVersion": "AuthorizerPayloadFormatVersion",
    "authorizerResultTtlInSeconds": "AuthorizerResultTtlInSeconds",
    "authorizerCredentials": "AuthorizerCredentialsArn",
    "enableSimpleResponses": "EnableSimpleResponses",
    "identitySource": "IdentitySource",
    "jwtConfiguration": "JwtConfiguration",
}
_CORS_MEMBERS = {
    "allowOrigins": "AllowOrigins",
    "allowMethods": "AllowMethods",
    "allowHeaders": "AllowHeaders",
    "exposeHeaders": "ExposeHeaders",
    "allowCredentials": "AllowCredentials",
    "maxAge": "MaxAge",
}
_OPEN = "NONE"


def imported(body: Body, document: Document, base: str = "ignore") -> list[str]:
    """Change the record `body` to what the document says; its id, stages and deployments stay. Returns warnings."""
    if version_of(document) == "2":
        raise BadRequestException("HTTP APIs can only be imported from OpenAPI 3.0 definitions.")
    if base not in ("ignore", "prepend", "split"):
        raise BadRequestException("Invalid base path option specified. Must be ignore, prepend or split")
    refuse_extensions(document, {_CORS, _VERSION}, "of the API")
    _general(body["Api"], document)
    body |= {"Routes": {}, "Integrations": {}, "Authorizers": {}}
    schemes = {name: _scheme(body, name, scheme) for name, scheme in security_schemes(document).items()}
    warnings = []
    for operation in operations(document):
        path = operation.path if operation.path == "$default" else joined(base_path(document), operation.path, base)
        if not _put(body, document, operation, path, schemes):
            warnings.append(f"No integration for {operation.verb} {operation.path}: it answers nothing")
    return warnings


def _general(api: Body, document: Document) -> None:
    info = document.get("info") or {}
    api["Name"] = str(info.get("title") or api["Name"])
    for key, name in (("description", "Description"), ("version", "Version")):
        api.pop(name, None)
        if info.get(key):
            api[name] = str(info[key])
    api.pop("CorsConfiguration", None)
    if document.get(_CORS):
        api["CorsConfiguration"] = rules.cors(_renamed(document[_CORS], _CORS_MEMBERS, _CORS))
    for tag in document.get("tags") or []:
        if _TAG in tag:
            api["Tags"] = api["Tags"] | {tag["name"]: str(tag[_TAG])}


def _renamed(asked: Mapping[str, Any], members: Mapping[str, str], where: str) -> Members:
    odd = [name for name in asked if name not in members]
    if odd:
        raise refuse(f"{odd[0]} in {where}")
    return {members[name]: value for name, value in asked.items() if value is not None}


def _scheme(body: Body, name: str, scheme: Document) -> Members:
    """What a route that asks for this scheme gets."""
    if str(scheme.get("x-amazon-apigateway-authtype") or "").lower() == "awssigv4":
        return {"AuthorizationType": "AWS_IAM"}
    asked = scheme.get(AUTHORIZER)
    if asked is None:
        return {"AuthorizationType": name}  # no authorizer stands behind it: a route that asks for it is refused
    if str(asked.get("type")).lower() == "jwt":
        raise refuse(f"the JWT authorizer {name}: use a Lambda authorizer (REQUEST)")
    given = _renamed({key: asked[key] for key in asked if key != "type"}, _AUTHORIZER_MEMBERS, f"authorizer {name}")
    given |= {"Name": name, "AuthorizerType": str(asked.get("type") or "").upper()}
    source = given.get("IdentitySource") or []
    given["IdentitySource"] = [one.strip() for one in source.split(",")] if isinstance(source, str) else source
    made = rules.authorizer(given, body, names.new_short_id(7))
    body["Authorizers"][made["AuthorizerId"]] = made
    return {"AuthorizationType": "CUSTOM", "AuthorizerId": made["AuthorizerId"]}


def _put(body: Body, document: Document, operation: Operation, path: str, schemes: Mapping[str, Members]) -> bool:
    """Add one route; False where nothing stands behind it."""
    key = "$default" if path == "$default" else f"{operation.verb} {path}"
    given: Members = {"RouteKey": key, "OperationName": operation.name}
    for scheme in operation.schemes or ():
        if scheme != _OPEN:
            given |= schemes.get(scheme) or {"AuthorizationType": scheme}
    if given.get("AuthorizationType") not in (None, "AWS_IAM", "CUSTOM"):
        raise refuse(f"the security scheme {given['AuthorizationType']} of {key}")
    asked = operation.integration
    if asked is not None:
        given["Target"] = f"integrations/{_integration(body, _referred(document, asked), key)}"
    route = rules.route(given, body, names.new_short_id(7))
    body["Routes"][route["RouteId"]] = route
    return asked is not None


def _referred(document: Document, asked: Document) -> Document:
    """An integration may stand among the components, under a name."""
    reference = str(asked.get("$ref") or "")
    if not reference:
        return asked
    known = (document.get("components") or {}).get("x-amazon-apigateway-integrations") or {}
    found: Document | None = known.get(reference.removeprefix(_REFERENCE)) if reference.startswith(_REFERENCE) else None
    if found is None:
        raise BadRequestException(f"Unable to find the integration {reference}")
    return found


def _integration(body: Body, asked: Document, key: str) -> str:
    try:
        given = _renamed(asked, _MEMBERS, "an integration")
        given["IntegrationType"] = str(given.get("IntegrationType") or "").upper()
        made = rules.integration(given, names.new_short_id(7))
    except BadRequestException as fault:
        raise BadRequestException(f"Unable to put integration on route {key}: {fault.message}") from None
    except NotImplemented_ as fault:
        raise NotImplemented_(f"Unable to put integration on route {key}: {fault.message}") from None
    body["Integrations"][made["IntegrationId"]] = made
    return str(made["IntegrationId"])
