"""OpenAPI bodies of both kinds of API: what they become, and what is said of those that cannot be read."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alight.errors import Fault
from alight.errors.apigateway import BadRequestException
from alight.errors.common import NotImplemented_
from alight.services.apigateway import rest_apis
from alight.services.apigateway.imports import imported
from alight.services.apigateway.openapi import base_path, joined, read_document
from alight.services.apigatewayv2 import apis as http_apis
from alight.services.apigatewayv2.imports import imported as imported_http

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:f"
URI = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{FUNCTION}/invocations"
PROXY = {"type": "aws_proxy", "httpMethod": "POST", "uri": URI}
CALL = {"x-amazon-apigateway-integration": PROXY}


def rest(document: dict[str, Any], **options: Any) -> dict[str, Any]:
    """The record of a REST API of this document."""
    body = rest_apis.new_api({"name": "n"}, 0.0)
    imported(body, read_document(json.dumps({"swagger": "2.0", "info": {"title": "t"}} | document)), **options)
    return body


def methods(body: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{verb} {resource['path']}": method
        for resource in body["Resources"].values()
        for verb, method in resource["Methods"].items()
    }


def http(document: dict[str, Any]) -> dict[str, Any]:
    body = http_apis.new_api({"Name": "n"}, 0.0)
    imported_http(body, read_document(json.dumps({"openapi": "3.0.1", "info": {"title": "t"}} | document)))
    return body


def test_yaml_and_json_say_the_same() -> None:
    text = 'swagger: "2.0"\ninfo: {title: t, version: 1}\npaths: {/a: {get: {responses: {200: {description: d}}}}}\n'
    found = read_document(text)
    assert found["paths"]["/a"]["get"]["responses"] == {"200": {"description": "d"}}
    assert found == read_document(json.dumps(found).encode())


@pytest.mark.parametrize("text", ["", "[]", "{", "a: [", '{"swagger": "1.2"}', '{"openapi": "3.1.0"}', "just text"])
def test_what_is_no_document(text: str) -> None:
    with pytest.raises(BadRequestException, match="Invalid OpenAPI input"):
        read_document(text)


def test_anchors_that_multiply_are_not_followed() -> None:
    lines = ["swagger: '2.0'", "a: &a [x, x, x, x, x, x, x, x, x, x]"]
    lines += [
        f"{now}: &{now} [{', '.join([f'*{before}'] * 10)}]" for before, now in zip("abcdefg", "bcdefgh", strict=True)
    ]
    with pytest.raises(BadRequestException, match="Invalid OpenAPI input"):
        read_document("\n".join(lines))


def test_paths_become_a_tree_and_any_is_a_method() -> None:
    found = methods(rest({"paths": {"/a/{id}": {"x-amazon-apigateway-any-method": CALL}, "/": {"get": CALL}}}))
    assert found.keys() == {"ANY /a/{id}", "GET /"}
    assert found["GET /"]["methodIntegration"]["type"] == "AWS_PROXY"


@pytest.mark.parametrize(
    ("document", "option", "wanted"),
    [
        ({"swagger": "2.0", "basePath": "/v1/web"}, "ignore", "/a"),
        ({"swagger": "2.0", "basePath": "/v1/web"}, "prepend", "/v1/web/a"),
        ({"swagger": "2.0", "basePath": "/v1/web"}, "split", "/web/a"),
        ({"openapi": "3.0.1", "servers": [{"url": "https://x.example/v1/"}]}, "prepend", "/v1/a"),
        ({"openapi": "3.0.1", "servers": [{"url": "https://x.example"}]}, "prepend", "/a"),
        (
            {"openapi": "3.0.1", "servers": [{"url": "x/{basePath}", "variables": {"basePath": {"default": "v1"}}}]},
            "prepend",
            "/v1/a",
        ),
    ],
)
def test_base_paths(document: dict[str, Any], option: str, wanted: str) -> None:
    assert joined(base_path(document), "/a", option) == wanted


def test_security_of_the_document_and_of_an_operation() -> None:
    schemes = {
        "iam": {"type": "apiKey", "x-amazon-apigateway-authtype": "awsSigv4"},
        "guard": {
            "type": "apiKey",
            "name": "Auth",
            "in": "header",
            "x-amazon-apigateway-authtype": "custom",
            "x-amazon-apigateway-authorizer": {"type": "token", "authorizerUri": URI},
        },
    }
    paths = {
        "/a": {"get": CALL, "put": CALL | {"security": [{"iam": []}]}, "post": CALL | {"security": []}},
    }
    body = rest({"securityDefinitions": schemes, "security": [{"guard": []}], "paths": paths})
    found = methods(body)
    (guard,) = body["Authorizers"].values()
    assert guard["identitySource"] == "method.request.header.Auth"
    assert found["GET /a"]["authorizerId"] == guard["id"]
    assert found["PUT /a"]["authorizationType"] == "AWS_IAM"
    assert found["POST /a"]["authorizationType"] == "NONE"


@pytest.mark.parametrize(
    ("document", "word"),
    [
        ({"x-amazon-apigateway-policy": {}}, "x-amazon-apigateway-policy"),
        ({"x-amazon-apigateway-gateway-responses": {}}, "x-amazon-apigateway-gateway-responses"),
        ({"paths": {"/a": {"get": CALL | {"x-amazon-apigateway-request-validator": "all"}}}}, "request-validator"),
        ({"paths": {"/a": {"get": CALL | {"security": [{"api_key": []}]}}}}, "api_key"),
        (
            {"paths": {"/a": {"get": {"x-amazon-apigateway-integration": PROXY | {"connectionType": "VPC_LINK"}}}}},
            "VPC",
        ),
        (
            {"paths": {"/a": {"get": {"x-amazon-apigateway-integration": PROXY | {"payloadFormatVersion": "2.0"}}}}},
            "payloadFormatVersion",
        ),
        ({"paths": {"/a": {"get": {"x-amazon-apigateway-integration": {"type": "mock"}}}}}, "MOCK"),
    ],
)
def test_what_would_be_inert_is_refused_by_name(document: dict[str, Any], word: str) -> None:
    with pytest.raises(NotImplemented_, match=word):
        rest(document)


def test_a_wrong_integration_names_its_place() -> None:
    wrong = {"x-amazon-apigateway-integration": PROXY | {"uri": "x"}}
    with pytest.raises(BadRequestException) as refused:
        rest({"paths": {"/a": {"get": wrong}}})
    assert refused.value.message == (
        "Errors found during import:\n\tUnable to put integration on 'GET' for resource at path '/a': Invalid ARN "
        "specified in the request"
    )


def test_a_merge_keeps_what_the_document_does_not_speak_of() -> None:
    body = rest({"paths": {"/a": {"get": CALL}}, "x-amazon-apigateway-binary-media-types": ["image/png"]})
    more = read_document(json.dumps({"swagger": "2.0", "info": {"title": "t"}, "paths": {"/b": {"get": CALL}}}))
    imported(body, more, overwrite=False)
    assert methods(body).keys() == {"GET /a", "GET /b"}
    assert body["Api"]["binaryMediaTypes"] == ["image/png"]
    before = {resource["path"]: resource["id"] for resource in body["Resources"].values()}
    imported(body, more, overwrite=True)
    assert methods(body).keys() == {"GET /b"}
    # Whoever has written down the id of a resource finds it again.
    after = {resource["path"]: resource["id"] for resource in body["Resources"].values()}
    assert after == {path: before[path] for path in ("/", "/b")}
    assert "binaryMediaTypes" not in body["Api"]


def test_http_apis_have_routes_and_their_own_extensions() -> None:
    call = {"x-amazon-apigateway-integration": PROXY | {"payloadFormatVersion": "2.0", "timeoutInMillis": 1000}}
    schemes = {
        "guard": {
            "type": "apiKey",
            "x-amazon-apigateway-authorizer": {
                "type": "request",
                "authorizerUri": URI,
                "identitySource": "$request.header.A, $request.querystring.b",
                "authorizerPayloadFormatVersion": "1.0",
            },
        }
    }
    paths = {
        "$default": {"x-amazon-apigateway-any-method": call},
        "/a": {"get": call | {"security": [{"guard": []}]}},
    }
    body = http({"paths": paths, "components": {"securitySchemes": schemes}})
    routes = {route["RouteKey"]: route for route in body["Routes"].values()}
    assert routes.keys() == {"$default", "GET /a"}
    (guard,) = body["Authorizers"].values()
    assert guard["IdentitySource"] == ["$request.header.A", "$request.querystring.b"]
    assert routes["GET /a"]["AuthorizerId"] == guard["AuthorizerId"]
    jwt = {"jwt": {"type": "oauth2", "x-amazon-apigateway-authorizer": {"type": "jwt"}}}
    with pytest.raises(NotImplemented_, match="jwt"):
        http({"components": {"securitySchemes": jwt}})
    with pytest.raises(NotImplemented_, match="cacheNamespace"):
        http({"paths": {"/a": {"get": {"x-amazon-apigateway-integration": PROXY | {"cacheNamespace": "x"}}}}})


LEAF = st.none() | st.booleans() | st.integers(0, 600) | st.text(max_size=8) | st.just(URI)
WORDS = st.sampled_from(
    [
        "paths",
        "/a",
        "get",
        "security",
        "responses",
        "200",
        "headers",
        "type",
        "uri",
        "httpMethod",
        "mock",
        "aws_proxy",
        "securityDefinitions",
        "components",
        "x-amazon-apigateway-integration",
        "x-amazon-apigateway-any-method",
        "x-amazon-apigateway-authorizer",
        "$ref",
        "info",
        "title",
        "basePath",
        "servers",
        "url",
        "requestTemplates",
        "tags",
        "x-amazon-apigateway-cors",
        "allowOrigins",
        "identitySource",
        "default",
        "responseParameters",
        "statusCode",
    ]
)
TREES = st.recursive(LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4))


def told(check: Callable[[dict[str, Any]], None], document: dict[str, Any]) -> int:
    """The status of what is said of a document; 200 where nothing is."""
    try:
        check(read_document(json.dumps(document)))
    except Fault as fault:
        return fault.status
    return 200


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(WORDS, TREES, max_size=6))
def test_no_document_breaks_the_importers(document: dict[str, Any]) -> None:
    assert told(rest_apis.check_definition, {"swagger": "2.0"} | document) in (200, 400, 409, 501)
    assert told(http_apis.check_definition, {"openapi": "3.0.1"} | document) in (200, 400, 409, 501)
