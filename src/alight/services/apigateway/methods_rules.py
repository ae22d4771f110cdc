"""What a method, its integration and their responses may be (pure): requests and OpenAPI bodies are held to the same.

Kept is what AWS would answer, in AWS's member names. What would change an answer and is not offered is refused by
name: mapping templates, mocks (but for the answer to a preflight), keys and usage plans, validators, VPC links.
"""

from __future__ import annotations

import re
from typing import Any

from alight.calls import Members
from alight.errors.apigateway import BadRequestException
from alight.errors.common import NotImplemented_
from alight.parsed import parsed
from alight.services.apigateway.uris import function_of, is_address, service_of

VERBS = ("GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "HEAD", "ANY")
AUTHORIZATIONS = ("NONE", "AWS_IAM", "CUSTOM", "COGNITO_USER_POOLS")
#: The models that every API has from the start.
MODELS = ("Empty", "Error")
_CONSTANT = re.compile(r"'([^']*)'")
_HEADER = "method.response.header."
_TARGET = re.compile(r"integration\.request\.(path|querystring|header)\.[^.]+")
_SOURCE = re.compile(r"(method\.request\.(path|querystring|header)|stageVariables|context)\.[^.]+")


def refuse(what: str) -> NotImplemented_:
    return NotImplemented_(f"Alight does not support {what}.")


def verb_of(given: Members) -> str:
    verb = str(given["httpMethod"]).upper()
    if verb not in VERBS:
        raise BadRequestException(f"Invalid HttpMethod specified. Valid options are {','.join(VERBS)}")
    return verb


def method(given: Members, authorizers: dict[str, Any]) -> Members:
    """A method as it is kept. `authorizers` are those of the API, by id."""
    kind = str(given["authorizationType"]).upper()
    if kind not in AUTHORIZATIONS:
        raise BadRequestException(f"Invalid authorization type specified. Must be one of: {','.join(AUTHORIZATIONS)}")
    if kind == "COGNITO_USER_POOLS":
        raise refuse("authorizationType COGNITO_USER_POOLS: there are no user pools here")
    if given.get("apiKeyRequired"):
        raise refuse("apiKeyRequired: there are no API keys and usage plans here")
    if given.get("requestValidatorId"):
        raise refuse("requestValidatorId: requests are not validated here")
    if given.get("authorizationScopes"):
        raise refuse("authorizationScopes: there are no user pools here")
    if kind == "CUSTOM" and given.get("authorizerId") not in authorizers:
        raise BadRequestException(
            "Invalid authorizer ID specified. Setting the authorization type to CUSTOM or COGNITO_USER_POOLS requires "
            "a valid authorizer."
        )
    _check_models(given.get("requestModels") or {})
    _check_parameters(given.get("requestParameters") or {})
    kept: Members = {"httpMethod": verb_of(given), "authorizationType": kind, "apiKeyRequired": False}
    if kind == "CUSTOM":
        kept["authorizerId"] = given["authorizerId"]
    kept |= {name: given[name] for name in ("operationName", "requestParameters", "requestModels") if given.get(name)}
    return kept


def _check_models(models: Members) -> None:
    for name in models.values():
        if name not in MODELS:
            raise BadRequestException(f"Invalid model identifier specified: {name}")


def _check_parameters(parameters: Members) -> None:
    seen = set()
    for name in parameters:
        match = re.fullmatch(
            r"method\.request\.(path|querystring|header|multivaluequerystring|multivalueheader)\.(.+)", name
        )
        if match is None:
            raise BadRequestException(f"Invalid mapping expression specified: {name}")
        if match[2] in seen:
            raise BadRequestException("Parameter names must be unique across querystring, header and path")
        seen.add(match[2])


def method_response(given: Members) -> Members:
    _check_models(given.get("responseModels") or {})
    for name in given.get("responseParameters") or {}:
        if not name.startswith(_HEADER):
            raise BadRequestException(f"Invalid mapping expression specified: {name}")
    return _kept(given, "statusCode", "responseParameters", "responseModels")


def integration(given: Members, verb: str, resource_id: str) -> Members:
    """An integration as it is kept, `verb` being the method's that it answers."""
    kind = str(given["type"]).upper()
    if kind not in ("AWS", "AWS_PROXY", "HTTP", "HTTP_PROXY", "MOCK"):
        raise BadRequestException(
            "Invalid integration type specified. Must be AWS, AWS_PROXY, HTTP, HTTP_PROXY or MOCK"
        )
    _refuse_members(given, kind)
    timeout = int(given.get("timeoutInMillis") or 29_000)
    if not 50 <= timeout <= 29_000:
        raise BadRequestException("Timeout should be between 50 ms and 29000 ms")
    kept: Members = {"type": kind}
    if kind == "MOCK":
        _check_preflight(given, verb)
    else:
        kept |= _addressed(given, kind)
    kept |= _kept(given, "credentials", "requestParameters", "requestTemplates", "contentHandling")
    kept |= {
        "passthroughBehavior": given.get("passthroughBehavior") or "WHEN_NO_MATCH",
        "timeoutInMillis": timeout,
        "cacheNamespace": given.get("cacheNamespace") or resource_id,
        "cacheKeyParameters": given.get("cacheKeyParameters") or [],
    }
    return kept


def _refuse_members(given: Members, kind: str) -> None:
    if str(given.get("connectionType") or "INTERNET").upper() != "INTERNET" or given.get("connectionId"):
        raise refuse("VPC links (connectionType, connectionId)")
    if any((given.get("tlsConfig") or {}).values()):
        raise refuse("tlsConfig: certificates are always verified")
    # SAM and the console write CONVERT_TO_TEXT beside a proxy, which has no body of its own to convert.
    if given.get("contentHandling") and kind != "AWS_PROXY":
        raise refuse("contentHandling: bodies are passed on as they come")
    if str(given.get("responseTransferMode") or "BUFFERED").upper() != "BUFFERED":
        raise refuse("responseTransferMode STREAM")
    behavior = str(given.get("passthroughBehavior") or "WHEN_NO_MATCH").upper()
    if behavior not in ("WHEN_NO_MATCH", "WHEN_NO_TEMPLATES", "NEVER"):
        raise BadRequestException("Invalid passthroughBehavior specified")
    if behavior == "NEVER" and kind in ("AWS", "HTTP"):
        raise refuse("passthroughBehavior NEVER: without mapping templates nothing would pass")
    if kind == "HTTP":
        raise refuse("integration type HTTP: use HTTP_PROXY, which passes requests and answers on as they are")
    if kind != "MOCK" and any(given.get("requestTemplates") or {}):
        raise refuse("mapping templates (requestTemplates): the body is passed on as it comes")
    if kind == "AWS" and given.get("requestParameters"):
        raise refuse("requestParameters of an integration of type AWS")


def _addressed(given: Members, kind: str) -> Members:
    uri = str(given.get("uri") or "")
    if kind == "HTTP_PROXY":
        if not is_address(uri):
            raise BadRequestException("Invalid HTTP endpoint specified for URI")
        _check_mapped(given.get("requestParameters") or {})
    else:
        _check_lambda(uri, kind)
    method = str(given.get("integrationHttpMethod") or "").upper()
    if not method:
        raise BadRequestException("Enumeration value for HttpMethod must be non-empty")
    if method not in VERBS:
        raise BadRequestException(f"Invalid HttpMethod specified. Valid options are {','.join(VERBS)}")
    return {"httpMethod": method, "uri": uri}


def _check_lambda(uri: str, kind: str) -> None:
    if function_of(uri) and uri.startswith("arn:aws") and ":apigateway:" in uri:
        return
    service = service_of(uri)
    if service is None:
        raise BadRequestException("Invalid ARN specified in the request")
    if service == "lambda":
        raise BadRequestException("Invalid function ARN or invalid uri")
    if kind == "AWS_PROXY":
        raise BadRequestException(
            "Integrations of type 'AWS_PROXY' currently only supports Lambda function and Firehose stream invocations."
        )
    raise refuse(f"integrations with {service}: functions (lambda) are what is called here")


def _check_mapped(parameters: Members) -> None:
    """Paths, queries and headers that are passed on: from the request, from the stage's variables, or constant."""
    for target, source in parameters.items():
        if not (_TARGET.fullmatch(target) and (_CONSTANT.fullmatch(source) or _SOURCE.fullmatch(source))):
            raise refuse(f"the request parameter {target}: {source}")


def _check_preflight(given: Members, verb: str) -> None:
    """The only mock there is: what answers OPTIONS with status 200 and constant headers."""
    if verb != "OPTIONS":
        raise refuse(f"integration type MOCK for {verb}: only the answer to a preflight (OPTIONS) is offered")
    templates = given.get("requestTemplates") or {}
    if set(templates) != {"application/json"} or _mocked_status(templates["application/json"]) != 200:
        raise refuse(
            'a MOCK whose requestTemplates are other than {"application/json": "{\\"statusCode\\": 200}"}: only the '
            "answer to a preflight is offered"
        )


def _mocked_status(template: str) -> int | None:
    # AWS reads such templates leniently: `{statusCode: 200}` is common.
    match = re.fullmatch(r"""\s*\{\s*["']?statusCode["']?\s*:\s*(\d{3})\s*,?\s*\}\s*""", template)
    return int(match[1]) if match else None


def integration_response(given: Members, integration: Members, declared: Members) -> Members:
    """A response of an integration as it is kept; `declared` are the method's responses by status."""
    status = str(given["statusCode"])
    if not re.fullmatch(r"[1-5]\d\d", status):
        raise BadRequestException("Invalid status code specified")
    if given.get("selectionPattern"):
        raise refuse("selectionPattern: every answer of the function is passed on with status 200")
    if any(not _is_pass_through(text, integration) for text in (given.get("responseTemplates") or {}).values()):
        raise refuse("mapping templates (responseTemplates): the answer is passed on as it comes")
    if given.get("contentHandling"):
        raise refuse("contentHandling: bodies are passed on as they come")
    mapped = given.get("responseParameters") or {}
    if integration["type"] in ("AWS", "MOCK"):
        if status != "200":
            raise refuse(f"status {status} of an integration of type {integration['type']}: it is always 200")
        _check_declared(mapped, (declared.get(status) or {}).get("responseParameters") or {}, status in declared)
        _check_constants(mapped)
    elif mapped:
        raise refuse(f"responseParameters of an integration of type {integration['type']}")
    return _kept(given, "statusCode", "responseParameters", "responseTemplates")


def _is_pass_through(template: str, integration: Members) -> bool:
    """Nothing at all passes the body; a mock's has none, so `{}` says nothing either."""
    return not template.strip() or (integration["type"] == "MOCK" and _is_empty_object(template))


def _is_empty_object(template: str) -> bool:
    try:
        return bool(parsed(template) == {})
    except ValueError:
        return False


def _check_declared(mapped: Members, parameters: Members, is_declared: bool) -> None:
    missing = [name for name in mapped if name not in parameters]
    if mapped and not is_declared:
        errors = "No method response exists for method."
    elif missing:
        errors = f"Invalid mapping expression parameter specified: {missing[0]}"
    else:
        return
    raise BadRequestException(
        f"Invalid mapping expression specified: Validation Result: warnings : [], errors : [{errors}]"
    )


def _check_constants(mapped: Members) -> None:
    for name, value in mapped.items():
        if not _CONSTANT.fullmatch(value):
            raise refuse(f"the response parameter {name}: {value} (only constants in single quotes)")


def constant_headers(integration: Members) -> dict[str, str]:
    """The constant headers that are added to answers, by their names."""
    response = (integration.get("integrationResponses") or {}).get("200") or {}
    return {
        name.removeprefix(_HEADER): value[1:-1] for name, value in (response.get("responseParameters") or {}).items()
    }


def _kept(given: Members, *members: str) -> Members:
    return {name: given[name] for name in members if given.get(name) not in (None, {}, [])}
