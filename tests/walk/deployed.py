"""Deployed APIs on a whole Alight in this process: the same rooms as `alight up`, with stages that a test hands in."""

from __future__ import annotations

import asyncio
import http.client
import io
import json
import threading
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import boto3
import uvloop
from botocore.config import Config

from alight.apis.api import Api, Integration, Route
from alight.assembly.doors import build_doors
from alight.assembly.entrance import listen
from alight.assembly.running import Running, build_running
from alight.assembly.store import Store, open_store
from alight.assembly.telling import build_telling
from alight.assembly.templates import Templates
from alight.clock import SystemClock
from alight.console.entry import Entry
from alight.gateway.route import Router
from alight.gateway.service_policy import service_may
from alight.names import function_arn
from alight.services.resource_policies import ResourcePolicies
from alight.services.sqs import Sqs
from alight.services.targets import Targets
from alight.settings import Settings
from alight.stacks.answers import Answers

CODE = """
import json, os, time
import boto3

def echo(event, context):
    return {"statusCode": 200, "headers": {"X-Run": context.aws_request_id}, "body": json.dumps(event)}
def says(event, context):
    print("said something")
    said = json.loads(event["body"])
    if isinstance(said, dict) and "raise" in said:
        raise RuntimeError(said["raise"])
    if isinstance(said, dict) and "repeat" in said:
        said["body"] = said.pop("repeat") * 1024 * 1024
    if isinstance(said, dict) and "sleep" in said:
        time.sleep(said.pop("sleep"))
    return said
def whole(event, context):
    if event == {"raise": True}:
        raise RuntimeError("as told")
    return event
def calls(event, context):
    boto3.client("sts").get_caller_identity()
    return {"statusCode": 204}
def counts(event, context):
    path = os.environ["COUNTS"]
    with open(path, "a") as file:
        file.write(json.dumps(event) + chr(10))
    return event
def token(event, context):
    counts(event, context)
    given = event.get("authorizationToken") or event["headers"].get("x-key") or event["headers"].get("X-Key")
    if given == "nobody":
        raise Exception("Unauthorized")
    if given == "broken":
        return {"policyDocument": "none"}
    arn = event.get("methodArn") or event["routeArn"]
    statements = [{"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": arn.split("/")[0] + "/prod/*/open"}]
    if given == "denied":
        statements = [{"Action": "execute-api:Invoke", "Effect": "Deny", "Resource": "*"}]
    return {"principalId": given, "policyDocument": {"Version": "2012-10-17", "Statement": statements},
            "context": {"plan": "gold", "seats": 3, "paid": True}}
def simple(event, context):
    counts(event, context)
    return {"isAuthorized": event["identitySource"] == ["let me in"], "context": {"seats": 3}}
"""
HANDLERS = ("echo", "says", "whole", "calls", "token", "simple")
ROLE = "arn:aws:iam::000000000000:role/tester"


@dataclass(frozen=True)
class Said:
    """One answer."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class Deployed:
    """A running instance. `stages` is what is deployed; a test adds to it."""

    port: int
    store: Store
    running: Running
    loop: asyncio.AbstractEventLoop
    stages: dict[tuple[str, str], Api] = field(default_factory=dict)

    @property
    def variables(self) -> Mapping[str, str]:
        keys = self.store.keys
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": keys.access_key_id,
            "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def client(self, service: str) -> Any:
        return boto3.client(  # type: ignore[call-overload, unused-ignore]
            service,
            endpoint_url=self.variables["AWS_ENDPOINT_URL"],
            aws_access_key_id=self.variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.variables["AWS_SECRET_ACCESS_KEY"],
            region_name="us-east-1",
            config=Config(retries={"total_max_attempts": 1}),
        )

    def deploy(self, api: Api) -> str:
        """Its address, in the form that is shown to people."""
        self.stages[(api.id, api.stage)] = api
        return f"/_aws/execute-api/{api.id}/{api.stage}"

    def make(self, name: str, handler: str, package: bytes, **variables: str) -> None:
        """A function that any API may invoke: what happens without a permission is a test of its own."""
        self.client("lambda").create_function(
            FunctionName=name, Runtime="python3.11", Role=ROLE, Handler=handler, Timeout=20, MemorySize=256,
            Code={"ZipFile": package}, Environment={"Variables": variables},
        )  # fmt: skip
        self.permit(name, "*", "any")

    def permit(self, function: str, api: str, sid: str = "") -> None:
        """As SAM and the console do it: this API may invoke that function."""
        self.client("lambda").add_permission(
            FunctionName=function,
            StatementId=sid or f"api-{api}",
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
            SourceArn=f"arn:aws:execute-api:us-east-1:000000000000:{api}/*",
        )

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | str | None = None,
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        host: str = "",
    ) -> Said:
        """One request on a connection of its own, header names spelled as given."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            connection.putheader("Host", host or f"127.0.0.1:{self.port}")
            content = body.encode() if isinstance(body, str) else body
            if content is not None:
                connection.putheader("Content-Length", str(len(content)))
            for name, value in headers.items() if isinstance(headers, Mapping) else headers:
                connection.putheader(name, value)
            connection.endheaders(content)
            response = connection.getresponse()
            return Said(response.status, response.headers, response.read())
        finally:
            connection.close()

    def wait(self, work: Any) -> Any:
        """A coroutine's result, run where the instance lives."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)


def proxied(function: str, **more: Any) -> Integration:
    return Integration("AWS_PROXY", function=function_arn(function), **more)


def stage(kind: Any, id: str, *routes: Route, **more: Any) -> Api:
    return Api(id=id, name=f"{id}-name", kind=kind, stage=more.pop("stage", "prod"), routes=routes, **more)


@contextmanager
def deployed(folder: Path, **settings: Any) -> Iterator[Deployed]:
    """An instance in a thread with a loop of its own."""
    loop = uvloop.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    exits = AsyncExitStack()
    made = asyncio.run_coroutine_threadsafe(_begin(replace(Settings(), data=folder, port=0, **settings), exits), loop)
    try:
        yield made.result(30)
    finally:
        asyncio.run_coroutine_threadsafe(exits.aclose(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)
        loop.close()


async def _begin(settings: Settings, exits: AsyncExitStack) -> Deployed:
    """What `alight.app.run` does, up to the ready line."""
    store = await open_store(settings, SystemClock(), exits)
    sqs = Sqs(store.database, store.records, store.clock)
    exits.push_async_callback(sqs.close)
    policies = ResourcePolicies(store.records, service_may)
    targets: Targets
    telling = await build_telling(store, lambda: targets, sqs, policies, exits)
    running = build_running(store, telling.topics, exits)
    targets = Targets(store.records, running.catalogue, running.queue, telling.topics, sqs.send, policies.admits)
    doors = build_doors(store, running, telling, targets, sqs, lambda text: None)
    answers = Answers(store.records, store.clock, store.address.local)
    templates = Templates(store, doors, running.pool.interpreters, lambda text: None, answers)
    stages: dict[tuple[str, str], Api] = {}
    server = await listen(
        store,
        running,
        telling,
        doors,
        templates,
        None,
        Router(),
        lambda *place: stages.get(place),
        Entry(b"secret", store.clock),
        exits,
    )
    exits.push_async_callback(server.stop, 0.5)
    return Deployed(server.port, store, running, asyncio.get_running_loop(), stages)


def account(folder: Path, **settings: Any) -> Iterator[Deployed]:
    """An instance with the functions of `CODE`; as a generator, for a module's fixture."""
    counts = folder / "counts"
    counts.mkdir()
    seen = {"webhook_allow": ("127.0.0.1",), "worker_paths": (str(counts),)}
    with deployed(folder / "data", **seen, **settings) as instance:
        trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        instance.client("iam").create_role(
            RoleName="tester", AssumeRolePolicyDocument=json.dumps({"Statement": [trust]})
        )
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("app.py", CODE)
        for name in HANDLERS:
            instance.make(name, f"app.{name}", archive.getvalue(), COUNTS=str(counts / name))
        yield instance


def rest(alight: Deployed, id: str, function: str = "echo", **more: Any) -> str:
    routes = (Route("ANY", "/", proxied(function)), Route("ANY", "/{proxy+}", proxied(function), resource_id="abc123"))
    return alight.deploy(stage("REST", id, *routes, **more))


def http_api(alight: Deployed, id: str, function: str = "echo", payload: Any = "2.0", **more: Any) -> str:
    route = Route("ANY", "$default", proxied(function, payload=payload, timeout=30.0))
    return alight.deploy(stage("HTTP", id, route, **more))
