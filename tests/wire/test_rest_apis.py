"""REST APIs by unmodified boto3, over a real socket: the whole life of one, and what AWS says of mistakes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from alight.apis.api import Authorizer, Integration, Route
from tests.wire.running_apis import Running, running_apis

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:sentiment"
URI = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{FUNCTION}/invocations"
PREFLIGHT = {"application/json": '{\n  "statusCode" : 200\n}\n'}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running_apis(tmp_path_factory.mktemp("apis")) as here:
        yield here


@pytest.fixture(scope="module")
def rest(running: Running) -> Any:
    return running.client("apigateway")


@pytest.fixture
def api(rest: Any) -> tuple[str, str]:
    made = rest.create_rest_api(name="reviews")
    return made["id"], made["rootResourceId"]


def put_proxy(rest: Any, api_id: str, resource_id: str, verb: str = "POST") -> None:
    rest.put_method(restApiId=api_id, resourceId=resource_id, httpMethod=verb, authorizationType="NONE")
    rest.put_integration(
        restApiId=api_id,
        resourceId=resource_id,
        httpMethod=verb,
        type="AWS_PROXY",
        integrationHttpMethod="POST",
        uri=URI,
    )


def refusal(called: Any, **given: Any) -> tuple[int, str, str]:
    with pytest.raises(ClientError) as caught:
        called(**given)
    response = caught.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"], response["Error"]["Message"]


def plain(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def status(answer: dict[str, Any]) -> int:
    return int(answer["ResponseMetadata"]["HTTPStatusCode"])


def test_the_lab_from_the_first_command_to_the_invoke_url(rest: Any, running: Running) -> None:
    made = rest.create_rest_api(name="sentiment_analysis_web_app")
    assert status(made) == 201
    assert len(made["id"]) == 10
    assert plain(made).keys() == {
        "id", "name", "createdDate", "apiKeySource", "endpointConfiguration", "disableExecuteApiEndpoint",
        "rootResourceId",
    }  # fmt: skip
    (root,) = rest.get_resources(restApiId=made["id"])["items"]
    assert root == {"id": made["rootResourceId"], "path": "/"}
    given = {"restApiId": made["id"], "resourceId": root["id"], "httpMethod": "POST"}
    method = rest.put_method(**given, authorizationType="NONE")
    assert (status(method), plain(method)) == (
        201,
        {"httpMethod": "POST", "authorizationType": "NONE", "apiKeyRequired": False},
    )
    integration = rest.put_integration(**given, type="AWS_PROXY", integrationHttpMethod="POST", uri=URI)
    assert (status(integration), plain(integration)) == (
        201,
        {
            "type": "AWS_PROXY",
            "httpMethod": "POST",
            "uri": URI,
            "passthroughBehavior": "WHEN_NO_MATCH",
            "timeoutInMillis": 29000,
            "cacheNamespace": root["id"],
            "cacheKeyParameters": [],
        },
    )
    assert running.served.find(made["id"], "prod") is None
    deployment = rest.create_deployment(restApiId=made["id"], stageName="prod")
    assert (status(deployment), sorted(plain(deployment))) == (201, ["createdDate", "id"])
    stage = rest.get_stage(restApiId=made["id"], stageName="prod")
    assert (stage["deploymentId"], stage["cacheClusterStatus"]) == (deployment["id"], "NOT_AVAILABLE")
    served = running.served.find(made["id"], "prod")
    assert served is not None
    assert (served.kind, served.name, served.stage) == ("REST", "sentiment_analysis_web_app", "prod")
    assert served.routes == (
        Route("POST", "/", Integration("AWS_PROXY", function=FUNCTION, timeout=29.0), resource_id=root["id"]),
    )


def test_what_is_served_is_what_was_deployed(rest: Any, running: Running, api: tuple[str, str]) -> None:
    api_id, root = api
    put_proxy(rest, api_id, root)
    first = rest.create_deployment(restApiId=api_id, stageName="prod", variables={"v": "1"})["id"]
    before = running.served.find(api_id, "prod")
    assert before is running.served.find(api_id, "prod")
    rest.create_resource(restApiId=api_id, parentId=root, pathPart="later")
    put_proxy(rest, api_id, root, "GET")
    rest.update_rest_api(restApiId=api_id, patchOperations=[{"op": "add", "path": "/binaryMediaTypes/image~1png"}])
    assert running.served.find(api_id, "prod") is before
    second = rest.create_deployment(restApiId=api_id, stageName="prod", description="two")["id"]
    after = running.served.find(api_id, "prod")
    assert after is not None
    assert after.deployment == second
    assert before is not None
    assert [route.method for route in after.routes] == ["GET", "POST"]
    assert (before.binary_media_types, after.binary_media_types) == ((), ("image/png",))
    assert after.variables == {"v": "1"}
    rest.update_stage(
        restApiId=api_id,
        stageName="prod",
        patchOperations=[
            {"op": "replace", "path": "/deploymentId", "value": first},
            {"op": "replace", "path": "/variables/v", "value": "2"},
        ],
    )
    back = running.served.find(api_id, "prod")
    assert back is not None
    assert (back.routes, back.variables) == (before.routes, {"v": "2"})
    assert [one["id"] for one in rest.get_deployments(restApiId=api_id)["items"]] == [second, first]
    assert refusal(rest.delete_deployment, restApiId=api_id, deploymentId=first) == (
        400,
        "BadRequestException",
        "Active stages pointing to this deployment must be moved or deleted",
    )
    assert status(rest.delete_deployment(restApiId=api_id, deploymentId=second)) == 202
    assert status(rest.delete_stage(restApiId=api_id, stageName="prod")) == 202
    assert running.served.find(api_id, "prod") is None


def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    with running_apis(tmp_path / "data") as first:
        rest = first.client("apigateway")
        made = rest.create_rest_api(name="n", tags={"a": "b"})
        put_proxy(rest, made["id"], made["rootResourceId"])
        rest.create_deployment(restApiId=made["id"], stageName="prod")
        before = first.served.find(made["id"], "prod")
    with running_apis(tmp_path / "data") as second:
        assert second.served.find(made["id"], "prod") == before
        again = second.client("apigateway").get_rest_api(restApiId=made["id"])
        assert plain(again) == plain(made)


def test_an_api_is_gone_with_all_of_it(rest: Any, running: Running, api: tuple[str, str]) -> None:
    api_id, root = api
    put_proxy(rest, api_id, root)
    rest.create_deployment(restApiId=api_id, stageName="prod")
    assert running.served.find(api_id, "prod") is not None
    assert status(rest.delete_rest_api(restApiId=api_id)) == 202
    assert running.served.find(api_id, "prod") is None
    assert refusal(rest.get_rest_api, restApiId=api_id)[0] == 404


def test_resources_are_a_tree(rest: Any, api: tuple[str, str]) -> None:
    api_id, root = api
    pets = rest.create_resource(restApiId=api_id, parentId=root, pathPart="pets")
    assert (pets["path"], pets["pathPart"], pets["parentId"]) == ("/pets", "pets", root)
    one = rest.create_resource(restApiId=api_id, parentId=pets["id"], pathPart="{id}")
    rest.update_resource(
        restApiId=api_id,
        resourceId=pets["id"],
        patchOperations=[{"op": "replace", "path": "/pathPart", "value": "dogs"}],
    )
    assert rest.get_resource(restApiId=api_id, resourceId=one["id"])["path"] == "/dogs/{id}"
    put_proxy(rest, api_id, one["id"], "ANY")
    items = rest.get_resources(restApiId=api_id)["items"]
    assert [item["path"] for item in items] == ["/", "/dogs", "/dogs/{id}"]
    assert items[2]["resourceMethods"] == {"ANY": {}}
    (embedded,) = rest.get_resources(restApiId=api_id, embed=["methods"])["items"][2:]
    assert embedded["resourceMethods"]["ANY"]["methodIntegration"]["uri"] == URI
    page = rest.get_resources(restApiId=api_id, limit=2)
    rest_of_them = rest.get_resources(restApiId=api_id, limit=2, position=page["position"])
    assert [item["path"] for item in (*page["items"], *rest_of_them["items"])] == ["/", "/dogs", "/dogs/{id}"]
    assert "position" not in rest_of_them
    assert status(rest.delete_resource(restApiId=api_id, resourceId=pets["id"])) == 202
    assert [item["path"] for item in rest.get_resources(restApiId=api_id)["items"]] == ["/"]


def test_where_a_resource_cannot_stand(rest: Any, api: tuple[str, str]) -> None:
    api_id, root = api
    proxy = rest.create_resource(restApiId=api_id, parentId=root, pathPart="{proxy+}")["id"]
    create = rest.create_resource
    assert refusal(create, restApiId=api_id, parentId=root, pathPart="{other}") == (
        400,
        "BadRequestException",
        "A sibling ({proxy+}) of this resource already has a variable path part -- only one is allowed",
    )
    assert refusal(create, restApiId=api_id, parentId=proxy, pathPart="x") == (
        400,
        "BadRequestException",
        "Cannot create a child of a resource with a greedy path variable: {proxy+}",
    )
    rest.create_resource(restApiId=api_id, parentId=root, pathPart="pets")
    assert refusal(create, restApiId=api_id, parentId=root, pathPart="pets") == (
        409,
        "ConflictException",
        "Another resource with the same parent already has this name: pets",
    )
    assert refusal(create, restApiId=api_id, parentId="nothing", pathPart="x") == (
        404,
        "NotFoundException",
        "Invalid Resource identifier specified",
    )
    assert refusal(create, restApiId=api_id, parentId=root, pathPart="a b")[:2] == (400, "BadRequestException")


def test_what_is_not_there(rest: Any, api: tuple[str, str]) -> None:
    api_id, root = api
    here = {"restApiId": api_id, "resourceId": root, "httpMethod": "GET"}
    for called, given, message in (
        (rest.get_rest_api, {"restApiId": "abc"}, "Invalid API identifier specified 000000000000:abc"),
        (rest.delete_rest_api, {"restApiId": "abc"}, "Invalid API identifier specified 000000000000:abc"),
        (rest.get_resource, {"restApiId": api_id, "resourceId": "r"}, "Invalid Resource identifier specified"),
        (rest.get_method, here, "Invalid Method identifier specified"),
        (rest.delete_method, here, "Invalid Method identifier specified"),
        (rest.get_method, here | {"restApiId": "abc"}, "Invalid Resource identifier specified"),
        (rest.get_stage, {"restApiId": api_id, "stageName": "s"}, "Invalid stage identifier specified"),
        (rest.get_deployment, {"restApiId": api_id, "deploymentId": "d"}, "Invalid Deployment identifier specified"),
        (rest.get_authorizer, {"restApiId": api_id, "authorizerId": "x"}, "Invalid Authorizer identifier specified"),
    ):
        assert refusal(called, **given) == (404, "NotFoundException", message)


def test_mistakes_are_told_as_aws_tells_them(rest: Any, api: tuple[str, str]) -> None:
    api_id, root = api
    here = {"restApiId": api_id, "resourceId": root, "httpMethod": "GET"}
    bad = (400, "BadRequestException")
    assert refusal(rest.create_deployment, restApiId=api_id) == (*bad, "The REST API doesn't contain any methods")
    assert refusal(rest.put_method, **here | {"httpMethod": "FETCH"}, authorizationType="NONE") == (
        *bad,
        "Invalid HttpMethod specified. Valid options are GET,PUT,POST,DELETE,PATCH,OPTIONS,HEAD,ANY",
    )
    assert refusal(rest.put_method, **here, authorizationType="CUSTOM")[2].startswith(
        "Invalid authorizer ID specified."
    )
    rest.put_method(**here, authorizationType="NONE")
    assert refusal(rest.put_method, **here, authorizationType="NONE") == (
        409,
        "ConflictException",
        "Method already exists for this resource",
    )
    assert refusal(rest.create_deployment, restApiId=api_id) == (*bad, "No integration defined for method")
    proxy = here | {"type": "AWS_PROXY", "integrationHttpMethod": "POST"}
    assert refusal(rest.put_integration, **proxy, uri="arn:aws:lambda:x") == (
        *bad,
        "Invalid ARN specified in the request",
    )
    assert refusal(rest.put_integration, **here, type="HTTP_PROXY", integrationHttpMethod="GET", uri="ftp://x") == (
        *bad,
        "Invalid HTTP endpoint specified for URI",
    )
    assert refusal(rest.put_integration, **here, type="AWS_PROXY", uri=URI) == (
        *bad,
        "Enumeration value for HttpMethod must be non-empty",
    )
    assert refusal(rest.put_integration, **proxy, uri=URI, timeoutInMillis=29001)[2].startswith("Timeout should be")
    put_proxy(rest, api_id, root, "POST")
    rest.delete_method(**here)
    deployed = rest.create_deployment(restApiId=api_id)["id"]
    rest.create_stage(restApiId=api_id, stageName="s", deploymentId=deployed)
    assert refusal(rest.create_stage, restApiId=api_id, stageName="s", deploymentId=deployed) == (
        409,
        "ConflictException",
        "Stage already exists",
    )
    assert refusal(rest.create_stage, restApiId=api_id, stageName="t", deploymentId="d")[:2] == bad
    assert refusal(rest.create_rest_api, name="x", description="") == (*bad, "Description cannot be an empty string")
    assert refusal(rest.create_rest_api, name="x", minimumCompressionSize=-1) == (
        *bad,
        "Invalid minimum compression size, must be between 0 and 10485760",
    )


@pytest.mark.parametrize(
    ("member", "given"),
    [
        ("apiKeyRequired", {"apiKeyRequired": True}),
        ("requestValidatorId", {"requestValidatorId": "v"}),
        ("COGNITO_USER_POOLS", {"authorizationType": "COGNITO_USER_POOLS"}),
    ],
)
def test_methods_that_are_refused_by_name(rest: Any, api: tuple[str, str], member: str, given: dict[str, Any]) -> None:
    asked = {"restApiId": api[0], "resourceId": api[1], "httpMethod": "GET", "authorizationType": "NONE"} | given
    code, name, message = refusal(rest.put_method, **asked)
    assert (code, name) == (501, "NotImplemented")
    assert member in message


@pytest.mark.parametrize(
    ("member", "given"),
    [
        ("MOCK", {"type": "MOCK", "requestTemplates": PREFLIGHT}),
        ("type HTTP", {"type": "HTTP", "uri": "http://x/", "integrationHttpMethod": "GET"}),
        ("requestTemplates", {"type": "AWS", "requestTemplates": {"application/json": "$input.json('$')"}}),
        ("requestParameters", {"type": "AWS", "requestParameters": {"integration.request.header.X": "'a'"}}),
        ("VPC", {"type": "AWS_PROXY", "connectionType": "VPC_LINK", "connectionId": "v"}),
        ("NEVER", {"type": "AWS", "passthroughBehavior": "NEVER"}),
        (
            "context.identity.sourceIp",
            {
                "type": "HTTP_PROXY",
                "uri": "http://x/",
                "requestParameters": {"integration.request.header.X": "context.identity.sourceIp"},
            },
        ),
        ("sqs", {"type": "AWS", "uri": "arn:aws:apigateway:us-east-1:sqs:path/0/q"}),
    ],
)
def test_integrations_that_are_refused_by_name(
    rest: Any, api: tuple[str, str], member: str, given: dict[str, Any]
) -> None:
    here = {"restApiId": api[0], "resourceId": api[1], "httpMethod": "GET"}
    rest.put_method(**here, authorizationType="NONE")
    asked = {"integrationHttpMethod": "POST", "uri": URI} | given
    code, name, message = refusal(rest.put_integration, **here, **asked)
    assert (code, name) == (501, "NotImplemented")
    assert member in message


def test_a_function_without_a_proxy_passes_bodies_on(rest: Any, running: Running, api: tuple[str, str]) -> None:
    api_id, root = api
    here = {"restApiId": api_id, "resourceId": root, "httpMethod": "POST"}
    rest.put_method(**here, authorizationType="NONE")
    rest.put_integration(**here, type="AWS", integrationHttpMethod="POST", uri=URI)
    code, _, message = refusal(rest.create_deployment, restApiId=api_id, stageName="prod")
    assert (code, "integration response 200" in message) == (501, True)
    header = "method.response.header.Access-Control-Allow-Origin"
    rest.put_method_response(
        **here, statusCode="200", responseModels={"application/json": "Empty"}, responseParameters={header: False}
    )
    rest.put_integration_response(
        **here, statusCode="200", responseTemplates={"application/json": ""}, responseParameters={header: "'*'"}
    )
    for odd in (
        {"selectionPattern": "Error.*"},
        {"responseTemplates": {"application/json": "$input.body"}},
        {"responseParameters": {header: "integration.response.header.X"}},
        {"statusCode": "500"},
    ):
        assert refusal(rest.put_integration_response, **{**here, "statusCode": "200", **odd})[0] == 501
    rest.create_deployment(restApiId=api_id, stageName="prod")
    served = running.served.find(api_id, "prod")
    assert served is not None
    assert served.routes[0].integration == Integration(
        "AWS", function=FUNCTION, timeout=29.0, headers={"Access-Control-Allow-Origin": "*"}
    )


def test_the_answer_to_a_preflight_is_the_one_mock(rest: Any, running: Running, api: tuple[str, str]) -> None:
    api_id, root = api
    here = {"restApiId": api_id, "resourceId": root, "httpMethod": "OPTIONS"}
    header = "method.response.header.Access-Control-Allow-Origin"
    rest.put_method(**here, authorizationType="NONE")
    for odd in ('{"statusCode": 204}', "#set($x = 1)\n{}"):
        asked = {**here, "type": "MOCK", "requestTemplates": {"application/json": odd}}
        assert refusal(rest.put_integration, **asked)[0] == 501
    rest.put_integration(**here, type="MOCK", requestTemplates=PREFLIGHT)
    response = {**here, "statusCode": "200", "responseParameters": {header: "'*'"}}
    code, name, message = refusal(rest.put_integration_response, **response)
    assert (code, name) == (400, "BadRequestException")
    assert "No method response exists for method." in message
    rest.put_method_response(**here, statusCode="200", responseParameters={header: False})
    mapped = response | {"responseParameters": {header: "method.request.header.Origin"}}
    assert refusal(rest.put_integration_response, **mapped)[0] == 501
    rest.put_integration_response(**response)
    rest.create_deployment(restApiId=api_id, stageName="prod")
    served = running.served.find(api_id, "prod")
    assert served is not None
    assert served.routes[0].integration == Integration(
        "PREFLIGHT", headers={"Access-Control-Allow-Origin": "*"}, timeout=29.0
    )


def test_another_server(rest: Any, running: Running, api: tuple[str, str]) -> None:
    api_id, root = api
    proxy = rest.create_resource(restApiId=api_id, parentId=root, pathPart="{proxy+}")["id"]
    here = {"restApiId": api_id, "resourceId": proxy, "httpMethod": "ANY"}
    path = {"integration.request.path.proxy": "method.request.path.proxy"}
    rest.put_method(**here, authorizationType="NONE", requestParameters={"method.request.path.proxy": True})
    rest.put_integration(
        **here,
        type="HTTP_PROXY",
        integrationHttpMethod="ANY",
        uri="http://${stageVariables.host}/{proxy}",
        requestParameters=path,
        timeoutInMillis=5000,
    )
    rest.create_deployment(restApiId=api_id, stageName="prod", variables={"host": "127.0.0.1:1"})
    served = running.served.find(api_id, "prod")
    assert served is not None
    assert served.routes[0].integration == Integration(
        "HTTP_PROXY", uri="http://127.0.0.1:1/{proxy}", method="ANY", parameters=path, timeout=5.0
    )


def test_authorizers(rest: Any, running: Running, api: tuple[str, str]) -> None:
    api_id, root = api
    given = {"restApiId": api_id, "name": "tok", "type": "TOKEN", "authorizerUri": URI}
    assert refusal(rest.create_authorizer, **given)[:2] == (400, "BadRequestException")
    made = rest.create_authorizer(
        **given,
        identitySource="method.request.header.Auth",
        identityValidationExpression="^x",
        authorizerResultTtlInSeconds=0,
    )
    assert (status(made), made["authType"]) == (201, "custom")
    assert (
        refusal(rest.create_authorizer, **given, identitySource="method.request.header.Auth")[1] == "ConflictException"
    )
    here = {"restApiId": api_id, "resourceId": root, "httpMethod": "GET"}
    rest.put_method(**here, authorizationType="CUSTOM", authorizerId=made["id"])
    rest.put_integration(**here, type="AWS_PROXY", integrationHttpMethod="POST", uri=URI)
    assert refusal(rest.delete_authorizer, restApiId=api_id, authorizerId=made["id"])[1] == "ConflictException"
    rest.create_deployment(restApiId=api_id, stageName="prod")
    served = running.served.find(api_id, "prod")
    assert served is not None
    assert served.routes[0].authorizer == Authorizer(
        id=made["id"],
        kind="TOKEN",
        function=FUNCTION,
        sources=("method.request.header.Auth",),
        ttl=0.0,
        pattern="^x",
    )
    changed = rest.update_authorizer(
        restApiId=api_id,
        authorizerId=made["id"],
        patchOperations=[{"op": "replace", "path": "/authorizerResultTtlInSeconds", "value": "60"}],
    )
    assert changed["authorizerResultTtlInSeconds"] == 60
    assert [one["name"] for one in rest.get_authorizers(restApiId=api_id)["items"]] == ["tok"]
    rest.update_method(**here, patchOperations=[{"op": "replace", "path": "/authorizationType", "value": "AWS_IAM"}])
    rest.create_deployment(restApiId=api_id, stageName="prod")
    signed = running.served.find(api_id, "prod")
    assert signed is not None
    assert (signed.routes[0].signed, signed.routes[0].authorizer) == (True, None)
    assert status(rest.delete_authorizer(restApiId=api_id, authorizerId=made["id"])) == 202


def test_patches_and_tags(rest: Any, api: tuple[str, str]) -> None:
    api_id, _ = api
    arn = f"arn:aws:apigateway:us-east-1::/restapis/{api_id}"
    operations = [
        {"op": "replace", "path": "/name", "value": "other"},
        {"op": "replace", "path": "/description", "value": "d"},
        {"op": "add", "path": "/binaryMediaTypes/image~1png"},
        {"op": "add", "path": "/binaryMediaTypes/image~1jpeg"},
        {"op": "replace", "path": "/binaryMediaTypes/image~1png", "value": "image/gif"},
        {"op": "replace", "path": "/minimumCompressionSize", "value": "10"},
    ]
    changed = rest.update_rest_api(restApiId=api_id, patchOperations=operations)
    assert (changed["name"], changed["description"], changed["minimumCompressionSize"]) == ("other", "d", 10)
    assert changed["binaryMediaTypes"] == ["image/jpeg", "image/gif"]
    update = rest.update_rest_api
    bad = (400, "BadRequestException")
    assert refusal(update, restApiId=api_id, patchOperations=[{"op": "add", "path": "/binaryMediaTypes"}]) == (
        *bad,
        "Invalid patch path /binaryMediaTypes",
    )
    assert refusal(
        update, restApiId=api_id, patchOperations=[{"op": "add", "path": "/minimumCompressionSize", "value": "1"}]
    ) == (*bad, "Invalid patch operation specified. Must be one of: [replace]")
    policy = [{"op": "replace", "path": "/policy", "value": "{}"}]
    assert refusal(update, restApiId=api_id, patchOperations=policy)[0] == 501
    assert rest.get_rest_api(restApiId=api_id)["name"] == "other"
    assert status(rest.tag_resource(resourceArn=arn, tags={"team": "a", "x": "y"})) == 204
    rest.untag_resource(resourceArn=arn, tagKeys=["x"])
    assert rest.get_tags(resourceArn=arn)["tags"] == {"team": "a"}
    assert rest.get_rest_api(restApiId=api_id)["tags"] == {"team": "a"}
    assert rest.get_account()["throttleSettings"]["burstLimit"] == 5000


def test_a_body_is_imported_and_put(rest: Any, running: Running) -> None:
    document = {
        "swagger": "2.0",
        "info": {"title": "imported", "version": "1.0"},
        "paths": {
            "/pets/{id}": {
                "x-amazon-apigateway-any-method": {
                    "x-amazon-apigateway-integration": {"type": "aws_proxy", "httpMethod": "POST", "uri": URI}
                }
            }
        },
    }
    made = rest.import_rest_api(body=json.dumps(document).encode())
    assert (status(made), made["name"], made["version"]) == (201, "imported", "1.0")
    api_id = made["id"]
    before = {item["path"]: item["id"] for item in rest.get_resources(restApiId=api_id)["items"]}
    assert before.keys() == {"/", "/pets", "/pets/{id}"}
    document["paths"] = {
        "/": {"get": {"x-amazon-apigateway-integration": {"type": "aws_proxy", "httpMethod": "POST", "uri": URI}}}
    }
    rest.put_rest_api(restApiId=api_id, mode="merge", body=json.dumps(document).encode())
    merged = {item["path"]: item["id"] for item in rest.get_resources(restApiId=api_id)["items"]}
    assert merged == before
    rest.put_rest_api(restApiId=api_id, mode="overwrite", body=json.dumps(document).encode())
    after = {item["path"]: item["id"] for item in rest.get_resources(restApiId=api_id)["items"]}
    assert after == {"/": before["/"]}
    rest.create_deployment(restApiId=api_id, stageName="prod")
    served = running.served.find(api_id, "prod")
    assert served is not None
    assert [(route.method, route.path) for route in served.routes] == [("GET", "/")]
    assert refusal(rest.import_rest_api, body=b"no document") == (400, "BadRequestException", "Invalid OpenAPI input.")
