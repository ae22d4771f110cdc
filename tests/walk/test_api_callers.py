"""Who may call an API: permissions of its functions, Lambda authorizers, signatures, pages of other origins."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from alight.apis.api import Authorizer, Cors, Integration, Route
from alight.credentials import mint_session
from alight.names import function_arn
from tests.walk.deployed import Deployed, Said, account, http_api, proxied, rest, stage


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("callers")


@pytest.fixture(scope="module")
def alight(folder: Path) -> Iterator[Deployed]:
    yield from account(folder)


# Permissions ---------------------------------------------------------------------------------------------------------


def test_a_function_has_to_allow_the_api(alight: Deployed, caplog: pytest.LogCaptureFixture) -> None:
    lambdas = alight.client("lambda")
    lambdas.remove_permission(FunctionName="whole", StatementId="any")
    try:
        integration = Integration("AWS", function=function_arn("whole"))
        base = alight.deploy(stage("REST", "asks", Route("ANY", "/p/{id}", integration)))
        said = alight.ask("POST", f"{base}/p/1", "{}")
        assert (said.status, json.loads(said.body)) == (500, {"message": "Internal server error"})
        assert "function:whole does not allow apigateway.amazonaws.com" in caplog.text
        assert "arn:aws:execute-api:us-east-1:000000000000:asks/prod/POST/p/{id}" in caplog.text
        for sid, tail in (("other", "asks/prod/GET/p/*"), ("stage", "asks/test/*"), ("api", "other/*")):
            lambdas.add_permission(
                FunctionName="whole", StatementId=sid, Action="lambda:InvokeFunction",
                Principal="apigateway.amazonaws.com", SourceArn=f"arn:aws:execute-api:us-east-1:000000000000:{tail}",
            )  # fmt: skip
            assert alight.ask("POST", f"{base}/p/1", "{}").status == 500, tail
            lambdas.remove_permission(FunctionName="whole", StatementId=sid)
        alight.permit("whole", "asks/*/POST/p")
        assert alight.ask("POST", f"{base}/p/1", "{}").status == 200
    finally:
        alight.permit("whole", "*", "any")


# Authorizers ---------------------------------------------------------------------------------------------------------


def guarded(kind: Any, id: str, authorizer: Authorizer, payload: Any = "1.0") -> Any:
    paths = ("/a/open", "/b/open", "/closed")
    integration = proxied("echo", payload=payload)
    return stage(kind, id, *(Route("GET", path, integration, authorizer=authorizer) for path in paths))


def asked(folder: Path, function: str) -> list[Any]:
    """The events that an authorizer's function has seen."""
    counts = folder / "counts" / function
    return [json.loads(line) for line in counts.read_text().splitlines()] if counts.exists() else []


def test_a_token_authorizer(alight: Deployed, folder: Path) -> None:
    authorizer = Authorizer("tok", "TOKEN", function_arn("token"), ("method.request.header.Auth",), pattern="^[a-z]+$")
    base = alight.deploy(guarded("REST", "toks", authorizer))
    said = alight.ask("GET", f"{base}/a/open", headers={"auth": "alice"})
    told = json.loads(said.body)["requestContext"]["authorizer"]
    assert said.status == 200
    assert told.pop("integrationLatency") >= 0
    assert told == {"principalId": "alice", "plan": "gold", "seats": "3", "paid": "true"}
    arn = "arn:aws:execute-api:us-east-1:000000000000:toks/prod/GET/a/open"
    assert asked(folder, "token")[-1] == {"type": "TOKEN", "methodArn": arn, "authorizationToken": "alice"}
    count = len(asked(folder, "token"))
    # Remembered by the token, judged anew for each path.
    assert alight.ask("GET", f"{base}/b/open", headers={"Auth": "alice"}).status == 200
    refused = alight.ask("GET", f"{base}/closed", headers={"Auth": "alice"})
    assert (refused.status, refused.text) == (403, '{"Message":"User is not authorized to access this resource"}')
    assert len(asked(folder, "token")) == count
    denied = alight.ask("GET", f"{base}/a/open", headers={"Auth": "denied"})
    assert json.loads(denied.body)["Message"].endswith("with an explicit deny")
    assert len(asked(folder, "token")) == count + 1
    for headers in ({}, {"Auth": "ALICE"}):
        said = alight.ask("GET", f"{base}/a/open", headers=headers)
        assert (said.status, json.loads(said.body)) == (401, {"message": "Unauthorized"})
        assert said.headers["x-amzn-errortype"] == "UnauthorizedException"
    assert len(asked(folder, "token")) == count + 1
    assert alight.ask("GET", f"{base}/a/open", headers={"Auth": "nobody"}).status == 401
    broken = alight.ask("GET", f"{base}/a/open", headers={"Auth": "broken"})
    assert (broken.status, json.loads(broken.body)) == (500, {"message": None})


def test_a_request_authorizer_of_a_rest_api(alight: Deployed, folder: Path) -> None:
    sources = ("method.request.header.X-Key", "method.request.querystring.tenant", "context.stage")
    authorizer = Authorizer("req", "REQUEST", function_arn("token"), sources, ttl=0)
    base = alight.deploy(guarded("REST", "reqs", authorizer))
    before = len(asked(folder, "token"))
    assert alight.ask("GET", f"{base}/a/open", headers={"X-Key": "bob"}).status == 401
    assert len(asked(folder, "token")) == before
    for _ in range(2):
        assert alight.ask("GET", f"{base}/a/open?tenant=1", headers={"X-Key": "bob"}).status == 200
    event = asked(folder, "token")[-1]
    assert len(asked(folder, "token")) == before + 2, "ttl 0: asked every time"
    assert (event["type"], event["httpMethod"], event["path"]) == ("REQUEST", "GET", "/a/open")
    assert (event["queryStringParameters"], event["pathParameters"], event["stageVariables"]) == (
        {"tenant": "1"},
        {},
        {},
    )
    assert "body" not in event


def test_an_authorizer_of_an_http_api(alight: Deployed, folder: Path) -> None:
    sources = ("$request.header.X-Key",)
    simple = Authorizer("sim", "REQUEST", function_arn("simple"), sources, payload="2.0", simple=True)
    base = alight.deploy(guarded("HTTP", "sims", simple, "2.0"))
    said = alight.ask("GET", f"{base}/a/open", headers={"X-Key": "let me in"})
    assert json.loads(said.body)["requestContext"]["authorizer"] == {"lambda": {"seats": 3}}
    event = asked(folder, "simple")[-1]
    assert (event["version"], event["type"], event["identitySource"]) == ("2.0", "REQUEST", ["let me in"])
    assert event["routeArn"] == "arn:aws:execute-api:us-east-1:000000000000:sims/prod/GET/a/open"
    assert json.loads(alight.ask("GET", f"{base}/closed", headers={"X-Key": "no"}).body) == {"message": "Forbidden"}
    assert alight.ask("GET", f"{base}/closed").status == 401
    policy = Authorizer("pol", "REQUEST", function_arn("token"), sources, payload="1.0")
    base = alight.deploy(guarded("HTTP", "pols", policy))
    said = alight.ask("GET", f"{base}/a/open", headers={"X-Key": "carol"})
    assert json.loads(said.body)["requestContext"]["authorizer"]["principalId"] == "carol"
    refused = alight.ask("GET", f"{base}/closed", headers={"X-Key": "carol"})
    assert (refused.status, json.loads(refused.body)) == (403, {"message": "Forbidden"})
    broken = alight.ask("GET", f"{base}/closed", headers={"X-Key": "broken"})
    assert (broken.status, json.loads(broken.body)) == (500, {"message": "Internal Server Error"})


# Signatures ----------------------------------------------------------------------------------------------------------


def signed(
    alight: Deployed, method: str, path: str, body: str = "", *, headers: Mapping[str, str] | None = None, **keys: str
) -> Said:
    variables = alight.variables
    request = AWSRequest(method, f"{variables['AWS_ENDPOINT_URL']}{path}", dict(headers or {}), body)
    credentials = Credentials(
        keys.get("key", variables["AWS_ACCESS_KEY_ID"]),
        keys.get("secret", variables["AWS_SECRET_ACCESS_KEY"]),
        keys.get("token"),
    )
    SigV4Auth(credentials, keys.get("service", "execute-api"), "us-east-1").add_auth(request)
    return alight.ask(method, path, keys.get("sent", body), dict(request.headers.items()))


def test_a_route_that_wants_a_signature(alight: Deployed) -> None:
    base = alight.deploy(stage("REST", "iam", Route("POST", "/x", proxied("echo"), signed=True)))
    said = signed(alight, "POST", f"{base}/x?a=1", "body")
    assert said.status == 200
    identity = json.loads(said.body)["requestContext"]["identity"]
    assert identity["accessKey"] == alight.variables["AWS_ACCESS_KEY_ID"]
    assert (identity["userArn"], identity["accountId"]) == ("arn:aws:iam::000000000000:root", "000000000000")
    refusals = {
        "MissingAuthenticationTokenException": alight.ask("POST", f"{base}/x", "body"),
        "InvalidSignatureException": signed(alight, "POST", f"{base}/x", "body", sent="other"),
        "UnrecognizedClientException": signed(alight, "POST", f"{base}/x", key="AKIANOBODY"),
    }
    for code, said in refusals.items():
        assert (said.status, said.headers["x-amzn-errortype"]) == (403, code)
    assert signed(alight, "POST", f"{base}/x", "body", service="s3").status == 403
    hashed = {"X-Amz-Content-SHA256": hashlib.sha256(b"body").hexdigest()}
    assert signed(alight, "POST", f"{base}/x", "body", headers=hashed).status == 200
    assert signed(alight, "POST", f"{base}/x", "body", headers=hashed, sent="other").status == 403
    base = alight.deploy(stage("HTTP", "iam2", Route("POST", "/x", proxied("echo", payload="2.0"), signed=True)))
    iam = json.loads(signed(alight, "POST", f"{base}/x", "body").body)["requestContext"]["authorizer"]["iam"]
    assert iam["userArn"] == "arn:aws:iam::000000000000:root"
    assert json.loads(alight.ask("POST", f"{base}/x").body) == {"message": "Forbidden"}


def test_a_role_needs_permission_to_call(alight: Deployed) -> None:
    base = alight.deploy(stage("REST", "roles", Route("GET", "/x", proxied("echo"), signed=True)))
    iam = alight.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    iam.create_role(RoleName="caller", AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))
    key = mint_session(alight.store.keys, role="caller", session="me", worker="w", expires=int(time.time()) + 60)
    keys = {"key": key.access_key_id, "secret": key.secret_access_key, "token": key.session_token}
    said = signed(alight, "GET", f"{base}/x", headers={}, **keys)
    assert said.status == 403
    assert "is not authorized to perform: execute-api:Invoke on resource" in json.loads(said.body)["Message"]
    arn = "arn:aws:execute-api:us-east-1:000000000000:roles/prod/GET/x"
    only = {
        "ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::000000000000:role/caller"},
        "IpAddress": {"aws:SourceIp": "127.0.0.0/8"},
    }
    policy = {"Statement": [{"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": arn, "Condition": only}]}
    iam.put_role_policy(RoleName="caller", PolicyName="calls", PolicyDocument=json.dumps(policy))
    said = signed(alight, "GET", f"{base}/x", headers={}, **keys)
    assert said.status == 200
    user = json.loads(said.body)["requestContext"]["identity"]["userArn"]
    assert user == "arn:aws:sts::000000000000:assumed-role/caller/me"
    expired = mint_session(alight.store.keys, role="caller", session="me", worker="w", expires=1)
    keys = {"key": expired.access_key_id, "secret": expired.secret_access_key, "token": expired.session_token}
    assert signed(alight, "GET", f"{base}/x", headers={}, **keys).headers["x-amzn-errortype"] == "ExpiredTokenException"


# Pages of other origins ----------------------------------------------------------------------------------------------

PAGE = {"Origin": "https://birds.example", "Sec-Fetch-Site": "cross-site"}
ASKED = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type,x-key"}


def test_an_http_api_answers_preflights_and_writes_the_headers(alight: Deployed) -> None:
    cors = Cors(("https://birds.example",), ("GET", "POST"), ("content-type",), ("x-run",), True, 300)
    base = http_api(alight, "cors", "says", cors=cors)
    said = alight.ask("OPTIONS", f"{base}/any", headers=PAGE | ASKED)
    assert (said.status, said.body) == (204, b"")
    assert {name: said.headers[f"access-control-{name}"] for name in ("allow-origin", "allow-methods", "max-age")} == {
        "allow-origin": "https://birds.example", "allow-methods": "GET,POST", "max-age": "300",
    }  # fmt: skip
    assert said.headers["access-control-allow-headers"] == "content-type"
    assert said.headers["access-control-allow-credentials"] == "true"
    own = json.dumps({"statusCode": 200, "headers": {"Access-Control-Allow-Origin": "*"}, "body": "x"})
    said = alight.ask("POST", f"{base}/any", own, PAGE | {"Content-Type": "text/plain"})
    assert said.headers.get_all("access-control-allow-origin") == ["https://birds.example"]
    assert said.headers["access-control-expose-headers"] == "x-run"
    for headers in ({"Origin": "https://elsewhere.example"}, {}):
        said = alight.ask("POST", f"{base}/any", own, headers)
        assert said.headers["access-control-allow-origin"] is None
    stranger = alight.ask("OPTIONS", f"{base}/any", headers=ASKED | {"Origin": "null"})
    assert (stranger.status, stranger.headers["access-control-allow-origin"]) == (204, None)


def test_errors_of_an_http_api_carry_the_headers_too(alight: Deployed) -> None:
    base = alight.deploy(stage("HTTP", "corserr", cors=Cors(("*",))))
    said = alight.ask("GET", f"{base}/nothing", headers=PAGE)
    assert (said.status, said.headers["access-control-allow-origin"]) == (404, "*")


def test_a_preflight_of_a_rest_api(alight: Deployed) -> None:
    headers = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Methods": "POST,OPTIONS"}
    base = alight.deploy(
        stage("REST", "pre", Route("OPTIONS", "/x", Integration("PREFLIGHT", headers=headers)),
              Route("POST", "/x", proxied("says")))
    )  # fmt: skip
    said = alight.ask("OPTIONS", f"{base}/x", headers=PAGE | ASKED)
    assert (said.status, said.body) == (200, b"")
    assert said.headers["access-control-allow-methods"] == "POST,OPTIONS"
    answer = json.dumps({"statusCode": 200, "headers": {"Access-Control-Allow-Origin": "*"}, "body": "0"})
    page = {"Origin": "null", "Content-Type": "text/plain;charset=UTF-8", "Sec-Fetch-Site": "cross-site"}
    said = alight.ask("POST", f"{base}/x", answer, page)
    assert (said.text, said.headers["access-control-allow-origin"]) == ("0", "*")


def test_without_cors_options_goes_to_the_function(alight: Deployed) -> None:
    for base in (rest(alight, "opt"), http_api(alight, "opt2")):
        event = json.loads(alight.ask("OPTIONS", f"{base}/x", headers=PAGE | ASKED).body)
        assert (event.get("httpMethod") or event["requestContext"]["http"]["method"]) == "OPTIONS"


def test_nothing_else_is_opened_to_other_pages(alight: Deployed) -> None:
    """The rest of the gateway keeps its rule: a page of another origin changes nothing."""
    for path in ("/", "/bucket/key", "/2015-03-31/functions", "/_alight/api/apply"):
        assert alight.ask("POST", path, "{}", PAGE).status == 403, path
