"""APIs of templates on a running instance: from `alight up` to the answer, through changes and restarts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support import Instance, Start

CODE = """\
import os

def handler(event, context):
    where = event.get("path") or event["rawPath"]
    headers = {"Content-Type": "text/plain", "Access-Control-Allow-Origin": "*"}
    answer = f"{event.get('version', '1.0')} {where} {event.get('body')}"
    return {"statusCode": 200, "headers": headers, "body": answer}

def address(event, context):
    return os.environ["API"]

def guard(event, context):
    effect = "Allow" if event["authorizationToken"] == "open sesame" else "Deny"
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": event["methodArn"]}
    return {"principalId": "me", "policyDocument": {"Version": "2012-10-17", "Statement": [statement]}}
"""
TEMPLATE = """\
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {Runtime: python3.11, Handler: app.handler, CodeUri: src/}}
Resources:
  Web:
    Type: AWS::Serverless::Api
    Properties:
      StageName: prod
      Cors: "'*'"
      Auth: {Authorizers: {Token: {FunctionArn: !GetAtt Guard.Arn}}}
  Guard: {Type: AWS::Serverless::Function, Properties: {Handler: app.guard}}
  Caller:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: caller
      Handler: app.address
      Environment: {Variables: {API: !Sub "https://${Web}.execute-api.${AWS::Region}.amazonaws.com/prod"}}
  Score:
    Type: AWS::Serverless::Function
    Properties:
      Events:
        Post: {Type: Api, Properties: {RestApiId: !Ref Web, Path: /, Method: POST}}
        Guarded: {Type: Api, Properties: {RestApiId: !Ref Web, Path: /in, Method: GET, Auth: {Authorizer: Token}}}
        Signed: {Type: Api, Properties: {RestApiId: !Ref Web, Path: /iam, Method: GET, Auth: {Authorizer: AWS_IAM}}}
        All: {Type: HttpApi}
Outputs:
  ApiUrl: {Value: !Sub "https://${Web}.execute-api.${AWS::Region}.amazonaws.com/prod"}
  HttpUrl: {Value: !Sub "https://${ServerlessHttpApi}.execute-api.${AWS::Region}.amazonaws.com/"}
"""


@dataclass
class App:
    folder: Path

    def write(self, text: str) -> Path:
        (self.folder / "template.yaml").write_text(text)
        return self.folder


@pytest.fixture
def app(tmp_path: Path) -> App:
    folder = tmp_path / "reviews"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "app.py").write_text(CODE)
    made = App(folder)
    made.write(TEMPLATE)
    return made


def asked(method: str, url: str, body: str | None = None, headers: Mapping[str, str] | None = None) -> tuple[int, str]:
    with requests.request(method, url, data=body, headers=headers, timeout=30) as answer:
        return answer.status_code, answer.text


def outputs(instance: Instance) -> dict[str, Any]:
    found: dict[str, Any] = instance.json("outputs")
    return found


def test_a_template_answers_at_the_addresses_of_its_outputs(start: Start, app: App) -> None:
    instance = start(app.folder, timeout=60)
    found = outputs(instance)
    assert found["ApiUrl"].startswith(f"{instance.url}/_aws/execute-api/")
    assert asked("POST", found["ApiUrl"], "good") == (200, "1.0 / good")
    assert asked("GET", f"{found['HttpUrl']}any/where") == (200, "2.0 /any/where None")
    assert asked("GET", f"{found['ApiUrl']}/in", headers={"Authorization": "open sesame"}) == (200, "1.0 /in None")
    assert asked("GET", f"{found['ApiUrl']}/in", headers={"Authorization": "open rye"})[0] == 403
    assert asked("GET", f"{found['ApiUrl']}/in")[0] == 401
    assert asked("GET", f"{found['ApiUrl']}/iam")[0] == 403
    assert asked("GET", f"{found['ApiUrl']}/nothing")[0] == 403
    with requests.options(found["ApiUrl"], headers={"Origin": "null"}, timeout=30) as preflight:
        assert (preflight.status_code, preflight.headers["Access-Control-Allow-Origin"]) == (200, "*")
    told = instance.client("lambda").invoke(FunctionName="caller")["Payload"]
    assert told.read() == f'"{found["ApiUrl"]}"'.encode()
    shown = {(api["kind"], api["stage"]): api["url"] for api in instance.json("status")["apis"]}
    assert shown["REST", "prod"] == found["ApiUrl"]
    assert shown["HTTP", "$default"] == found["HttpUrl"]


def test_an_address_stays_through_changes_and_restarts(start: Start, app: App, tmp_path: Path) -> None:
    first = start(app.folder, tmp_path / "data", timeout=60)
    before = outputs(first)
    app.write(TEMPLATE.replace("Path: /, Method: POST", "Path: /reviews, Method: POST"))
    first.json("apply", str(app.folder))
    assert outputs(first) == before
    assert asked("POST", f"{before['ApiUrl']}/reviews", "good") == (200, "1.0 /reviews good")
    assert asked("POST", before["ApiUrl"], "good")[0] == 403
    first.kill()
    second = start(app.folder, tmp_path / "data", timeout=60)
    after = outputs(second)
    assert after["ApiUrl"] == before["ApiUrl"].replace(first.url, second.url)
    assert asked("POST", f"{after['ApiUrl']}/reviews", "good") == (200, "1.0 /reviews good")
    assert second.json("plan", str(app.folder))["plan"] == []


def test_a_public_address_is_the_base_of_every_link(start: Start, app: App) -> None:
    instance = start(app.folder, timeout=60, ALIGHT_PUBLIC_URL="https://demo.example")
    found = outputs(instance)
    assert found["ApiUrl"].startswith("https://demo.example/_aws/execute-api/")
    local = found["ApiUrl"].replace("https://demo.example", instance.url)
    assert asked("POST", local, "good") == (200, "1.0 / good")


def test_the_labs_steps_by_hand(start: Start, app: App) -> None:
    """A function from the template, everything of the API by commands, as in the lab; the permission comes last."""
    app.write(TEMPLATE[: TEMPLATE.index("  Web:")] + "  Score: {Type: AWS::Serverless::Function}\n")
    instance = start(app.folder, timeout=60)
    rest, functions = instance.client("apigateway"), instance.client("lambda")
    (function,) = functions.list_functions()["Functions"]
    api = rest.create_rest_api(name="sentiment_analysis_web_app")
    here = {"restApiId": api["id"], "resourceId": api["rootResourceId"], "httpMethod": "POST"}
    rest.put_method(**here, authorizationType="NONE")
    path = f"lambda:path/2015-03-31/functions/{function['FunctionArn']}/invocations"
    uri = f"arn:aws:apigateway:us-east-1:{path}"
    rest.put_integration(**here, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
    rest.create_deployment(restApiId=api["id"], stageName="prod")
    url = f"{instance.url}/_aws/execute-api/{api['id']}/prod"
    assert asked("POST", url, "good") == (500, '{"message":"Internal server error"}')
    functions.add_permission(
        FunctionName=function["FunctionName"],
        StatementId="api",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=f"arn:aws:execute-api:us-east-1:000000000000:{api['id']}/*/POST/",
    )
    assert asked("POST", url, "good") == (200, "1.0 / good")
