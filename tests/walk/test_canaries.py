"""Secrets are planted, everything is used well and badly while every logger says all it can, and then all that anybody
gets to see is searched for them: logs, errors, metrics, pages, JSON, what the commands print, files.

One more, which a handler prints, is the control: that one has to be found.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from alight.cli.instance import open_door
from alight.credentials import load
from tests.support import Instance, clean_environment, eventually, invoke, start_alight, sweep
from tests.walk.canaries import Search
from tests.walk.gateways import Phones, Text, sms_gateway
from tests.walk.making import events, make_function, make_role, processes_of
from tests.walk.sinks import Webhook, webhook

#: Runs the runtime in this very process, with every logger of every library at its lowest level.
LOUD = """
import logging, runpy, sys
logging.basicConfig(level=1, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
logging.getLogger("test").debug("all is said")
sys.argv = sys.argv[3:]
runpy.run_module("alight.app", run_name="__main__", alter_sys=True)
"""
CODE = """
import json, os, socket, sys, time
import boto3
def handler(event, context):
    do = event.get("do") or event.get("rawPath", "").strip("/")
    if do == "tell":
        with socket.create_connection(("127.0.0.1", event["port"])) as line:
            line.sendall(json.dumps(dict(os.environ)).encode())
    elif do == "print":
        print("control", event["what"])
    elif do == "denied":
        boto3.client("s3").get_object(Bucket="not-there", Key="k")
    elif do == "raise":
        raise ValueError("broken on purpose")
    elif do == "exit":
        os._exit(3)
    elif do == "kill":
        os.kill(os.getpid(), 9)
    elif do == "sleep":
        time.sleep(20)
    elif do == "large":
        return "x" * 7_000_000
    elif do == "strange":
        return {"statusCode": object()}
    elif do == "allow":
        return {"isAuthorized": True}
    return {"do": do}
"""
#: What may stand in the journal, as AWS keeps it too: it is what people configured, and is used again.
KEPT = {"function environment", "NoEcho parameter", "webhook password", "subscription token"}
STACK = """
Parameters: {Secret: {Type: String, NoEcho: true}}
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        {Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: "sts:AssumeRole"}]}
  Function:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.11
      Handler: index.handler
      Role: !GetAtt Role.Arn
      Code: {ZipFile: "def handler(event, context): raise ValueError('no')"}
      Environment: {Variables: {PASSWORD: !Ref Secret}}
"""
REFUSED_STACK = """
Parameters: {Secret: {Type: String, NoEcho: true}}
Resources:
  Permission:
    Type: AWS::Lambda::Permission
    Properties: {FunctionName: !Ref Secret, Action: "lambda:InvokeFunction", Principal: s3.amazonaws.com}
"""


class Moody(Phones):
    """An SMS gateway that hangs up on the first texts."""

    def add(self, item: Text) -> None:
        if len(self.items) < 1 and not getattr(self, "hung_up", False):
            self.hung_up = True
            raise ConnectionResetError
        super().add(item)


class SmtpThatRefuses:
    """Says who it is, offers a login and takes nobody's; its refusal repeats some of what it was told."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.asked = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                line, _ = self._listener.accept()
                with line, contextlib.suppress(OSError):
                    self._talk(line)

    def _talk(self, line: socket.socket) -> None:
        line.sendall(b"220 here\r\n")
        for said in line.makefile("rb"):
            if said[:4].upper() in (b"EHLO", b"HELO"):
                line.sendall(b"250-here\r\n250 AUTH PLAIN\r\n")
            elif said[:4].upper() == b"AUTH":
                self.asked.set()
                line.sendall(b"535 no: " + said.strip()[:10] + b"\r\n")
            else:
                line.sendall(b"221 bye\r\n")
                return

    def close(self) -> None:
        self._listener.close()


@dataclass
class Scene:
    instance: Instance
    search: Search
    settings: dict[str, Any]
    hook: Webhook
    phones: Moody
    smtp: SmtpThatRefuses
    answers: list[int] = field(default_factory=list)

    def ask(
        self, method: str, path: str, host: str = "", body: bytes | None = None, **headers: str
    ) -> tuple[int, bytes]:
        """A plain request; its answer is looked at."""
        there = urlsplit(self.instance.url)
        connection = http.client.HTTPConnection(there.hostname or "", there.port, timeout=30)
        try:
            given = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, given | ({"host": host} if host else {}))
            answer = connection.getresponse()
            text = answer.read()
            # A cookie is for whoever got it; the rest of the head is searched.
            told = "\n".join(f"{name}: {value}" for name, value in answer.getheaders() if name.lower() != "set-cookie")
            self.search.look_at(f"answer to {method} {path.partition('?')[0]}", told.encode() + b"\n" + text)
            self.answers.append(answer.status)
            return answer.status, text
        finally:
            connection.close()

    def fails(self, work: Any, **given: Any) -> None:
        """A call of boto3 that ends with an error, which is looked at."""
        with pytest.raises(ClientError) as caught:
            work(**given)
        self.search.look_at(f"error of {work.__name__}", repr(caught.value.response) + str(caught.value))


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    search, smtp = Search(), SmtpThatRefuses()
    with webhook() as hook, sms_gateway(Moody()) as phones:
        assert isinstance(phones, Moody)
        password, token = search.plant("SMTP password", _secret()), search.plant("SMS token", _secret())
        login = search.plant("SMS password", _secret())
        settings: dict[str, Any] = {
            "ALIGHT_SMTP_URL": f"smtp://mailer:{password}@127.0.0.1:{smtp.port}?starttls=never",
            "ALIGHT_SMS_URL": f"json://texter:{login}@127.0.0.1:{phones.port}/{{phone}}?+X-Token={token}",
            "ALIGHT_WEBHOOK_ALLOW": "127.0.0.1",
            "ALIGHT_RETRY_DELAYS": "0.05,0.05",
        }
        data = tmp_path_factory.mktemp("canaries") / "data"
        instance = start_alight(data, before=[sys.executable, "-c", LOUD], **settings)
        try:
            yield Scene(instance, search, settings, hook, phones, smtp)
        finally:
            sweep(instance.process)
            smtp.close()


def _secret() -> str:
    return "canary" + secrets.token_hex(12)


@pytest.mark.timeout(300)
def test_no_secret_comes_to_light(scene: Scene) -> None:
    make_role(scene.instance)
    for use in (use_keys, use_workers, use_topics, use_stacks, use_apis, use_console):
        use(scene)
    look_everywhere(scene)
    assert len(scene.search.planted) >= 13
    wrong = [(name, where) for name, where in scene.search.found() if not allowed(name, where)]
    places, size = len(scene.search.seen), sum(map(len, scene.search.seen.values()))
    names = [name for name in scene.search.planted if name != "control"]
    print(f"\n{len(names)} secrets planted, {places} places with {size:,} bytes searched: "
          f"{len(wrong)} found")  # fmt: skip
    assert not wrong, "\n".join(map(str, sorted(wrong)))
    where = {where for name, where in scene.search.found("control")}
    assert {"telemetry.db", "commands", "GET /_alight/api/logs"} <= where  # the search finds what is there
    assert b"people:****@" in scene.search.seen["page /_alight/console/outbox"]


def allowed(name: str, where: str) -> bool:
    """The journal keeps what people configured, the control was printed."""
    return name == "control" or (where == "alight.db" and name in KEPT)


def use_keys(scene: Scene) -> None:
    """The owner's keys, a user's and a role's; links that are good, late, changed."""
    instance, plant = scene.instance, scene.search.plant
    own = load(instance.data)
    plant("root secret key", own.secret_access_key)
    plant("admin token", own.admin_token)
    plant("session secret", own.session_secret)
    iam, s3 = instance.client("iam"), instance.client("s3")
    iam.create_user(UserName="u")
    key = iam.create_access_key(UserName="u")["AccessKey"]
    plant("user's secret key", key["SecretAccessKey"])
    session = instance.client("sts").get_session_token()["Credentials"]
    plant("session's secret key", session["SecretAccessKey"])
    plant("session token", session["SessionToken"])
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="k", Body=b"content")
    scene.fails(_as(instance, "s3", key["AccessKeyId"], key["SecretAccessKey"]).get_object, Bucket="bucket", Key="k")
    wrong = session["SecretAccessKey"][:-4] + "AAAA"
    for secret in (session["SecretAccessKey"], wrong):
        signed = _as(instance, "s3", session["AccessKeyId"], secret, session["SessionToken"])
        scene.fails(signed.get_object, Bucket="bucket", Key="not-there")
    tampered = session["SessionToken"][:-6] + "AAAAAA"
    scene.fails(_as(instance, "s3", session["AccessKeyId"], wrong, tampered).get_object, Bucket="bucket", Key="k")
    for version in ("s3v4", "s3"):
        signer = _as(
            instance, "s3", session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"], version
        )
        for name, seconds in (("link", 600), ("late link", -3600 if version == "s3" else 1)):
            url = urlsplit(signer.generate_presigned_url("get_object", {"Bucket": "bucket", "Key": "k"}, seconds))
            query = parse_qs(url.query)
            signature = (query.get("X-Amz-Signature") or query["Signature"])[0]
            plant(f"{name}'s signature, {version}", signature)
            for method, path in (
                ("GET", "/bucket/k"),
                ("PUT", "/bucket/k"),
                ("GET", "/bucket/other"),
                ("DELETE", "/bucket"),
                ("GET", "/"),
            ):
                scene.ask(method, f"{path}?{url.query}")
    scene.ask("GET", "/_alight/api/status", authorization=f"Bearer {own.admin_token}x")
    scene.ask("GET", "/_alight/api/nothing", authorization=f"Bearer {own.admin_token}")
    scene.ask("POST", "/_alight/api/apply", body=b"{", authorization=f"Bearer {own.admin_token}")
    scene.ask("POST", "/_alight/api/invoke", body=b'{"function": 3}', authorization=f"Bearer {own.admin_token}")
    scene.ask("GET", "/bucket/k", authorization=f"AWS4-HMAC-SHA256 {own.secret_access_key}")


def use_workers(scene: Scene) -> None:
    """A worker's own keys, taken from within; handlers that end in every way."""
    instance, plant = scene.instance, scene.search.plant
    make_function(instance, "f", CODE, timeout=1, PASSWORD=plant("function environment", _secret()))
    functions = instance.client("lambda")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        told = {"do": "tell", "port": listener.getsockname()[1]}
        asking = threading.Thread(target=invoke, args=(functions,), kwargs=_call(told))
        asking.start()
        line, _ = listener.accept()
        with line:
            environment = json.loads(b"".join(iter(lambda: line.recv(65536), b"")))
        asking.join()
    plant("worker's secret key", environment["AWS_SECRET_ACCESS_KEY"])
    plant("worker's session token", environment["AWS_SESSION_TOKEN"])
    plant("worker's runtime token", environment["AWS_LAMBDA_RUNTIME_API"].partition("/")[2])
    control = plant("control", _secret())
    assert "FunctionError" not in invoke(functions, **_call({"do": "print", "what": control}))
    for do in ("denied", "raise", "exit", "sleep", "large", "strange"):
        answer = invoke(functions, **_call({"do": do}))
        assert answer["FunctionError"], do
        scene.search.look_at("answers of functions", answer["Payload"])
    functions.invoke(FunctionName="f", InvocationType="Event", Payload=b'{"do": "raise"}')["Payload"].read()
    scene.fails(functions.invoke, FunctionName="f", Payload=b"{")
    scene.fails(functions.update_function_configuration, FunctionName="f", MemorySize=256, Runtime="python2.7",
                Environment={"Variables": {"PASSWORD": scene.search.planted["function environment"]}})  # fmt: skip
    eventually(lambda: events(instance, "dead"), what="the dead letter")


def use_topics(scene: Scene) -> None:
    """Gateways that refuse, hang up, and take; a webhook with a login; links that confirm and end."""
    sns, hook = scene.instance.client("sns"), scene.hook
    topic = sns.create_topic(Name="t")["TopicArn"]
    password = scene.search.plant("webhook password", _secret())
    port = urlsplit(hook.url).port
    hook.answers[:] = [500, 404]
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=f"http://people:{password}@127.0.0.1:{port}/x")
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=f"http://people:{password}@127.0.0.1:1/x")
    sns.subscribe(TopicArn=topic, Protocol="sms", Endpoint="+4915112345678")
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="a@example.org")
    for endpoint in (
        f"http://people:{password}@10.0.0.1/",
        f"ftp://people:{password}@127.0.0.1/",
        f"http://{password}@[",
    ):
        with contextlib.suppress(ClientError):  # its answer names what the caller has sent
            sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=endpoint)
    assert hook.confirmed.wait(20)
    scene.search.plant("subscription token", hook.asked[0].envelope["Token"])
    scene.fails(sns.confirm_subscription, TopicArn=topic + "x", Token=scene.search.planted["subscription token"])
    scene.ask("GET", f"/_aws/sns/?Action=ConfirmSubscription&TopicArn={topic}x&Token="
              + scene.search.planted["subscription token"])  # fmt: skip
    for number in range(3):
        sns.publish(TopicArn=topic, Message=f"message {number}", Subject="s")
    hook.wait_for(3)
    assert scene.smtp.asked.wait(30)
    scene.phones.wait(lambda text: True, 2)


def use_stacks(scene: Scene) -> None:
    """A parameter that is not to be shown: where it goes well, and where it is what is wrong."""
    stacks = scene.instance.client("cloudformation")
    secret = scene.search.plant("NoEcho parameter", _secret().upper())
    for name, template, end in (("good", STACK, "CREATE_COMPLETE"), ("bad", REFUSED_STACK, "ROLLBACK_COMPLETE")):
        given = [{"ParameterKey": "Secret", "ParameterValue": secret}]
        stacks.create_stack(StackName=name, TemplateBody=template, Parameters=given, Capabilities=["CAPABILITY_IAM"])

        def status(name: str = name) -> str:
            return str(stacks.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])

        eventually(lambda: not status().endswith("IN_PROGRESS"), what=name)
        assert status() == end
        for ask in (stacks.describe_stacks, stacks.describe_stack_events, stacks.describe_stack_resources):
            scene.search.look_at(f"answers on the stack {name}", json.dumps(ask(StackName=name), default=str))
    function = stacks.describe_stack_resource(StackName="good", LogicalResourceId="Function")
    name = function["StackResourceDetail"]["PhysicalResourceId"]
    scene.search.look_at("answers of functions", invoke(scene.instance.client("lambda"), FunctionName=name)["Payload"])


def use_apis(scene: Scene) -> None:
    """What callers of an API send: to a handler that works or not, to an authorizer that does not, to nobody."""
    instance = scene.instance
    apis, functions = instance.client("apigatewayv2"), instance.client("lambda")
    arn = functions.get_function_configuration(FunctionName="f")["FunctionArn"]
    functions.add_permission(
        FunctionName="f", StatementId="apis", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com"
    )
    api = apis.create_api(Name="a", ProtocolType="HTTP")["ApiId"]
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations"
    asked = apis.create_authorizer(
        ApiId=api, Name="n", AuthorizerType="REQUEST", AuthorizerUri=uri, AuthorizerPayloadFormatVersion="2.0",
        IdentitySource=["$request.header.Authorization"], EnableSimpleResponses=True,
    )["AuthorizerId"]  # fmt: skip
    target = apis.create_integration(
        ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=arn, PayloadFormatVersion="2.0"
    )["IntegrationId"]
    apis.create_route(ApiId=api, RouteKey="GET /{rest+}", Target=f"integrations/{target}")
    apis.create_route(ApiId=api, RouteKey="POST /{rest+}", Target=f"integrations/{target}",
                      AuthorizationType="CUSTOM", AuthorizerId=asked)  # fmt: skip
    apis.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
    secret = scene.search.plant("Authorization of an API request", _secret())
    statuses = set()
    told: dict[str, Any] = {"authorization": f"Bearer {secret}", "cookie": f"session={secret}", "x_api_key": secret}
    for request in (
        "GET fine",
        "GET raise",
        "GET strange",
        "GET exit",
        "GET sleep",
        "POST allow",
        "POST raise",
        "PUT x",
    ):
        method, _, path = request.partition(" ")
        statuses.add(scene.ask(method, f"/_aws/execute-api/{api}/{path}?access_token={secret}", **told)[0])
    assert {200, 404} <= statuses
    assert statuses & {500, 502, 503}


def use_console(scene: Scene) -> None:
    """In by a link, and everything that can be reached from the first page; then what is refused."""
    link = urlsplit(open_door(scene.instance.data).post("console", {})["url"])
    token = re.split(r"[=/#]", link.geturl())[-1]
    scene.search.plant("login link", token)
    port = link.port
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    cookie = ""
    try:
        for method, body in (("GET", None), ("POST", f"token={token}")):
            connection.request(method, f"{link.path}?{link.query}", body, _form() if body else {})
            answer = connection.getresponse()
            answer.read()
            cookie = (answer.getheader("set-cookie") or "").partition(";")[0] or cookie
    finally:
        connection.close()
    assert cookie.startswith("alight_console=")
    scene.search.plant("console cookie", cookie.partition("=")[2])
    scene.ask("GET", f"{link.path}?{link.query}")  # used up
    queue, done = ["/_alight/console/"], set[str]()
    while queue and len(done) < 60:
        page = queue.pop(0)
        if page in done:
            continue
        done.add(page)
        status, text = scene.ask("GET", page, cookie=cookie)
        if status != 200:
            continue
        scene.search.look_at(f"page {page}", text)
        links = re.findall(r'(?:href|hx-get)="(/_alight/console[^"#]*)', text.decode("utf-8", "replace"))
        queue += [unescape(one) for one in links if "/static/" not in one and "stream" not in one and "live" not in one]
    assert len(done) > 15
    forged: dict[str, Any] = {"content_type": "application/x-www-form-urlencoded", "cookie": cookie[:-4] + "AAAA"}
    scene.ask("POST", "/_alight/console/functions/f/invoke", body=b"token=x", **forged)
    scene.ask("POST", "/_alight/console/functions/f/invoke", body=b"token=x", **{**forged, "cookie": cookie})


def look_everywhere(scene: Scene) -> None:
    """Commands, the admin door, metrics, lists of processes, files, and what the runtime has said."""
    instance, search = scene.instance, scene.search
    token = search.planted["admin token"]
    event = events(instance, "dead")[0]["id"]
    for path in ("health", "metrics", "api/status", "api/outputs", "api/books", "api/events?limit=100",
                 f"api/events/{event}", f"api/explain/{event}", "api/outbox?limit=100", "api/models",
                 "api/privileges/f", "api/logs"):  # fmt: skip
        status, text = scene.ask("GET", f"/_alight/{path}", authorization=f"Bearer {token}")
        assert status == 200, path
        search.look_at(f"GET /_alight/{path.partition('?')[0]}", text)
    data = ["--data", str(instance.data)]
    commands = [["status"], ["doctor"], ["explain", event], ["outbox"], ["events", "show", event], ["logs"], ["verify"],
                ["backup", str(instance.data.with_name("copy"))]]  # fmt: skip
    # One process for all: each start would cost half a second.
    program = "import json, sys\nfrom alight.cli.commands import run\nfor words in json.loads(sys.argv[1]): run(words)"
    said = subprocess.run(
        [sys.executable, "-c", program, json.dumps([words + data for words in commands])],
        capture_output=True, text=True, timeout=120, env=clean_environment(**scene.settings),
    )  # fmt: skip
    assert "control" in said.stdout, said.stderr
    search.look_at("commands", said.stdout + said.stderr)
    search.look_at("list of processes", "\n".join(processes_of(instance.data).values()))
    instance.stop()
    loud = instance.stderr.read_text()
    assert "DEBUG test: all is said" in loud
    search.look_at("stderr", "\n".join(line for line in loud.splitlines() if not line.startswith("Console: ")))
    search.look_at("names in the folder", "\n".join(str(path) for path in instance.data.rglob("*")))
    for file in instance.data.rglob("*"):
        if file.is_file() and file.name != "credentials.json" and file.stat().st_size < 64 << 20:
            name = file.name.removesuffix("-wal").removesuffix("-shm")
            search.look_at(name if name.endswith(".db") else str(file.relative_to(instance.data)), file.read_bytes())


def _as(instance: Instance, service: str, id: str, secret: str, token: str | None = None, version: str = "v4") -> Any:
    config = Config(retries={"total_max_attempts": 1}, signature_version=None if version == "v4" else version)
    return boto3.client(  # type: ignore[call-overload, unused-ignore]
        service, endpoint_url=instance.url, aws_access_key_id=id, aws_secret_access_key=secret,
        aws_session_token=token, region_name="us-east-1", config=config,
    )  # fmt: skip


def _call(payload: Any) -> dict[str, Any]:
    return {"FunctionName": "f", "Payload": json.dumps(payload).encode()}


def _form() -> dict[str, str]:
    return {"content-type": "application/x-www-form-urlencoded"}
