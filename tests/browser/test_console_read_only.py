"""A console that only shows: every route that would write is refused, whichever there are, and its button says so."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import fields
from html.parser import HTMLParser
from http.client import HTTPConnection
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from alight.console.app import Console
from alight.console.blueprints import BLUEPRINTS, package_of
from alight.console.world import World
from tests.browser.console import HOME
from tests.support import Instance, eventually, start_alight, sweep
from tests.walk.making import books, events, make_endpoint, make_function, make_role

#: Ways in and out, which change nothing of the account.
DOORS = {("POST", "/login"), ("POST", "/logout")}
#: What stands in the addresses: it is there, so that a route that is let through has something to change.
NAMED = {"name": "box", "kind": "rest", "id": "box", "variant": "box", "number": "0"}

ANSWERS = """
def model_fn(folder):
    return None

def predict_fn(given, model):
    return [1.0]
"""


def writing_routes() -> list[tuple[str, str]]:
    """(method, path) of each route of the console's own table but those that only read."""
    nothing: Any = {one.name: None for one in fields(World)}
    nothing |= {"version": "", "read_only": True}
    console = Console(World(**nothing))
    return [
        (method, re.sub(r"{(\w+)(?::\w+)?}", lambda found: NAMED[found[1]], route.path))
        for route in console.routes
        for method in sorted((route.methods or set()) - {"GET", "HEAD"})
    ]


class Visitor:
    """Somebody who is logged in, without a browser."""

    def __init__(self, instance: Instance) -> None:
        address = urlsplit(instance.url)
        assert address.hostname
        self._where = (address.hostname, address.port)
        self._headers: dict[str, str] = {}
        link = urlsplit(instance.json("console")["url"])
        token = parse_qs(link.query)["token"][0]
        _, _, cookie = self.send("POST", "/login", urlencode({"token": token}).encode())
        self._headers["Cookie"] = cookie.partition(";")[0]
        found = re.search(r'name="csrf-token" content="([^"]+)"', self.send("GET", "/")[1])
        assert found
        self._headers["X-CSRF-Token"] = found[1]

    def send(self, method: str, path: str, body: bytes = b"") -> tuple[int, str, str]:
        """Status, text, and the cookie that is set."""
        connection = HTTPConnection(*self._where, timeout=20)
        try:
            connection.request(method, f"{HOME}{path}", body, self._headers | {"Accept": "text/html"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), answer.headers.get("set-cookie", "")
        finally:
            connection.close()


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    folder = tmp_path_factory.mktemp("only") / "data"
    running = start_alight(folder, ALIGHT_CONSOLE_READ_ONLY="yes", ALIGHT_RETRY_DELAYS="0.1,0.1")
    running.client("s3").create_bucket(Bucket="box")
    running.client("s3").put_object(Bucket="box", Key="kept", Body=b"kept")
    running.client("sns").create_topic(Name="box")
    trusted = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [trusted]})
    role = running.client("iam").create_role(RoleName="box", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    code = {"ZipFile": package_of(BLUEPRINTS[0])}
    running.client("lambda").create_function(
        FunctionName="box", Runtime="python3.11", Role=role, Handler=BLUEPRINTS[0].handler, Code=code
    )
    make_role(running)
    make_function(running, "failing", "def handler(event, context):\n    raise ValueError('a reason')\n")
    given = running.client("lambda").invoke(FunctionName="failing", InvocationType="Event", Payload=b"{}")
    given["Payload"].read()
    make_endpoint(running, "box", ANSWERS, 1)
    running.client("apigateway").create_rest_api(name="box")
    closed = running.client("sqs").create_queue(QueueName="closed")["QueueUrl"].rpartition("/")[2]
    sns = running.client("sns")
    topic = sns.create_topic(Name="box")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="somebody@example.com")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:us-east-1:000000000000:{closed}")
    sns.publish(TopicArn=topic, Message="nobody may have this")
    eventually(lambda: books(running)["dead"] == 1, what="the dead letter")
    eventually(lambda: running.json("outbox", "--state", "dead")["deliveries"], what="the dead delivery")
    yield running
    running.stop()
    sweep(running.process)


@pytest.fixture(scope="module")
def visitor(instance: Instance) -> Visitor:
    return Visitor(instance)


def test_each_route_that_writes_is_refused(instance: Instance, visitor: Visitor) -> None:
    s3, before = instance.client("s3"), instance.json("status")
    routes = [one for one in writing_routes() if one not in DOORS]
    assert ("PUT", "/buckets/box/upload") in routes
    assert len(routes) > 25
    for method, path in routes:
        body = b"new" if method == "PUT" else urlencode({"name": "made", "key": "kept", "target": "/tmp/x"}).encode()
        status, text, _ = visitor.send(method, f"{path}?key=new", body)
        assert (status, "console_read_only is set" in text) == (403, True), (method, path, status, text)
    for method in ("DELETE", "PATCH", "POST", "PUT", "OPTIONS", "PROPFIND"):
        assert visitor.send(method, "/nowhere")[0] == 403
    after = instance.json("status")
    assert [one["Key"] for one in s3.list_objects_v2(Bucket="box")["Contents"]] == ["kept"]
    for kind in ("buckets", "topics", "functions", "endpoints", "apis", "books"):
        assert after[kind] == before[kind]


class Buttons(HTMLParser):
    """Which buttons of a page would write, and whether they are disabled."""

    def __init__(self) -> None:
        super().__init__()
        self._writes = [False]
        self.found: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        own = any(word in given for word in ("hx-post", "data-try", "data-package"))
        if tag == "form":
            self._writes.append(own)
        elif (tag == "button" and (own or (self._writes[-1] and given.get("type") == "submit"))) or (
            tag == "input" and given.get("type") == "file"
        ):
            self.found.append((self.get_starttag_text() or "", "disabled" in given))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._writes.pop()


@pytest.mark.parametrize(
    ("path", "button"),
    [
        ("/", ""), ("/stories/{dead}", "Redrive"), ("/functions", "Create function"), ("/functions/box", "Test"),
        ("/functions/box/code", "Save and publish"), ("/buckets", "Create bucket"), ("/buckets/box", "Run again"),
        ("/buckets/box/look?key=kept", "Delete"), ("/endpoints", "Create endpoint"),
        ("/endpoints/box", "Change weights"), ("/topics", "Create topic"), ("/topics/box", "Publish"),
        ("/outbox", "Send again what is chosen"), ("/apis", "Create and deploy"),
        ("/apis/rest/{api}", "Add and deploy"),
        ("/dead-letters", "Redrive what is chosen"), ("/system", "Back up"),
    ],
)  # fmt: skip
def test_the_buttons_of_a_page_say_that_it_only_shows(
    instance: Instance, visitor: Visitor, path: str, button: str
) -> None:
    api = instance.client("apigateway").get_rest_apis()["items"][0]["id"]
    status, text, _ = visitor.send("GET", path.format(dead=events(instance, "dead")[0]["id"], api=api))
    assert (status, "This console only shows" in text) == (200, True)
    assert f">{button}<" in text
    buttons = Buttons()
    buttons.feed(text)
    open_ones = [shown for shown, is_disabled in buttons.found if not is_disabled and "/logout" not in shown]
    assert not open_ones
    assert [shown for shown, is_disabled in buttons.found if is_disabled] or not button


@pytest.mark.parametrize(
    ("path", "status"),
    [(f"/outbox?before={1 << 63}", 200), (f"/outbox?before={'9' * 5000}", 200), (f"/stories/{1 << 63}", 404)],
    ids=["large", "long", "story"],
)
def test_a_number_that_no_row_has_breaks_no_page(visitor: Visitor, path: str, status: int) -> None:
    assert visitor.send("GET", path)[0] == status


def test_nobody_who_only_looks_can_confirm_a_subscription(instance: Instance, visitor: Visitor) -> None:
    """What a held mail would let its reader do is not shown."""
    _, text, _ = visitor.send("GET", "/outbox")
    assert "somebody@example.com" in text
    assert "Confirm the subscription" not in text
    assert not re.search(r"[0-9a-f]{128}", text)
