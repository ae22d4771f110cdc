"""Templates with APIs, SAM's and plain, over the real services: what is served after each apply, and where."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from alight.apis.api import Api, Cors, Route
from alight.calls import Call, Handler, Members, Principal
from alight.clock import ManualClock
from alight.services.apigateway import service as rest
from alight.services.apigateway.ledger import HTTP, REST, Ledger
from alight.services.apigateway.served import Served
from alight.services.apigatewayv2 import service as http
from alight.stacks.apply import ApplyFailed, apply, remove
from alight.stacks.definitions import check_body
from alight.stacks.outputs import outputs
from alight.stacks.problems import TemplateRefused
from alight.stacks.record import open_stack
from alight.store.database import Database
from alight.store.records import Records
from tests.unit.stacks.scene import Scene, Services, actions

ROOT = Principal("root", "arn:aws:iam::000000000000:root", "ROOT")
ARN = "arn:aws:lambda:us-east-1:000000000000:function:"
BASE = "http://127.0.0.1:4566/_aws/execute-api"


@dataclass
class Real(Services):
    """The real operations where there are some, the double for all else (functions, roles ...)."""

    operations_table: dict[tuple[str, str], Handler] | None = None

    async def __call__(self, service: str, operation: str, given: Members) -> Members:
        handler = (self.operations_table or {}).get((service, operation))
        if handler is None:
            return await super().__call__(service, operation, given)
        self.asked.append((operation, given))
        return await handler(Call(service, operation, "r", ROOT), given)


@dataclass
class Stage:
    """A scene and what its APIs serve."""

    scene: Scene
    served: Served

    def api(self, logical_id: str, stage: str) -> Api:
        entries = open_stack(self.scene.records, "shop").entries
        found = self.served.find(entries[logical_id].known["Ref"], stage)
        assert found is not None
        return found

    def id(self, logical_id: str) -> str:
        return str(open_stack(self.scene.records, "shop").entries[logical_id].known["Ref"])


@pytest.fixture(scope="module")
def translations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the translator said of a template is kept, as between two starts."""
    return tmp_path_factory.mktemp("translations")


@pytest.fixture
async def stage(tmp_path: Path, translations: Path) -> AsyncIterator[Stage]:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "src").mkdir()
    (folder / "src" / "app.py").write_text("def handler(event, context): return {}\n")
    clock = ManualClock()
    database = await Database.open(tmp_path / "data", clock)
    (tmp_path / "data" / "stacks").symlink_to(translations)
    records = Records(database)
    rest_apis, http_apis = Ledger(database, records, clock, REST), Ledger(database, records, clock, HTTP)
    table = rest.operations(rest_apis, records) | http.operations(http_apis)
    scene = Scene(folder, records, Real(operations_table=table), clock)
    yield Stage(scene, Served(rest_apis, http_apis))
    await database.close()


HEAD = """\
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {Runtime: python3.11, Handler: app.handler, CodeUri: src/}}
Resources:
"""
IMPLICIT = (
    HEAD
    + """\
  Score:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: score
      Events:
        Post: {Type: Api, Properties: {Path: /, Method: POST}}
Outputs:
  ApiUrl: {Value: !Sub "https://${ServerlessRestApi}.execute-api.${AWS::Region}.amazonaws.com/Prod"}
  Elsewhere: {Value: !Sub "https://abcdefghij.execute-api.${AWS::Region}.amazonaws.com/Prod"}
"""
)


def routes(api: Api) -> dict[str, Route]:
    return {f"{route.method} {route.path}": route for route in api.routes}


async def test_an_implicit_rest_api(stage: Stage) -> None:
    applied = await stage.scene.apply(IMPLICIT)
    api = stage.api("ServerlessRestApi", "Prod")
    assert (api.kind, api.stage) == ("REST", "Prod")
    assert list(routes(api)) == ["POST /"]
    assert routes(api)["POST /"].integration.function == f"{ARN}score"
    assert applied.outputs == {
        "ApiUrl": f"{BASE}/{api.id}/Prod",
        "Elsewhere": "https://abcdefghij.execute-api.us-east-1.amazonaws.com/Prod",
    }
    [permission] = stage.scene.services.all_given("AddPermission")
    assert permission["Principal"] == "apigateway.amazonaws.com"
    assert permission["SourceArn"] == f"arn:aws:execute-api:us-east-1:000000000000:{api.id}/*/POST/"


async def test_outputs_follow_the_address_at_which_they_are_asked_for(stage: Stage) -> None:
    await stage.scene.apply(IMPLICIT)
    found = await outputs(stage.scene.records, "https://demo.example/")
    assert found["ApiUrl"] == f"https://demo.example/_aws/execute-api/{stage.id('ServerlessRestApi')}/Prod"


async def test_the_same_again_changes_nothing(stage: Stage) -> None:
    await stage.scene.apply(IMPLICIT)
    before = stage.api("ServerlessRestApi", "Prod")
    applied = await stage.scene.apply(IMPLICIT)
    assert set(actions(applied.plan).values()) == {"none"}
    assert stage.api("ServerlessRestApi", "Prod") is before


async def test_a_changed_body_is_deployed_and_the_address_stays(stage: Stage) -> None:
    first = await stage.scene.apply(IMPLICIT)
    before = stage.id("ServerlessRestApi")
    more = IMPLICIT.replace(
        "        Post:", "        Get: {Type: Api, Properties: {Path: '/pets/{id}', Method: GET}}\n        Post:"
    )
    second = await stage.scene.apply(more)
    assert stage.id("ServerlessRestApi") == before
    assert first.outputs == second.outputs
    assert list(routes(stage.api("ServerlessRestApi", "Prod"))) == ["POST /", "GET /pets/{id}"]
    kinds = sorted({action for name, action in actions(second.plan).items() if "Deployment" in name})
    assert kinds == ["create", "delete"]
    third = await stage.scene.apply(IMPLICIT)
    assert list(routes(stage.api("ServerlessRestApi", "Prod"))) == ["POST /"]
    assert third.outputs == first.outputs


async def test_what_leaves_the_template_is_gone(stage: Stage) -> None:
    await stage.scene.apply(IMPLICIT)
    await remove("shop", means=stage.scene.means)
    assert stage.served.all() == []


REST_API = (
    HEAD
    + """\
  Web:
    Type: AWS::Serverless::Api
    Properties:
      StageName: prod
      Variables: {mood: good}
      BinaryMediaTypes: [image~1png, "*~1*"]
      MinimumCompressionSize: 1024
      Cors: {AllowOrigin: "'*'", AllowHeaders: "'Content-Type'", AllowMethods: "'POST,OPTIONS'"}
      Auth:
        DefaultAuthorizer: Token
        AddDefaultAuthorizerToCorsPreflight: false
        Authorizers:
          Token: {FunctionArn: !GetAtt Guard.Arn, Identity: {Header: Auth, ReauthorizeEvery: 0}}
          Asked: {FunctionArn: !GetAtt Guard.Arn, FunctionPayloadType: REQUEST, Identity: {QueryStrings: [key]}}
  Guard: {Type: AWS::Serverless::Function, Properties: {FunctionName: guard}}
  Score:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: score
      Events:
        Post: {Type: Api, Properties: {RestApiId: !Ref Web, Path: /, Method: POST}}
        Deep:
          Type: Api
          Properties: {RestApiId: !Ref Web, Path: "/f/{proxy+}", Method: ANY, Auth: {Authorizer: Asked}}
        Iam: {Type: Api, Properties: {RestApiId: !Ref Web, Path: /iam, Method: GET, Auth: {Authorizer: AWS_IAM}}}
  Other:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: other
      Events:
        Open: {Type: Api, Properties: {RestApiId: !Ref Web, Path: /open, Method: GET, Auth: {Authorizer: NONE}}}
"""
)


async def test_a_rest_api_with_everything_sam_has(stage: Stage) -> None:
    await stage.scene.apply(REST_API)
    api = stage.api("Web", "prod")
    assert api.variables == {"mood": "good"}
    assert set(api.binary_media_types) == {"image/png", "*/*"}
    assert api.minimum_compression == 1024
    found = routes(api)
    assert list(found) == [
        *("OPTIONS /", "POST /", "ANY /f/{proxy+}", "OPTIONS /f/{proxy+}", "GET /iam", "OPTIONS /iam"),
        *("GET /open", "OPTIONS /open"),
    ]
    preflight = found["OPTIONS /"]
    assert (preflight.integration.kind, preflight.authorizer) == ("PREFLIGHT", None)
    assert preflight.integration.headers == {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Headers": "Content-Type",
        "Access-Control-Allow-Methods": "POST,OPTIONS",
    }
    token, asked = found["POST /"].authorizer, found["ANY /f/{proxy+}"].authorizer
    assert token is not None
    assert asked is not None
    assert (token.kind, token.function, token.sources, token.ttl) == (
        "TOKEN",
        f"{ARN}guard",
        ("method.request.header.Auth",),
        0.0,
    )
    assert (asked.kind, asked.sources, asked.ttl) == ("REQUEST", ("method.request.querystring.key",), 300.0)
    assert (found["GET /iam"].signed, found["GET /iam"].authorizer) == (True, None)
    assert (found["GET /open"].signed, found["GET /open"].authorizer) == (False, None)
    assert found["GET /open"].integration.function == f"{ARN}other"


HTTP_API = (
    HEAD
    + """\
  Web:
    Type: AWS::Serverless::HttpApi
    Properties:
      StageName: v1
      StageVariables: {mood: good}
      CorsConfiguration: {AllowOrigins: [https://a.example], AllowMethods: [GET], AllowHeaders: [x-a], MaxAge: 60}
      Auth:
        Authorizers:
          Guard:
            FunctionArn: !GetAtt Guard.Arn
            AuthorizerPayloadFormatVersion: "2.0"
            EnableSimpleResponses: true
            Identity: {Headers: [Authorization], ReauthorizeEvery: 60}
  Guard: {Type: AWS::Serverless::Function, Properties: {FunctionName: guard}}
  Score:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: score
      Events:
        One:
          Type: HttpApi
          Properties:
            {ApiId: !Ref Web, Path: "/pets/{id}", Method: GET, PayloadFormatVersion: "1.0", TimeoutInMillis: 5000}
        Any: {Type: HttpApi, Properties: {ApiId: !Ref Web, Path: "/f/{proxy+}", Method: ANY, Auth: {Authorizer: Guard}}}
        Rest: {Type: HttpApi, Properties: {ApiId: !Ref Web}}
Outputs:
  ApiUrl: {Value: !Sub "${Web.ApiEndpoint}/v1/"}
  Spelt: {Value: !Sub "https://${Web}.execute-api.${AWS::Region}.${AWS::URLSuffix}/v1/"}
"""
)


async def test_an_http_api_with_everything_sam_has(stage: Stage) -> None:
    applied = await stage.scene.apply(HTTP_API)
    api = stage.api("Web", "v1")
    assert (api.kind, api.stage, api.variables) == ("HTTP", "v1", {"mood": "good"})
    assert api.cors == Cors(("https://a.example",), ("GET",), ("x-a",), max_age=60)
    found = routes(api)
    assert list(found) == ["ANY $default", "ANY /f/{proxy+}", "GET /pets/{id}"]
    one = found["GET /pets/{id}"].integration
    assert (one.kind, one.function, one.payload, one.timeout) == ("AWS_PROXY", f"{ARN}score", "1.0", 5.0)
    assert found["ANY $default"].integration.payload == "2.0"
    guard = found["ANY /f/{proxy+}"].authorizer
    assert guard is not None
    assert (guard.kind, guard.sources, guard.ttl, guard.payload, guard.simple) == (
        "REQUEST",
        ("$request.header.Authorization",),
        60.0,
        "2.0",
        True,
    )
    assert applied.outputs == dict.fromkeys(("ApiUrl", "Spelt"), f"{BASE}/{api.id}/v1/")


async def test_an_http_api_follows_its_template(stage: Stage) -> None:
    await stage.scene.apply(HTTP_API)
    before = stage.id("Web")
    without = HTTP_API.replace("        Rest: {Type: HttpApi, Properties: {ApiId: !Ref Web}}\n", "").replace(
        "mood: good", "mood: bad"
    )
    await stage.scene.apply(without)
    api = stage.api("Web", "v1")
    assert (stage.id("Web"), api.variables) == (before, {"mood": "bad"})
    assert list(routes(api)) == ["ANY /f/{proxy+}", "GET /pets/{id}"]


async def test_an_implicit_http_api_has_the_default_stage(stage: Stage) -> None:
    applied = await stage.scene.apply(
        HEAD
        + """\
  Score:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: score
      Events: {All: {Type: HttpApi}}
Outputs: {Url: {Value: !GetAtt ServerlessHttpApi.ApiEndpoint}}
"""
    )
    api = stage.api("ServerlessHttpApi", "$default")
    assert list(routes(api)) == ["ANY $default"]
    assert applied.outputs == {"Url": f"{BASE}/{api.id}"}


async def test_a_function_learns_where_an_api_answers(stage: Stage) -> None:
    text = IMPLICIT.replace(
        "Outputs:",
        """\
  Caller:
    Type: AWS::Serverless::Function
    Properties:
      Environment:
        Variables:
          URL: !Sub "https://${ServerlessRestApi}.execute-api.${AWS::Region}.amazonaws.com/Prod/"
          OTHER: https://abcdefghij.execute-api.eu-west-1.amazonaws.com/
Outputs:""",
    )
    await stage.scene.apply(text)
    created = stage.scene.services.all_given("CreateFunction")
    [variables] = [given["Environment"]["Variables"] for given in created if "Environment" in given]
    assert variables == {
        "URL": f"{BASE}/{stage.id('ServerlessRestApi')}/Prod/",
        "OTHER": "https://abcdefghij.execute-api.eu-west-1.amazonaws.com/",
    }
    again = await stage.scene.apply(text)
    assert set(actions(again.plan).values()) == {"none"}


INVOKE = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{ARN}"
PLAIN = """\
Resources:
  Web: {Type: AWS::ApiGateway::RestApi, Properties: {Name: web, EndpointConfiguration: {Types: [REGIONAL]}}}
  Pets:
    Type: AWS::ApiGateway::Resource
    Properties: {RestApiId: !Ref Web, ParentId: !GetAtt Web.RootResourceId, PathPart: pets}
  Guard:
    Type: AWS::ApiGateway::Authorizer
    Properties:
      RestApiId: !Ref Web
      Name: guard
      Type: TOKEN
      IdentitySource: method.request.header.Auth
      AuthorizerUri: INVOKE/guard/invocations
  Post:
    Type: AWS::ApiGateway::Method
    Properties:
      RestApiId: !Ref Web
      ResourceId: !Ref Pets
      HttpMethod: POST
      AuthorizationType: CUSTOM
      AuthorizerId: !Ref Guard
      Integration:
        Type: AWS
        IntegrationHttpMethod: POST
        Uri: INVOKE/score/invocations
        IntegrationResponses: [{StatusCode: 200}]
      MethodResponses: [{StatusCode: 200, ResponseModels: {application/json: Empty}}]
  Deployed: {Type: AWS::ApiGateway::Deployment, DependsOn: Post, Properties: {RestApiId: !Ref Web}}
  Prod: {Type: AWS::ApiGateway::Stage, Properties: {RestApiId: !Ref Web, DeploymentId: !Ref Deployed, StageName: prod}}
  Settings: {Type: AWS::ApiGateway::Account, Properties: {CloudWatchRoleArn: arn}}
""".replace("INVOKE/", INVOKE)


async def test_a_rest_api_piece_by_piece(stage: Stage) -> None:
    await stage.scene.apply(PLAIN)
    route = routes(stage.api("Web", "prod"))["POST /pets"]
    assert (route.integration.kind, route.integration.function) == ("AWS", f"{ARN}score")
    assert route.authorizer is not None
    assert route.authorizer.function == f"{ARN}guard"
    await stage.scene.apply(PLAIN.replace("function:score", "function:better"))
    assert routes(stage.api("Web", "prod"))["POST /pets"].integration.function == f"{ARN}score"
    await stage.scene.apply(PLAIN.replace("function:score", "function:better").replace("Deployed", "Deployed2"))
    assert routes(stage.api("Web", "prod"))["POST /pets"].integration.function == f"{ARN}better"


PIECES = """\
Resources:
  Web: {Type: AWS::ApiGatewayV2::Api, Properties: {Name: web, ProtocolType: HTTP}}
  Call:
    Type: AWS::ApiGatewayV2::Integration
    Properties:
      ApiId: !Ref Web
      IntegrationType: AWS_PROXY
      IntegrationUri: arn:aws:lambda:us-east-1:000000000000:function:score
      PayloadFormatVersion: "2.0"
  Get:
    Type: AWS::ApiGatewayV2::Route
    Properties: {ApiId: !Ref Web, RouteKey: GET /a, Target: !Sub "integrations/${Call}"}
  All: {Type: AWS::ApiGatewayV2::Stage, Properties: {ApiId: !Ref Web, StageName: $default, AutoDeploy: true}}
"""


async def test_an_http_api_piece_by_piece(stage: Stage) -> None:
    await stage.scene.apply(PIECES)
    assert list(routes(stage.api("Web", "$default"))) == ["GET /a"]
    await stage.scene.apply(PIECES.replace("GET /a", "PUT /b"))
    assert list(routes(stage.api("Web", "$default"))) == ["PUT /b"]
    await remove("shop", means=stage.scene.means)
    assert stage.served.all() == []


async def test_a_definition_in_a_file_beside_the_template(stage: Stage) -> None:
    (stage.scene.folder / "api.yaml").write_text(
        """\
swagger: "2.0"
info: {title: web, version: "1"}
paths:
  /a:
    get:
      x-amazon-apigateway-integration:
        type: aws_proxy
        httpMethod: POST
        uri: INVOKE/score/invocations
""".replace("INVOKE/", INVOKE)
    )
    text = HEAD + "  Web: {Type: AWS::Serverless::Api, Properties: {StageName: prod, DefinitionUri: api.yaml}}\n"
    await stage.scene.apply(text)
    assert list(routes(stage.api("Web", "prod"))) == ["GET /a"]
    definition = stage.scene.folder / "api.yaml"
    definition.write_text(definition.read_text().replace("/a:", "/b:"))
    await stage.scene.apply(text)
    assert list(routes(stage.api("Web", "prod"))) == ["GET /b"]


async def test_an_apply_that_was_cut_off_leaves_one_api(stage: Stage) -> None:
    """The API was made, and nobody could write down its id."""
    services: Any = stage.scene.services
    table = dict(services.operations_table)
    create = table["apigateway", "CreateRestApi"]

    async def cut_off(call: Call, given: Members) -> Members:
        await create(call, given)
        raise RuntimeError("the power went")

    services.operations_table = table | {("apigateway", "CreateRestApi"): cut_off}
    with pytest.raises(ApplyFailed):
        await stage.scene.apply(IMPLICIT)
    services.operations_table = table
    await stage.scene.apply(IMPLICIT)
    listed = await table["apigateway", "GetRestApis"](Call("apigateway", "GetRestApis", "r", ROOT), {})
    assert [api["id"] for api in listed["items"]] == [stage.id("ServerlessRestApi")]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (
            REST_API.replace("StageName: prod", "StageName: prod\n      CacheClusterEnabled: true"),
            "cached",
        ),
        (
            HEAD + "  Web: {Type: AWS::ApiGatewayV2::Api, Properties: {Name: w, ProtocolType: WEBSOCKET}}\n",
            "WebSocket",
        ),
        (HEAD + "  Web: {Type: AWS::ApiGateway::GatewayResponse, Properties: {}}\n", "own answers"),
        (HEAD + "  Web: {Type: AWS::ApiGateway::RestApi, Properties: {Name: a, Policy: {}}}\n", "resource policies"),
        (
            HEAD + "  Web: {Type: AWS::ApiGateway::RestApi, Properties: {EndpointConfiguration: {Types: [PRIVATE]}}}\n",
            "VPC",
        ),
    ],
)
async def test_refused_with_its_place(stage: Stage, text: str, word: str) -> None:
    with pytest.raises(TemplateRefused) as refused:
        await stage.scene.apply(text)
    assert word in str(refused.value)
    assert "template.yaml:" in str(refused.value)


async def advise(type_name: str, properties: Members) -> str:
    check_body(type_name, properties)
    return ""


async def test_what_is_wrong_with_a_body_is_told_before_anything_is_done(stage: Stage) -> None:
    text = REST_API.replace("DefaultAuthorizer: Token", "ApiKeyRequired: true\n        DefaultAuthorizer: Token")
    path = stage.scene.write(text)
    with pytest.raises(TemplateRefused) as refused:
        await apply(path, means=replace(stage.scene.means, advise=advise))
    assert f"template.yaml:{text[: text.index('  Web:')].count(chr(10)) + 1}: Resources.Web" in str(refused.value)
    assert "api_key" in str(refused.value)
    assert stage.scene.services.asked == []
    # Whoever applies without advice gets the service's own refusal.
    with pytest.raises(ApplyFailed, match="api_key"):
        await stage.scene.apply(text)


NEUTRAL = (
    HEAD.replace(
        "Globals: {Function:",
        "Globals: {Api: {OpenApiVersion: 3.0.1, EndpointConfiguration: {Type: REGIONAL}}, Function:",
    )
    + """\
  Web:
    Type: AWS::Serverless::Api
    Properties:
      Name: reviews
      Description: all of them
      StageName: prod
      TracingEnabled: true
      Tags: {team: a}
      AccessLogSetting: {DestinationArn: "arn:x", Format: "$context.requestId"}
      MethodSettings: [{HttpMethod: "*", ResourcePath: "/*", LoggingLevel: INFO, MetricsEnabled: true}]
  Plain:
    Type: AWS::Serverless::HttpApi
    Properties:
      Description: plain
      CorsConfiguration: true
      FailOnWarnings: true
      Tags: {team: a}
      AccessLogSettings: {DestinationArn: "arn:x", Format: "$context.requestId"}
      DefaultRouteSettings: {DetailedMetricsEnabled: true}
      Auth: {EnableIamAuthorizer: true}
  Score:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: score
      Events:
        Post: {Type: Api, Properties: {RestApiId: !Ref Web, Path: /, Method: POST}}
        Get: {Type: HttpApi, Properties: {ApiId: !Ref Plain, Path: /, Method: GET, Auth: {Authorizer: AWS_IAM}}}
"""
)


async def test_what_has_no_effect_here_is_recorded_and_the_rest_works(stage: Stage) -> None:
    applied = await stage.scene.apply(NEUTRAL)
    web, plain = stage.api("Web", "prod"), stage.api("Plain", "$default")
    assert (web.name, list(routes(web))) == ("reviews", ["POST /"])
    assert (plain.cors, routes(plain)["GET /"].signed) == (Cors(origins=("*",)), True)
    neutral = " ".join(str(problem) for problem in applied.plan.neutral)
    for word in ("TracingEnabled", "AccessLogSetting", "LoggingLevel", "DetailedMetricsEnabled"):
        assert word in neutral
    assert set(actions((await stage.scene.apply(NEUTRAL)).plan).values()) == {"none"}
    renamed = NEUTRAL.replace("Name: reviews", "Name: ratings")
    before = stage.id("Web")
    await stage.scene.apply(renamed)
    assert (stage.api("Web", "prod").name, stage.id("Web")) == ("ratings", before)


@pytest.mark.parametrize(
    ("text", "operation", "logical_id", "stage_name"),
    [
        (PLAIN, ("apigateway", "CreateRestApi"), "Web", "prod"),
        (PLAIN, ("apigateway", "CreateResource"), "Web", "prod"),
        (PLAIN, ("apigateway", "CreateAuthorizer"), "Web", "prod"),
        (PLAIN, ("apigateway", "PutIntegration"), "Web", "prod"),
        (PLAIN, ("apigateway", "CreateDeployment"), "Web", "prod"),
        (PLAIN, ("apigateway", "CreateStage"), "Web", "prod"),
        (PIECES, ("apigatewayv2", "CreateApi"), "Web", "$default"),
        (PIECES, ("apigatewayv2", "CreateIntegration"), "Web", "$default"),
        (PIECES, ("apigatewayv2", "CreateRoute"), "Web", "$default"),
        (PIECES, ("apigatewayv2", "CreateStage"), "Web", "$default"),
    ],
)
async def test_what_was_cut_off_is_finished_by_the_next_apply(
    stage: Stage, text: str, operation: tuple[str, str], logical_id: str, stage_name: str
) -> None:
    services: Any = stage.scene.services
    table = dict(services.operations_table)

    async def cut_off(call: Call, given: Members) -> Members:
        await table[operation](call, given)
        raise RuntimeError("the power went")

    services.operations_table = table | {operation: cut_off}
    with pytest.raises(ApplyFailed, match="the power went"):
        await stage.scene.apply(text)
    services.operations_table = table
    await stage.scene.apply(text)
    assert len(stage.api(logical_id, stage_name).routes) == 1
    assert len({api.id for api in stage.served.all()}) == 1


CHANGING = """\
Resources:
  Web:
    Type: AWS::ApiGateway::RestApi
    Properties:
      Name: web
      Description: first
      BinaryMediaTypes: [image/png, image/gif]
      MinimumCompressionSize: 10
      Tags: [{Key: a, Value: 1}, {Key: b, Value: 2}]
  Plain:
    Type: AWS::ApiGatewayV2::Api
    Properties:
      Name: plain
      ProtocolType: HTTP
      Target: arn:aws:lambda:us-east-1:000000000000:function:score
      CorsConfiguration: {AllowOrigins: ["*"]}
      Tags: {a: "1"}
  Guard:
    Type: AWS::ApiGatewayV2::Authorizer
    Properties:
      ApiId: !Ref Plain
      Name: guard
      AuthorizerType: REQUEST
      AuthorizerUri: arn:aws:lambda:us-east-1:000000000000:function:guard
      AuthorizerPayloadFormatVersion: "2.0"
      IdentitySource: [$request.header.A]
"""


async def test_every_property_that_changes_or_goes_is_followed(stage: Stage) -> None:
    await stage.scene.apply(CHANGING)
    changed = (
        CHANGING.replace("      Description: first\n", "")
        .replace("[image/png, image/gif]", "[image/gif]")
        .replace("      MinimumCompressionSize: 10\n", "")
        .replace("[{Key: a, Value: 1}, {Key: b, Value: 2}]", "[{Key: a, Value: 3}]")
        .replace('      CorsConfiguration: {AllowOrigins: ["*"]}\n', "")
        .replace('{a: "1"}', '{b: "2"}')
        .replace("[$request.header.A]", "[$request.header.B]")
        .replace("function:score", "function:better")
    )
    applied = await stage.scene.apply(changed)
    assert set(actions(applied.plan).values()) == {"update"}
    services: Any = stage.scene.services
    root = Call("apigateway", "x", "r", ROOT)
    web = await services.operations_table["apigateway", "GetRestApi"](root, {"restApiId": stage.id("Web")})
    own = {key: value for key, value in web["tags"].items() if not key.startswith("aws:")}
    assert (own, web["binaryMediaTypes"]) == ({"a": "3"}, ["image/gif"])
    assert not {"description", "minimumCompressionSize"} & web.keys()
    plain = stage.api("Plain", "$default")
    assert (plain.cors, plain.routes[0].integration.function) == (None, f"{ARN}better")
    api = await services.operations_table["apigatewayv2", "GetApi"](root, {"ApiId": plain.id})
    assert {key: value for key, value in api["Tags"].items() if not key.startswith("aws:")} == {"b": "2"}
    authorizers = await services.operations_table["apigatewayv2", "GetAuthorizers"](root, {"ApiId": plain.id})
    assert [one["IdentitySource"] for one in authorizers["Items"]] == [["$request.header.B"]]
