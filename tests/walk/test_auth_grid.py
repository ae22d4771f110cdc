"""The grid of authentication on a real socket: every way in x every address that is not an AWS operation (admin door,
console, APIs, function URLs, websites), from the tables of routes, and a sample of the operations.

`tests/unit/gateway/test_auth_grid.py` has every operation, without a socket.
"""

from __future__ import annotations

import base64
import http.client
import io
import json
import os
import random
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from unittest.mock import Mock
from urllib.parse import urlsplit

import pytest
from botocore.credentials import Credentials
from starlette.routing import BaseRoute, Mount, Route

from alight.admin.routes import Admin
from alight.console.app import Console
from alight.gateway.access import MOUNTS
from tests.support import Instance, start_alight, sweep
from tests.unit.gateway.asking import Asked, operations
from tests.unit.gateway.signing import sha256, signed_scope

SEED = random.Random().randrange(2**32)
#: `make test` asks a third of the cells, each address and each way among them; ALIGHT_CHAOS_GRID=1 asks all.
WHOLE = os.environ.get("ALIGHT_CHAOS_GRID") == "1"
OPEN = {"/_alight/health"}
#: The console shows these to everybody: the page with the form, files that are the same for all.
CONSOLE_OPEN = ("/_alight/console/login", "/_alight/console/static")
CODE = "def handler(event, context):\n    return 'reached'\n"


@dataclass(frozen=True)
class People:
    """Keys that are not allowed, and the admin token of another folder."""

    owner: Credentials
    reader: Credentials
    nobody: Credentials
    inactive: Credentials
    deleted: Credentials


@dataclass(frozen=True)
class House:
    instance: Instance
    people: People
    places: tuple[Asked, ...]

    def ask(self, asked: Asked, headers: dict[str, str], query: str | None = None) -> tuple[int, bytes]:
        path, _, own = asked.url.partition("?")
        url = urlsplit(self.instance.url)
        assert url.hostname is not None
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=20)
        given = own if query is None else query
        try:
            connection.request(
                asked.method, f"{path}?{given}" if given else path, asked.body or None, {"host": asked.host, **headers}
            )
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    instance = start_alight(tmp_path_factory.mktemp("grid") / "data")
    port = urlsplit(instance.url).port
    hosts = make(instance)
    yield House(instance, people(instance), tuple(places(instance, hosts, port or 0)))
    sweep(instance.process)


def people(instance: Instance) -> People:
    iam, made = instance.client("iam"), {}
    for name in ("reader", "nobody", "inactive", "deleted"):
        iam.create_user(UserName=name)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        made[name] = Credentials(key["AccessKeyId"], key["SecretAccessKey"])
    iam.update_access_key(UserName="inactive", AccessKeyId=made["inactive"].access_key, Status="Inactive")
    iam.delete_access_key(UserName="deleted", AccessKeyId=made["deleted"].access_key)
    reads = {"Effect": "Allow", "Action": ["*:Get*", "*:List*", "*:Describe*", "*:Head*"], "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [reads]})
    iam.put_user_policy(UserName="reader", PolicyName="reads", PolicyDocument=document)
    variables = instance.variables
    owner = Credentials(variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"])
    return People(owner=owner, **made)


def make(instance: Instance) -> dict[str, str]:
    """A function with a URL, two APIs and a bucket with a website; all for those alone who sign and may."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", CODE)
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Statement": [trust]})
    role = instance.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    functions = instance.client("lambda")
    arn = functions.create_function(
        FunctionName="f", Runtime="python3.11", Role=role, Handler="app.handler", Code={"ZipFile": buffer.getvalue()}
    )["FunctionArn"]
    functions.add_permission(
        FunctionName="f", StatementId="apis", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com"
    )
    url = functions.create_function_url_config(FunctionName="f", AuthType="AWS_IAM")["FunctionUrl"]
    apis = instance.client("apigatewayv2")
    api = apis.create_api(Name="a", ProtocolType="HTTP")["ApiId"]
    target = apis.create_integration(
        ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=arn, PayloadFormatVersion="2.0"
    )["IntegrationId"]
    apis.create_route(ApiId=api, RouteKey="ANY /{rest+}", Target=f"integrations/{target}", AuthorizationType="AWS_IAM")
    apis.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
    s3 = instance.client("s3")
    s3.create_bucket(Bucket="pages")
    s3.put_object(Bucket="pages", Key="index.html", Body=b"reached")
    s3.put_bucket_website(Bucket="pages", WebsiteConfiguration={"IndexDocument": {"Suffix": "index.html"}})
    id = urlsplit(url).path.strip("/").rpartition("/")[2] or (urlsplit(url).hostname or "").partition(".")[0]
    if "lambda-url" in (urlsplit(url).hostname or ""):
        id = (urlsplit(url).hostname or "").partition(".")[0]
    return {"api": api, "url": id}


def places(instance: Instance, made: dict[str, str], port: int) -> Iterator[Asked]:
    """Every address of a mount that asks who it is, from the tables of routes."""
    here = f"127.0.0.1:{port}"

    def at(method: str, url: str, signing: str = "s3", host: str = here) -> Asked:
        body = b"{}" if method in ("POST", "PUT") else b""
        return Asked("mount", url, signing, method, url, {}, body, host)

    for route in Admin(**{item.name: Mock() for item in fields(Admin)}).routes():
        if f"/_alight/{route.pattern}" not in OPEN:
            yield at(route.method, "/_alight/" + route.pattern.replace("{id}", "x").replace("{name}", "f"))
    for method, path in console_routes():
        if not path.startswith(CONSOLE_OPEN):
            yield at(method, path)
    for method in ("GET", "POST", "PUT", "DELETE", "HEAD", "PATCH"):
        yield at(method, f"/_aws/execute-api/{made['api']}/x", "execute-api")
        yield at(method, "/x", "execute-api", f"{made['api']}.execute-api.localhost:{port}")
        yield at(method, f"/_aws/lambda-url/{made['url']}/x", "lambda")
        yield at(method, "/x", "lambda", f"{made['url']}.lambda-url.localhost:{port}")
        yield at(method, "/_aws/s3-website/pages/")
        yield at(method, "/", "s3", f"pages.s3-website.localhost:{port}")
        yield at(method, "/_aws/cloudformation/x/y")


def console_routes() -> Iterator[tuple[str, str]]:
    def walk(routes: list[BaseRoute], before: str) -> Iterator[tuple[str, str]]:
        for route in routes:
            if isinstance(route, Mount):
                yield from walk(list(route.routes or []), before + route.path)
            elif isinstance(route, Route) and "{rest" not in route.path:
                path = before + route.path.replace("{number:int}", "1")
                for name in route.param_convertors:
                    path = path.replace(f"{{{name}:path}}", "x").replace(f"{{{name}}}", "x")
                for method in sorted(route.methods or ()):
                    yield method, path

    return walk(list(Console(Mock())._app.routes), "")


#: What is written beside the request: headers, and a query where the signature stands there.
Way = Callable[[Asked], tuple[dict[str, str], str | None]]


def ways(who: People) -> dict[str, Way]:
    """Ways that are not allowed anywhere."""

    def signed(credentials: Credentials, place: str = "header", late: float = 0, service: str = "") -> Way:
        def way(asked: Asked) -> tuple[dict[str, str], str | None]:
            scope = signed_scope(
                asked.method, asked.url, asked.body, place=place, service=service or asked.signing,
                said=sha256(asked.body), headers=dict(asked.headers), credentials=credentials,
                when=time.time() - late, host=asked.host,
            )  # fmt: skip
            headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
            return headers, scope["query_string"].decode() if place != "header" else None

        return way

    def plain(**headers: str) -> Way:
        return lambda asked: (asked.headers | {name.replace("_", "-"): value for name, value in headers.items()}, None)

    owner = who.owner
    guessed = Credentials(owner.access_key, "guessed")
    basic = base64.b64encode(f"{owner.access_key}:{owner.secret_key}".encode()).decode()
    return {
        "nothing": plain(),
        "wrong secret": signed(guessed),
        "link, wrong secret": signed(guessed, "query"),
        "link, version 2, wrong secret": signed(guessed, "query v2"),
        "unknown key": signed(Credentials("AKIANOBODY", owner.secret_key)),
        "inactive key": signed(who.inactive),
        "inactive key's link": signed(who.inactive, "query"),
        "deleted key": signed(who.deleted),
        "token of nobody": signed(Credentials(owner.access_key, owner.secret_key, "x")),
        "an hour late": signed(owner, late=3600),
        "link that has expired": signed(owner, "query", late=3600),
        "another service": signed(owner, service="glue"),
        "somebody without permission": signed(who.nobody),
        "somebody who may only read": signed(who.reader),
        "cookie of nobody": plain(cookie="alight_session=x; alight=x; session=x"),
        "Bearer with the secret": plain(authorization=f"Bearer {owner.secret_key}"),
        "Bearer, empty": plain(authorization="Bearer "),
        "Basic": plain(authorization=f"Basic {basic}"),
        "from this machine": plain(x_forwarded_for="127.0.0.1", x_real_ip="127.0.0.1", forwarded="for=127.0.0.1"),
        "a field of a form": plain(x_csrf_token="x", content_type="application/x-www-form-urlencoded"),
    }


def test_no_way_in_beside_the_operations(house: House) -> None:
    count, wrong = 0, []
    for column, (name, way) in enumerate(ways(house.people).items()):
        for row, asked in enumerate(house.places):
            if not WHOLE and (row + column) % 3:
                continue
            headers, query = way(asked)
            status, body = house.ask(asked, headers, query)
            count += 1
            if not refused(status) or b"reached" in body:
                wrong.append((name, asked.method, asked.host, asked.url, status, body[:100]))
    print(f"\n{len(house.places)} addresses beside the operations, {len(ways(house.people))} ways, {count} cells: "
          f"{len(wrong)} accepted")  # fmt: skip
    assert wrong == [], "\n".join(map(str, wrong[:40]))


def refused(status: int) -> bool:
    """The console sends people to its login."""
    return status in (303, 400, 401, 403, 404, 405, 501)


def test_whoever_has_signed_well_reaches_the_api_and_the_url(house: House) -> None:
    """The control: the same addresses, and the owner's key."""
    reached = set()
    sign = ways(replace(house.people, nobody=house.people.owner))["somebody without permission"]
    for asked in house.places:
        if asked.signing in ("execute-api", "lambda") and asked.method == "POST":
            headers, query = sign(asked)
            assert house.ask(asked, headers, query) == (200, b"reached"), asked
            reached.add(asked.url.partition("/x")[0].rpartition("/")[0] or asked.host.split(".")[1])
    assert reached == {"/_aws/execute-api", "execute-api", "/_aws/lambda-url", "lambda-url"}
    assert {name.strip("/") for name in MOUNTS} >= {name.strip("/") for name in reached}


def test_a_sample_of_the_operations(house: House) -> None:
    count, wrong = 0, []
    port = urlsplit(house.instance.url).port
    chosen = random.Random(SEED).sample(operations(), 12)
    # What readers and those without permission may do at operations is looked at without a socket.
    false = {name: way for name, way in ways(house.people).items() if not name.startswith("somebody")}
    for name, way in false.items():
        for asked in chosen:
            asked = replace(asked, host=f"127.0.0.1:{port}")
            headers, query = way(asked)
            status, body = house.ask(asked, headers, query)
            count += 1
            if not refused(status):
                wrong.append((name, asked.name, status, body[:100]))
    print(f"\n{len(chosen)} operations on a socket, seed {SEED}, {count} cells: {len(wrong)} accepted")
    assert wrong == [], "\n".join(map(str, wrong[:40]))
