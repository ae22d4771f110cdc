"""Function URLs with real boto3 and plain HTTP: who may call, what the function sees, and what comes back."""

from __future__ import annotations

import http.client
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from tests.support import Instance, Start, eventually, start_alight, sweep

ROLE = "arn:aws:iam::000000000000:role/tester"
TRUST = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
CODE = """
import json
def echo(event, context):
    return event
def says(event, context):
    said = json.loads(event["body"])
    if "raise" in said:
        raise RuntimeError(said["raise"])
    return said
"""


def package() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", CODE)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    started = start_alight(tmp_path_factory.mktemp("urls") / "data")
    trust = json.dumps({"Statement": [TRUST]})
    started.client("iam").create_role(RoleName="tester", AssumeRolePolicyDocument=trust)
    yield started
    sweep(started.process)


def make(instance: Instance, name: str, handler: str = "echo") -> Any:
    functions = instance.client("lambda")
    functions.create_function(
        FunctionName=name, Runtime="python3.11", Role=ROLE, Handler=f"app.{handler}", Timeout=20,
        Code={"ZipFile": package()},
    )  # fmt: skip
    return functions


def open_to_all(functions: Any, name: str, **more: str) -> None:
    """The two statements that the console writes."""
    everybody = {"FunctionName": name, "Principal": "*", **more}
    functions.add_permission(
        StatementId="url", Action="lambda:InvokeFunctionUrl", FunctionUrlAuthType="NONE", **everybody
    )
    functions.add_permission(
        StatementId="invoke", Action="lambda:InvokeFunction", InvokedViaFunctionUrl=True, **everybody
    )


class Said:
    """One answer."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.status, self.headers, self.body = answer.status, answer.headers, answer.read()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(url: str, method: str = "GET", body: bytes = b"", **headers: str) -> Said:
    parts = urlsplit(url)
    assert parts.hostname is not None
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.request(method, target, body or None, given)
        return Said(connection.getresponse())
    finally:
        connection.close()


def signed(instance: Instance, url: str, keys: Mapping[str, str], service: str = "lambda") -> Said:
    """As SigV4 clients call a function URL."""
    request = AWSRequest("GET", url)
    credentials = Credentials(keys["AccessKeyId"], keys["SecretAccessKey"], keys.get("SessionToken"))
    SigV4Auth(credentials, service, "us-east-1").add_auth(request)
    return ask(url, **dict(request.headers))


def root(instance: Instance) -> dict[str, str]:
    given = instance.variables
    return {"AccessKeyId": given["AWS_ACCESS_KEY_ID"], "SecretAccessKey": given["AWS_SECRET_ACCESS_KEY"]}


def refused(code: str, call: Any, **given: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**given)
    error = caught.value.response["Error"]
    assert error["Code"] == code, error
    message: str = error["Message"]
    return message


def test_a_url_lives_as_on_aws_and_goes_with_its_function(instance: Instance) -> None:
    functions = make(instance, "life")
    missing = {"FunctionName": "life"}
    refused("ResourceNotFoundException", functions.get_function_url_config, **missing)
    cors = {"AllowOrigins": ["https://page.example"], "AllowMethods": ["GET"], "MaxAge": 60}
    made = functions.create_function_url_config(FunctionName="life", AuthType="NONE", Cors=cors)
    assert made["FunctionUrl"].startswith(f"{instance.url}/_aws/lambda-url/")
    assert (made["AuthType"], made["Cors"], made["InvokeMode"]) == ("NONE", cors, "BUFFERED")
    create = functions.create_function_url_config
    assert "FunctionUrlConfig exists" in refused("ResourceConflictException", create, **missing, AuthType="NONE")
    refused("NotImplemented", create, **missing, AuthType="NONE", InvokeMode="RESPONSE_STREAM")
    refused("ResourceNotFoundException", create, FunctionName="nobody", AuthType="NONE")
    refused("ValidationException", create, **missing, Qualifier="7", AuthType="NONE")
    changed = functions.update_function_url_config(FunctionName="life", AuthType="AWS_IAM", Cors={})
    assert (changed["AuthType"], "Cors" in changed) == ("AWS_IAM", False)
    functions.publish_version(FunctionName="life")
    functions.create_alias(FunctionName="life", Name="live", FunctionVersion="1")
    alias = create(FunctionName="life", Qualifier="live", AuthType="NONE")
    open_to_all(functions, "life", Qualifier="live")
    assert ask(f"{alias['FunctionUrl']}x").json["rawPath"] == "/x"
    listed = functions.list_function_url_configs(FunctionName="life")["FunctionUrlConfigs"]
    assert [item["FunctionUrl"] for item in listed] == [made["FunctionUrl"], alias["FunctionUrl"]]
    functions.delete_alias(FunctionName="life", Name="live")
    assert ask(alias["FunctionUrl"]).status == 403
    functions.delete_function(FunctionName="life")
    make(instance, "life")
    refused("ResourceNotFoundException", functions.get_function_url_config, **missing)


def test_anybody_may_call_what_its_policy_opens(instance: Instance) -> None:
    functions = make(instance, "open")
    url = functions.create_function_url_config(FunctionName="open", AuthType="NONE")["FunctionUrl"]
    said = ask(url)
    assert (said.status, said.json, said.headers["x-amzn-errortype"]) == (
        403, {"Message": "Forbidden"}, "AccessDeniedException",
    )  # fmt: skip
    bad = {"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "*", "FunctionUrlAuthType": "NONE"}
    refused("InvalidParameterValueException", functions.add_permission, FunctionName="open", **bad)
    open_to_all(functions, "open")
    said = ask(
        f"{url}birds/a%20duck?kind=a&kind=b&empty=", "POST", b"quack", Content_Type="text/plain", Cookie="a=1; b=2"
    )
    event, request_id = said.json, said.headers["x-amzn-requestid"]
    assert (event["version"], event["routeKey"], event["rawPath"]) == ("2.0", "$default", "/birds/a duck")
    assert (event["rawQueryString"], event["queryStringParameters"]) == (
        "kind=a&kind=b&empty=", {"kind": "a,b", "empty": ""},
    )  # fmt: skip
    assert (event["body"], event["isBase64Encoded"], event["cookies"]) == ("quack", False, ["a=1", "b=2"])
    context = event["requestContext"]
    url_id = urlsplit(url).path.split("/")[3]
    assert (context["accountId"], context["apiId"], context["stage"]) == ("anonymous", url_id, "$default")
    assert (context["requestId"], context["domainPrefix"]) == (request_id, url_id)
    assert context["http"]["method"] == "POST"
    assert "authorizer" not in context
    host = f"{url_id}.lambda-url.us-east-1.localhost:{urlsplit(url).port}"
    by_host = ask(f"{instance.url}/birds", Host=host)
    assert (by_host.json["rawPath"], by_host.json["requestContext"]["domainName"]) == ("/birds", host)
    [step] = eventually(lambda: told(instance, request_id), what="the story")
    assert step["what"] == "lambda-url POST /birds/a%20duck"
    assert [inner["what"] for inner in step["steps"]] == ["function open: ok"]
    functions.remove_permission(FunctionName="open", StatementId="invoke")
    assert ask(url).status == 403, "both permissions, as on AWS"
    assert ask(url.replace(url_id, "a" * 32)).status == 403


def told(instance: Instance, id: str) -> Any:
    answer = instance.alight("explain", id, "--json")
    return json.loads(answer.stdout)["steps"] if answer.returncode == 0 else None


def test_answers_go_back_as_the_function_says(instance: Instance) -> None:
    functions = make(instance, "says", "says")
    cors = {"AllowOrigins": ["https://page.example"], "AllowMethods": ["POST"], "AllowHeaders": ["x-kind"]}
    url = functions.create_function_url_config(FunctionName="says", AuthType="NONE", Cors=cors)["FunctionUrl"]
    open_to_all(functions, "says")

    def says(given: Any, **headers: str) -> Said:
        return ask(url, "POST", json.dumps(given).encode(), Content_Type="application/json", **headers)

    whole = says({"statusCode": 201, "headers": {"X-Kind": "duck"}, "cookies": ["a=1", "b=2"], "body": "quack"})
    assert (whole.status, whole.headers["x-kind"], whole.body) == (201, "duck", b"quack")
    assert whole.headers.get_all("set-cookie") == ["a=1", "b=2"]
    assert whole.headers["content-type"] == "application/json"
    bare = says({"kind": "duck"})
    assert (bare.status, bare.json) == (200, {"kind": "duck"})
    bytes_ = says({"statusCode": 200, "headers": {"content-type": "x/y"}, "body": "AAE=", "isBase64Encoded": True})
    assert (bytes_.body, bytes_.headers["content-type"]) == (b"\x00\x01", "x/y")
    html = {"statusCode": 200, "headers": {"content-type": "text/html"}, "body": "<script>1</script>"}
    # By path it shares the console's origin, and must not act as whoever is logged in there.
    assert str(says(html).headers["content-security-policy"]).startswith("sandbox allow-scripts")
    assert "allow-same-origin" not in str(says(html).headers["content-security-policy"])
    assert says({"statusCode": 200, "body": "x"}).headers["content-security-policy"] is None
    port, url_id = urlsplit(url).port, url.rstrip("/").rpartition("/")[2]
    host = {"Host": f"{url_id}.lambda-url.us-east-1.localhost:{port}", "Content_Type": "application/json"}
    by_host = ask(instance.url, "POST", json.dumps(html).encode(), **host)
    assert (by_host.status, by_host.headers["content-security-policy"]) == (200, None)
    failed = says({"raise": "no"})
    assert (failed.status, failed.body) == (502, b"Internal Server Error")
    page = {"Origin": "https://page.example"}
    assert says({}, **page).headers["access-control-allow-origin"] == "https://page.example"
    asked = ask(url, "OPTIONS", b"", Access_Control_Request_Method="POST", **page)
    assert (asked.status, asked.headers["access-control-allow-methods"]) == (200, "POST")
    assert says({}, Origin="https://other.example").headers["access-control-allow-origin"] is None
    functions.put_function_concurrency(FunctionName="says", ReservedConcurrentExecutions=0)
    assert says({}).status == 429


def test_a_url_that_asks_for_signatures_lets_in_whom_policies_allow(instance: Instance) -> None:
    functions, iam = make(instance, "signed"), instance.client("iam")
    url = functions.create_function_url_config(FunctionName="signed", AuthType="AWS_IAM")["FunctionUrl"]
    open_to_all(functions, "signed")
    assert ask(url).status == 403, "what is said of NONE opens nothing here"
    event = signed(instance, url, root(instance)).json
    signer = event["requestContext"]["authorizer"]["iam"]
    assert (signer["accessKey"], signer["userArn"]) == (root(instance)["AccessKeyId"], "arn:aws:iam::000000000000:root")
    assert event["requestContext"]["accountId"] == "000000000000"
    wrong = root(instance) | {"SecretAccessKey": "wrong"}
    assert signed(instance, url, wrong).status == 403
    assert signed(instance, url, root(instance), "execute-api").status == 403

    iam.create_user(UserName="caller")
    keys = iam.create_access_key(UserName="caller")["AccessKey"]
    assert signed(instance, url, keys).status == 403
    arn = "arn:aws:lambda:us-east-1:000000000000:function:signed"

    def allow(*actions: str) -> None:
        policy = {"Statement": [{"Effect": "Allow", "Action": actions, "Resource": arn}]}
        iam.put_user_policy(UserName="caller", PolicyName="calls", PolicyDocument=json.dumps(policy))

    allow("lambda:InvokeFunctionUrl")
    assert signed(instance, url, keys).status == 200, "the other one is in the function's policy"
    functions.remove_permission(FunctionName="signed", StatementId="invoke")
    assert signed(instance, url, keys).status == 403
    allow("lambda:InvokeFunctionUrl", "lambda:InvokeFunction")
    assert signed(instance, url, keys).status == 200


TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Page:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.echo
      Runtime: python3.11
      Timeout: 20
      CodeUri: code
      FunctionUrlConfig: {AuthType: NONE, Cors: {AllowOrigins: ["*"]}}
Outputs:
  Url: {Value: !GetAtt PageUrl.FunctionUrl}
"""


def test_a_template_gives_a_function_its_address_on_any_port(start: Start, tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "app.py").write_text(CODE)
    template = tmp_path / "template.yaml"
    template.write_text(TEMPLATE)
    instance = start(template, timeout=60)
    url = instance.json("outputs")["Url"]
    assert url.startswith(f"{instance.url}/_aws/lambda-url/")
    assert ask(f"{url}here", Origin="https://any.example").json["rawPath"] == "/here"
    instance.kill()
    again = start(template, instance.data, timeout=60)
    moved = again.json("outputs")["Url"]
    assert moved == url.replace(instance.url, again.url)
    assert ask(moved).status == 200
