"""HTTP APIs by unmodified boto3, over a real socket: the whole life of one, and what AWS says of mistakes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from alight.apis.api import Authorizer, Cors, Integration
from tests.wire.running_apis import Running, running_apis
from tests.wire.test_rest_apis import plain, refusal, status

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:sentiment"
URI = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{FUNCTION}/invocations"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running_apis(tmp_path_factory.mktemp("apis")) as here:
        yield here


@pytest.fixture(scope="module")
def http(running: Running) -> Any:
    return running.client("apigatewayv2")


@pytest.fixture
def api_id(http: Any) -> str:
    return str(http.create_api(Name="web", ProtocolType="HTTP")["ApiId"])


def add_function(http: Any, api_id: str, uri: str = FUNCTION, version: str = "2.0") -> str:
    made = http.create_integration(
        ApiId=api_id, IntegrationType="AWS_PROXY", IntegrationUri=uri, PayloadFormatVersion=version
    )
    return str(made["IntegrationId"])


def add_route(http: Any, api_id: str, key: str, integration: str, **given: Any) -> str:
    made = http.create_route(ApiId=api_id, RouteKey=key, Target=f"integrations/{integration}", **given)
    return str(made["RouteId"])


def test_the_life_of_an_api(http: Any, running: Running) -> None:
    made = http.create_api(Name="web", ProtocolType="HTTP", Tags={"team": "a"})
    api_id = made["ApiId"]
    assert status(made) == 201
    assert made["ApiEndpoint"] == f"{running.url}/_aws/execute-api/{api_id}"
    assert (made["RouteSelectionExpression"], made["Tags"]) == ("$request.method $request.path", {"team": "a"})
    assert plain(http.get_api(ApiId=api_id)) == plain(made)
    integration = http.create_integration(
        ApiId=api_id, IntegrationType="AWS_PROXY", IntegrationUri=URI, PayloadFormatVersion="1.0", TimeoutInMillis=5000
    )
    assert plain(integration) == {
        "IntegrationId": integration["IntegrationId"],
        "IntegrationType": "AWS_PROXY",
        "IntegrationMethod": "POST",
        "IntegrationUri": URI,
        "ConnectionType": "INTERNET",
        "PayloadFormatVersion": "1.0",
        "TimeoutInMillis": 5000,
    }
    route = http.create_route(
        ApiId=api_id, RouteKey="GET /pets/{id}", Target=f"integrations/{integration['IntegrationId']}"
    )
    assert plain(route) == {
        "RouteId": route["RouteId"],
        "RouteKey": "GET /pets/{id}",
        "Target": f"integrations/{integration['IntegrationId']}",
        "ApiKeyRequired": False,
        "AuthorizationType": "NONE",
    }
    assert running.served.find(api_id, "$default") is None
    stage = http.create_stage(ApiId=api_id, StageName="$default", AutoDeploy=True, StageVariables={"a": "b"})
    assert stage["LastDeploymentStatusMessage"].startswith("Successfully deployed stage with deployment ID")
    served = running.served.find(api_id, "$default")
    assert served is not None
    assert (served.kind, served.variables) == ("HTTP", {"a": "b"})
    (one,) = served.routes
    assert (one.method, one.path, one.resource_id) == ("GET", "/pets/{id}", route["RouteId"])
    assert one.integration == Integration("AWS_PROXY", function=FUNCTION, payload="1.0", timeout=5.0)
    assert http.get_apis()["Items"][-1]["ApiId"] == api_id
    assert status(http.delete_api(ApiId=api_id)) == 204
    assert running.served.find(api_id, "$default") is None
    assert refusal(http.get_api, ApiId=api_id) == (
        404,
        "NotFoundException",
        f"Invalid API identifier specified 000000000000:{api_id}",
    )


def test_a_stage_that_deploys_by_itself_follows_every_change(http: Any, running: Running, api_id: str) -> None:
    http.create_stage(ApiId=api_id, StageName="$default", AutoDeploy=True)
    assert running.served.find(api_id, "$default") is None
    function = add_function(http, api_id)
    route = add_route(http, api_id, "$default", function)

    def served() -> list[tuple[str, str, str]]:
        found = running.served.find(api_id, "$default")
        assert found is not None
        return [(one.method, one.path, one.integration.function.rpartition(":")[2]) for one in found.routes]

    assert served() == [("ANY", "$default", "sentiment")]
    http.update_integration(
        ApiId=api_id, IntegrationId=function, IntegrationUri=FUNCTION.replace("sentiment", "better")
    )
    assert served() == [("ANY", "$default", "better")]
    http.update_route(ApiId=api_id, RouteId=route, RouteKey="ANY /f/{proxy+}")
    assert served() == [("ANY", "/f/{proxy+}", "better")]
    (deployment,) = http.get_deployments(ApiId=api_id)["Items"]
    assert (deployment["AutoDeployed"], deployment["DeploymentStatus"]) == (True, "DEPLOYED")
    assert refusal(http.create_deployment, ApiId=api_id, StageName="$default")[1] == "BadRequestException"


def test_another_stage_serves_what_was_deployed(http: Any, running: Running, api_id: str) -> None:
    http.create_stage(ApiId=api_id, StageName="v1")
    assert refusal(http.create_deployment, ApiId=api_id, StageName="v1") == (
        400,
        "BadRequestException",
        "At least one route is required before deploying the Api.",
    )
    function = add_function(http, api_id)
    add_route(http, api_id, "GET /a", function)
    first = http.create_deployment(ApiId=api_id, StageName="v1")["DeploymentId"]
    before = running.served.find(api_id, "v1")
    add_route(http, api_id, "GET /b", function)
    http.update_api(ApiId=api_id, CorsConfiguration={"AllowOrigins": ["*"]})
    assert running.served.find(api_id, "v1") is before
    second = http.create_deployment(ApiId=api_id, Description="two")["DeploymentId"]
    http.update_stage(ApiId=api_id, StageName="v1", DeploymentId=second)
    after = running.served.find(api_id, "v1")
    assert after is not None
    assert ([route.path for route in after.routes], after.cors) == (["/a", "/b"], Cors(origins=("*",)))
    assert refusal(http.delete_deployment, ApiId=api_id, DeploymentId=second)[1] == "BadRequestException"
    assert status(http.delete_deployment(ApiId=api_id, DeploymentId=first)) == 204
    assert [one["StageName"] for one in http.get_stages(ApiId=api_id)["Items"]] == ["v1"]


def test_quick_create(http: Any, running: Running) -> None:
    made = http.create_api(
        Name="quick", ProtocolType="HTTP", Target=FUNCTION, CorsConfiguration={"AllowOrigins": ["*"], "MaxAge": 9}
    )
    served = running.served.find(made["ApiId"], "$default")
    assert served is not None
    assert [(route.method, route.path) for route in served.routes] == [("ANY", "$default")]
    assert served.routes[0].integration == Integration("AWS_PROXY", function=FUNCTION, payload="2.0", timeout=30.0)
    assert served.cors == Cors(origins=("*",), max_age=9)
    http.update_api(ApiId=made["ApiId"], Target="https://a.example/x", RouteKey="GET /x")
    http.delete_cors_configuration(ApiId=made["ApiId"])
    changed = running.served.find(made["ApiId"], "$default")
    assert changed is not None
    assert (changed.routes[0].path, changed.cors) == ("/x", None)
    assert (changed.routes[0].integration.kind, changed.routes[0].integration.method) == ("HTTP_PROXY", "ANY")


def test_authorizers_and_signatures(http: Any, running: Running, api_id: str) -> None:
    function = add_function(http, api_id)
    guard = http.create_authorizer(
        ApiId=api_id,
        Name="guard",
        AuthorizerType="REQUEST",
        AuthorizerUri=URI,
        AuthorizerPayloadFormatVersion="2.0",
        EnableSimpleResponses=True,
        IdentitySource=["$request.header.Auth"],
        AuthorizerResultTtlInSeconds=0,
    )["AuthorizerId"]
    custom = add_route(http, api_id, "GET /a", function, AuthorizationType="CUSTOM", AuthorizerId=guard)
    add_route(http, api_id, "GET /b", function, AuthorizationType="AWS_IAM")
    http.create_stage(ApiId=api_id, StageName="s", AutoDeploy=True)
    served = running.served.find(api_id, "s")
    assert served is not None
    first, second = served.routes
    assert first.authorizer == Authorizer(
        guard, "REQUEST", FUNCTION, ("$request.header.Auth",), 0.0, payload="2.0", simple=True
    )
    assert (first.signed, second.signed, second.authorizer) == (False, True, None)
    assert refusal(http.delete_authorizer, ApiId=api_id, AuthorizerId=guard)[1] == "ConflictException"
    http.delete_route(ApiId=api_id, RouteId=custom)
    assert status(http.delete_authorizer(ApiId=api_id, AuthorizerId=guard)) == 204


def test_another_server(http: Any, running: Running, api_id: str) -> None:
    made = http.create_integration(
        ApiId=api_id, IntegrationType="HTTP_PROXY", IntegrationMethod="ANY", IntegrationUri="http://a.example/{proxy}"
    )
    add_route(http, api_id, "ANY /{proxy+}", made["IntegrationId"])
    http.create_stage(ApiId=api_id, StageName="s", AutoDeploy=True)
    served = running.served.find(api_id, "s")
    assert served is not None
    assert served.routes[0].integration == Integration(
        "HTTP_PROXY",
        uri="http://a.example/{proxy}",
        method="ANY",
        timeout=30.0,
        parameters={"integration.request.path.proxy": "method.request.path.proxy"},
    )


def test_mistakes_are_told_as_aws_tells_them(http: Any, api_id: str) -> None:
    function = add_function(http, api_id)
    add_route(http, api_id, "GET /a", function)
    assert refusal(http.create_route, ApiId=api_id, RouteKey="GET /a") == (
        409,
        "ConflictException",
        "Route with key GET /a already exists for this API",
    )
    for key in ("/a", "FETCH /a", "GET a", "GET /{x+}/a"):
        assert refusal(http.create_route, ApiId=api_id, RouteKey=key)[2].startswith("The provided route key is not")
    bad = (400, "BadRequestException")
    proxy = {"ApiId": api_id, "IntegrationType": "AWS_PROXY"}
    assert refusal(http.create_integration, **proxy, IntegrationUri="x", PayloadFormatVersion="2.0") == (
        *bad,
        "Invalid integration URI specified",
    )
    assert refusal(http.create_integration, **proxy, IntegrationUri=URI)[:2] == bad
    assert refusal(http.create_integration, ApiId=api_id, IntegrationType="MOCK")[:2] == bad
    assert refusal(http.create_route, ApiId=api_id, RouteKey="GET /b", Target="integrations/x")[:2] == bad
    assert refusal(http.delete_integration, ApiId=api_id, IntegrationId=function)[:2] == (409, "ConflictException")
    for called, given, word in (
        (http.get_route, {"RouteId": "x"}, "Route"),
        (http.get_integration, {"IntegrationId": "x"}, "Integration"),
        (http.get_authorizer, {"AuthorizerId": "x"}, "Authorizer"),
        (http.get_stage, {"StageName": "x"}, "stage"),
        (http.get_deployment, {"DeploymentId": "x"}, "Deployment"),
    ):
        assert refusal(called, ApiId=api_id, **given) == (
            404,
            "NotFoundException",
            f"Invalid {word} identifier specified",
        )
    with_credentials = {"AllowOrigins": ["*"], "AllowCredentials": True}
    assert refusal(http.update_api, ApiId=api_id, CorsConfiguration=with_credentials)[:2] == bad


@pytest.mark.parametrize(
    ("operation", "given", "word"),
    [
        ("create_api", {"Name": "x", "ProtocolType": "WEBSOCKET"}, "WEBSOCKET"),
        ("create_api", {"Name": "x", "ProtocolType": "HTTP", "DisableExecuteApiEndpoint": True}, "DisableExecute"),
        ("create_route", {"RouteKey": "GET /", "AuthorizationType": "JWT"}, "JWT"),
        (
            "create_authorizer",
            {"Name": "j", "AuthorizerType": "JWT", "IdentitySource": ["$request.header.A"]},
            "JWT",
        ),
        (
            "create_integration",
            {"IntegrationType": "AWS_PROXY", "IntegrationSubtype": "SQS-SendMessage"},
            "IntegrationSubtype",
        ),
        (
            "create_integration",
            {"IntegrationType": "HTTP_PROXY", "RequestParameters": {"append:header.x": "y"}},
            "RequestParameters",
        ),
        ("create_integration", {"IntegrationType": "HTTP_PROXY", "ConnectionType": "VPC_LINK"}, "VPC"),
        ("create_stage", {"StageName": "s", "DefaultRouteSettings": {"ThrottlingRateLimit": 1.0}}, "ThrottlingRate"),
        ("create_stage", {"StageName": "s", "ClientCertificateId": "c"}, "ClientCertificateId"),
    ],
)
def test_refused_by_name(http: Any, api_id: str, operation: str, given: dict[str, Any], word: str) -> None:
    here = {} if operation == "create_api" else {"ApiId": api_id}
    code, name, message = refusal(getattr(http, operation), **here, **given)
    assert (code, name) == (501, "NotImplemented")
    assert word in message


def test_a_body_is_imported_and_reimported(http: Any, running: Running) -> None:
    call = {"type": "AWS_PROXY", "httpMethod": "POST", "uri": URI, "payloadFormatVersion": "2.0"}
    document: dict[str, Any] = {
        "openapi": "3.0.1",
        "info": {"title": "imported", "version": "1.0", "description": "d"},
        "paths": {
            "/a": {"get": {"x-amazon-apigateway-integration": {"$ref": REFERENCE}}},
            "$default": {"x-amazon-apigateway-any-method": {"x-amazon-apigateway-integration": call}},
        },
        "components": {"x-amazon-apigateway-integrations": {"named": call}},
        "x-amazon-apigateway-cors": {"allowOrigins": ["*"]},
        "tags": [{"name": "by", "x-amazon-apigateway-tag-value": "SAM"}],
    }
    made = http.import_api(Body=json.dumps(document))
    assert (status(made), made["Name"], made["Description"], made["Tags"]) == (201, "imported", "d", {"by": "SAM"})
    api_id = made["ApiId"]
    http.create_stage(ApiId=api_id, StageName="s", AutoDeploy=True)
    served = running.served.find(api_id, "s")
    assert served is not None
    assert [(one.method, one.path) for one in served.routes] == [("ANY", "$default"), ("GET", "/a")]
    assert served.cors == Cors(origins=("*",))
    del document["paths"]["$default"], document["x-amazon-apigateway-cors"]
    assert status(http.reimport_api(ApiId=api_id, Body=json.dumps(document))) == 201
    again = running.served.find(api_id, "s")
    assert again is not None
    assert ([(one.method, one.path) for one in again.routes], again.cors) == ([("GET", "/a")], None)
    document["x-amazon-apigateway-request-validators"] = {}
    code, _, message = refusal(http.reimport_api, ApiId=api_id, Body=json.dumps(document))
    assert (code, "x-amazon-apigateway-request-validators" in message) == (501, True)


REFERENCE = "#/components/x-amazon-apigateway-integrations/named"


def test_tags_and_pages(http: Any, api_id: str) -> None:
    arn = f"arn:aws:apigateway:us-east-1::/apis/{api_id}"
    http.tag_resource(ResourceArn=arn, Tags={"a": "1", "b": "2"})
    http.untag_resource(ResourceArn=arn, TagKeys=["a"])
    assert http.get_tags(ResourceArn=arn)["Tags"] == {"b": "2"}
    function = add_function(http, api_id)
    for number in range(3):
        add_route(http, api_id, f"GET /{number}", function)
    first = http.get_routes(ApiId=api_id, MaxResults="2")
    second = http.get_routes(ApiId=api_id, MaxResults="2", NextToken=first["NextToken"])
    keys = [route["RouteKey"] for route in (*first["Items"], *second["Items"])]
    assert keys == ["GET /0", "GET /1", "GET /2"]
    assert "NextToken" not in second
    assert refusal(http.get_routes, ApiId=api_id, NextToken="!")[1] == "BadRequestException"
