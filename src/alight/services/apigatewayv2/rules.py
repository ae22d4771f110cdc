"""What a route, an integration, an authorizer and CORS of an HTTP API may be (pure).

Kept is what AWS would answer, in AWS's member names; requests and OpenAPI bodies are held to the same.
"""

from __future__ import annotations

import re
from typing import Any

from alight.calls import Members
from alight.errors.apigateway import BadRequestException, ConflictException
from alight.services.apigateway.methods_rules import VERBS, refuse
from alight.services.apigateway.uris import function_of, is_address

Body = dict[str, Any]

_PART = r"(?:[^/{}\s]+|\{[\w.-]+\})"
_KEY = re.compile(rf"(?P<verb>{'|'.join(VERBS)}) (?P<path>/(?:{_PART}/)*(?:{_PART}|\{{[\w.-]+\+\}})?/?)")
_SOURCE = re.compile(r"\$(request\.(header|querystring)|context|stageVariables)\.\S+")
_TIMEOUT = "Timeout should be between 50 ms and 30000 ms"


def route(given: Members, body: Body, own_id: str) -> Body:
    """A route as it is kept; `body` is the API's record."""
    key = given["RouteKey"]
    if key != "$default" and not _KEY.fullmatch(key):
        raise BadRequestException(
            "The provided route key is not formatted properly for HTTP protocol. Format should be "
            '"<HTTP METHOD> /<RESOURCE PATH>" or "$default"'
        )
    if any(one["RouteKey"] == key and one["RouteId"] != own_id for one in body["Routes"].values()):
        raise ConflictException(f"Route with key {key} already exists for this API")
    if given.get("ApiKeyRequired"):
        raise refuse("ApiKeyRequired: HTTP APIs have no API keys")
    kind = str(given.get("AuthorizationType") or "NONE")
    kept: Body = {"RouteId": own_id, "RouteKey": key, "ApiKeyRequired": False, "AuthorizationType": kind}
    if kind == "JWT":
        raise refuse("AuthorizationType JWT: use a Lambda authorizer (CUSTOM)")
    if kind not in ("NONE", "AWS_IAM", "CUSTOM"):
        raise BadRequestException("Invalid AuthorizationType specified. Must be one of: NONE, AWS_IAM, JWT, CUSTOM")
    if given.get("AuthorizationScopes"):
        raise refuse("AuthorizationScopes: there are no JWT authorizers here")
    if kind == "CUSTOM":
        if given.get("AuthorizerId") not in body["Authorizers"]:
            raise BadRequestException("Invalid authorizer ID specified.")
        kept["AuthorizerId"] = given["AuthorizerId"]
    target = given.get("Target")
    if target:
        if str(target).removeprefix("integrations/") not in body["Integrations"]:
            raise BadRequestException(f"Invalid integration target specified: {target}")
        kept["Target"] = f"integrations/{str(target).removeprefix('integrations/')}"
    return kept | ({"OperationName": given["OperationName"]} if given.get("OperationName") else {})


def route_of_key(key: str) -> tuple[str, str]:
    """`(method, path)` of a route key."""
    if key == "$default":
        return "ANY", "$default"
    verb, _, path = key.partition(" ")
    return verb, path


def integration(given: Members, own_id: str) -> Body:
    """An integration as it is kept."""
    kind = str(given["IntegrationType"])
    if kind not in ("AWS_PROXY", "HTTP_PROXY"):
        raise BadRequestException(f"Integration type {kind} is not supported for HTTP protocol")
    _refuse_members(given)
    timeout = given.get("TimeoutInMillis")
    timeout = 30_000 if timeout is None else int(timeout)
    if not 50 <= timeout <= 30_000:
        raise BadRequestException(_TIMEOUT)
    uri = str(given.get("IntegrationUri") or "")
    kept: Body = {"IntegrationId": own_id, "IntegrationType": kind, "ConnectionType": "INTERNET"}
    if kind == "AWS_PROXY":
        kept |= _proxied_function(given, uri)
    else:
        kept |= _proxied_server(given, uri)
    kept |= {name: given[name] for name in ("Description", "CredentialsArn") if given.get(name)}
    return kept | {"IntegrationUri": uri, "TimeoutInMillis": timeout}


def _refuse_members(given: Members) -> None:
    if given.get("IntegrationSubtype"):
        raise refuse(f"IntegrationSubtype {given['IntegrationSubtype']}: functions and HTTP servers are called here")
    if str(given.get("ConnectionType") or "INTERNET") != "INTERNET" or given.get("ConnectionId"):
        raise refuse("VPC links (ConnectionType, ConnectionId)")
    for name in ("RequestParameters", "ResponseParameters", "TlsConfig"):
        if given.get(name):
            raise refuse(f"{name} of an integration: requests and answers are passed on as they are")


def _proxied_function(given: Members, uri: str) -> Members:
    if not function_of(uri):
        raise BadRequestException("Invalid integration URI specified")
    version = given.get("PayloadFormatVersion")
    if version is None:
        raise BadRequestException("PayloadFormatVersion is a required parameter for integration")
    if version not in ("1.0", "2.0"):
        raise BadRequestException("Invalid PayloadFormatVersion specified. Must be one of: 1.0, 2.0")
    return {"IntegrationMethod": given.get("IntegrationMethod") or "POST", "PayloadFormatVersion": version}


def _proxied_server(given: Members, uri: str) -> Members:
    if not is_address(uri):
        raise BadRequestException("Invalid integration URI specified")
    method = given.get("IntegrationMethod")
    if method not in VERBS:
        raise BadRequestException(f"Invalid HttpMethod specified. Valid options are {','.join(VERBS)}")
    if given.get("PayloadFormatVersion") not in (None, "1.0"):
        raise BadRequestException("Only PayloadFormatVersion 1.0 is supported for HTTP_PROXY integrations")
    return {"IntegrationMethod": method, "PayloadFormatVersion": "1.0"}


def authorizer(given: Members, body: Body, own_id: str) -> Body:
    """An authorizer as it is kept."""
    kind = str(given["AuthorizerType"])
    if kind == "JWT" or given.get("JwtConfiguration"):
        raise refuse("AuthorizerType JWT: use a Lambda authorizer (REQUEST)")
    if kind != "REQUEST":
        raise BadRequestException("Invalid AuthorizerType specified. Must be one of: REQUEST, JWT")
    if any(one["Name"] == given["Name"] and one["AuthorizerId"] != own_id for one in body["Authorizers"].values()):
        raise ConflictException(
            f"Authorizer name must be unique. Authorizer {given['Name']} already exists in this API."
        )
    if not function_of(str(given.get("AuthorizerUri") or "")):
        raise BadRequestException("Invalid Authorizer URI specified")
    version = given.get("AuthorizerPayloadFormatVersion")
    if version not in ("1.0", "2.0"):
        raise BadRequestException(
            "AuthorizerPayloadFormatVersion is a required parameter for authorizer. Must be one of: 1.0, 2.0"
        )
    simple = bool(given.get("EnableSimpleResponses"))
    if simple and version != "2.0":
        raise BadRequestException("EnableSimpleResponses is only supported with AuthorizerPayloadFormatVersion 2.0")
    sources = list(given.get("IdentitySource") or [])
    odd = [source for source in sources if not _SOURCE.fullmatch(source)]
    if odd:
        raise BadRequestException(f"Invalid IdentitySource specified: {odd[0]}")
    if given.get("IdentityValidationExpression"):
        raise BadRequestException("IdentityValidationExpression is not supported for HTTP APIs")
    ttl = given.get("AuthorizerResultTtlInSeconds")
    ttl = (300 if sources else 0) if ttl is None else int(ttl)
    if not 0 <= ttl <= 3600 or (ttl and not sources):
        raise BadRequestException(
            "AuthorizerResultTtlInSeconds must be between 0 and 3600, and 0 where there is no IdentitySource"
        )
    kept: Body = {"AuthorizerId": own_id, "Name": given["Name"], "AuthorizerType": kind, "IdentitySource": sources}
    kept |= {name: given[name] for name in ("AuthorizerUri", "AuthorizerCredentialsArn") if given.get(name)}
    return kept | {
        "AuthorizerPayloadFormatVersion": version,
        "EnableSimpleResponses": simple,
        "AuthorizerResultTtlInSeconds": ttl,
    }


def cors(given: Members) -> Body:
    """A CORS configuration as it is kept."""
    if given.get("AllowCredentials") and "*" in (given.get("AllowOrigins") or []):
        raise BadRequestException(
            "Must not use Access-Control-Allow-Origin * with Access-Control-Allow-Credentials true"
        )
    for origin in given.get("AllowOrigins") or []:
        if origin != "*" and not re.fullmatch(r"[a-zA-Z][a-zA-Z0-9+.-]*://\S+", origin):
            raise BadRequestException(f"Invalid format for origin {origin}")
    for method in given.get("AllowMethods") or []:
        if method != "*" and method.upper() not in VERBS[:-1]:
            raise BadRequestException(f"Invalid method {method} in CORS configuration")
    age = given.get("MaxAge")
    if age is not None and not -1 <= age <= 86_400:
        raise BadRequestException("MaxAge must be between -1 and 86400")
    return {name: value for name, value in given.items() if value not in (None, [])}


def stage_settings(given: Members) -> Members:
    """Route settings as they are kept: logs and metrics are recorded, pacing is refused."""
    for name in ("ThrottlingBurstLimit", "ThrottlingRateLimit"):
        if given.get(name) is not None:
            raise refuse(f"{name}: requests are not paced")
    return {name: value for name, value in given.items() if value is not None}
