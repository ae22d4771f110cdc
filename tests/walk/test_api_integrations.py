"""What answers behind an API (functions, other servers, web apps under their adapters), and how it is told."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from alight.admin.story import Stories
from alight.apis.api import Integration, Route
from alight.names import function_arn
from alight.store import journal
from alight.store.outbox import OutboxStore
from tests.walk.deployed import Deployed, account, http_api, proxied, rest, stage
from tests.walk.foreign import APP, PACKAGES
from tests.walk.vendoring import build_zip


@pytest.fixture(scope="module")
def alight(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    yield from account(tmp_path_factory.mktemp("integrations"))


# Functions as they are -----------------------------------------------------------------------------------------------


def test_an_aws_integration_passes_through(alight: Deployed) -> None:
    integration = Integration("AWS", function=function_arn("whole"), headers={"Access-Control-Allow-Origin": "*"})
    base = alight.deploy(stage("REST", "through", Route("POST", "/x", integration)))
    said = alight.ask("POST", f"{base}/x", '{"any": ["thing", 1]}')
    assert (said.status, json.loads(said.body)) == (200, {"any": ["thing", 1]})
    assert (said.headers["content-type"], said.headers["access-control-allow-origin"]) == ("application/json", "*")
    assert json.loads(alight.ask("POST", f"{base}/x").body) == {}
    failed = alight.ask("POST", f"{base}/x", '{"raise": true}')
    assert (failed.status, json.loads(failed.body)["errorMessage"]) == (200, "as told")
    said = alight.ask("POST", f"{base}/x", "no json")
    assert (said.status, said.headers["x-amzn-errortype"]) == (400, "BadRequestException")


# Other servers -------------------------------------------------------------------------------------------------------


class Echoing(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        length = int(self.headers.get("content-length", 0))
        told = {
            "method": self.command,
            "path": self.path,
            "headers": dict(self.headers.items()),
            "body": self.rfile.read(length).decode(),
        }
        body = json.dumps(told).encode() if "large" not in self.path else b"x" * (10 * 1024 * 1024 + 1)
        self.send_response(418 if "teapot" in self.path else 200)
        for name in ("Set-Cookie", "Set-Cookie"):
            self.send_header(name, "a=b")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = answer

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@contextmanager
def other_server() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echoing)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_another_server_answers(alight: Deployed) -> None:
    with other_server() as port:
        integration = Integration(
            "HTTP_PROXY", uri=f"http://127.0.0.1:{port}/base/{{proxy}}", method="ANY",
            parameters={
                "integration.request.path.proxy": "method.request.path.proxy",
                "integration.request.header.X-Stage": "'constant'",
                "integration.request.querystring.who": "method.request.header.X-Who",
            },
        )  # fmt: skip
        base = alight.deploy(stage("REST", "other", Route("ANY", "/{proxy+}", integration)))
        headers = {"X-Who": "a b", "TE": "trailers", "Authorization": "Basic x", "Content-Type": "text/plain"}
        said = alight.ask("PUT", f"{base}/a%2Fb/c%20d?x=1", "body", headers)
        told = json.loads(said.body)
        assert (told["method"], told["path"], told["body"]) == ("PUT", "/base/a/b/c%20d?x=1&who=a%20b", "body")
        assert told["headers"]["Host"] == f"127.0.0.1:{port}"
        assert (told["headers"]["X-Stage"], told["headers"]["Authorization"]) == ("constant", "Basic x")
        assert told["headers"]["x-amzn-apigateway-api-id"] == "other"
        assert not {"TE", "Connection"} & set(told["headers"])
        assert said.headers.get_all("set-cookie") == ["a=b", "a=b"]
        assert alight.ask("GET", f"{base}/teapot").status == 418
        assert json.loads(alight.ask("GET", f"{base}/%2e%2e/%2e%2e/up").body)["path"] == "/base/%2E%2E/%2E%2E/up"
        # A header cannot be made to end early.
        assert alight.ask("GET", f"{base}/x", headers={"X-Who": "a"}).status == 200
        split = Integration(
            "HTTP_PROXY", uri=f"http://127.0.0.1:{port}/", method="GET",
            parameters={"integration.request.header.X-Q": "method.request.querystring.q"},
        )  # fmt: skip
        other = alight.deploy(stage("REST", "split", Route("GET", "/", split)))
        assert alight.ask("GET", f"{other}?q=a%0d%0aX-Evil:%201").status == 500
        said = alight.ask("GET", f"{base}/large")
        assert (said.status, json.loads(said.body)) == (500, {"message": "Internal server error"})


def test_private_addresses_are_not_reached(alight: Deployed, caplog: pytest.LogCaptureFixture) -> None:
    """Loopback at 127.0.0.1 is allowed here; its neighbours are as private as any."""
    for uri in ("http://127.0.0.2:1/", "http://10.1.2.3/", "http://[::1]:1/", "file:///etc/passwd", "nonsense"):
        base = alight.deploy(stage("REST", "private", Route("GET", "/x", Integration("HTTP_PROXY", uri=uri))))
        caplog.clear()
        assert alight.ask("GET", f"{base}/x").status == 500, uri
        assert "private address" in caplog.text or "not an http" in caplog.text or "not a URL" in caplog.text, uri
    nobody = Integration("HTTP_PROXY", uri="http://127.0.0.1:1/")
    base = alight.deploy(stage("HTTP", "private2", Route("GET", "/x", nobody)))
    assert json.loads(alight.ask("GET", f"{base}/x").body) == {"message": "Service Unavailable"}


# Web apps under their adapters ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def web(alight: Deployed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    package = build_zip(tmp_path_factory.mktemp("web") / "web.zip", APP / "web", PACKAGES["web"])
    module = next(path.stem for path in (APP / "web").glob("*.py"))
    for name in ("asgi", "wsgi"):
        alight.make(name, f"{module}.{name}", package.read_bytes())
    return package


@pytest.mark.parametrize("kind", ["REST", "1.0", "2.0"])
@pytest.mark.parametrize("name", ["asgi", "wsgi"])
def test_a_web_app_runs_unmodified(alight: Deployed, web: Path, name: str, kind: str) -> None:
    """A Starlette app under Mangum and a WSGI app under apig-wsgi read our events as they read AWS's."""
    id = f"{name}{kind.replace('.', '').lower()}"
    base = rest(alight, id, name) if kind == "REST" else http_api(alight, id, name, kind, stage="$default")
    said = alight.ask("POST", f"{base}/some/p%C3%A4th?x=1&x=2&y=%26", "body", [("Header1", "one"), ("Header1", "two")])
    told = json.loads(said.body)
    assert (said.status, said.headers["content-type"]) == (200, "application/json")
    assert said.headers["x-by"] == ("starlette" if name == "asgi" else "wsgi")
    assert (told["method"], told["query"]) == ("POST", {"x": ["1", "2"], "y": ["&"]})
    assert told["header"].replace(" ", "") == "one,two"
    if name == "asgi":
        picture = alight.ask("GET", f"{base}/picture")
        # A REST API gives bytes only for media types that it is told are binary.
        assert picture.body == (b"/9j/" if kind == "REST" else b"\xff\xd8\xff")
        assert picture.headers["content-type"] == "image/jpeg"


# The story -----------------------------------------------------------------------------------------------------------


def explained(alight: Deployed, id: str) -> Any:
    stories = Stories(alight.store.database, OutboxStore(alight.store.database), alight.store.telemetry)
    return alight.wait(stories.explain(id))


def test_the_story_of_a_request(alight: Deployed) -> None:
    base = alight.deploy(stage("REST", "story", Route("GET", "/birds/{id}", proxied("calls"))))
    said = alight.ask("GET", f"{base}/birds/7")
    story = explained(alight, said.headers["x-amzn-requestid"])
    [call] = story["steps"]
    assert (story["event"]["state"], call["what"]) == ("synchronous", "execute-api GET /birds/{id}")
    assert call["detail"] == f"Api={base.split('/')[-2]} Name=story-name Stage=prod Status=204"
    [run] = call["steps"]
    assert run["what"] == "function calls: ok"
    assert [step["what"] for step in run["steps"]] == ["sts GetCallerIdentity"]
    assert explained(alight, said.headers["x-amz-apigw-id"])["steps"] == story["steps"]


def test_the_story_says_why_a_request_failed(alight: Deployed) -> None:
    base = http_api(alight, "why", "says")
    said = alight.ask("POST", base, '{"raise": "no bird"}', {"Content-Type": "text/plain"})
    [call] = explained(alight, said.headers["apigw-requestid"])["steps"]
    assert "Status=500 why=the function failed: RuntimeError: no bird" in call["detail"]
    assert any(
        "said something" in line["message"] for line in explained(alight, said.headers["apigw-requestid"])["logs"]
    )


def test_requests_are_counted(alight: Deployed) -> None:
    base = rest(alight, "counted", "says")
    for body in ("{}", "{}", "null"):
        alight.ask("POST", base, body)
    alight.wait(alight.store.telemetry.flush())
    dimensions = {"ApiName": "counted-name", "Stage": "prod"}

    def came(name: str) -> list[float]:
        """How often and how much."""
        tallies = [one.tally for one in alight.store.telemetry.minutes("AWS/ApiGateway", name, dimensions)]
        return [sum(tally.count for tally in tallies), sum(tally.sum for tally in tallies)]

    assert (came("Count"), came("5XXError"), came("4XXError")) == ([3, 3], [3, 1], [3, 0])
    assert came("Latency")[1] >= came("IntegrationLatency")[1] > 0


def test_nothing_of_a_request_is_journaled(alight: Deployed) -> None:
    base = rest(alight, "books", "says")
    alight.ask("POST", base, "null")
    assert journal.books(alight.store.database.read()).accepted == 0


# Many at once --------------------------------------------------------------------------------------------------------


def test_answers_go_to_those_who_asked(alight: Deployed) -> None:
    """Sixteen clients on connections that they keep; each gets what it sent."""
    base = http_api(alight, "many", "says")

    def client(number: int) -> list[bool]:
        connection = http.client.HTTPConnection("127.0.0.1", alight.port, timeout=60)
        right = []
        for turn in range(10):
            text = f"{number}-{turn}"
            connection.request("POST", base, json.dumps(text), {"Content-Type": "text/plain"})
            right.append(connection.getresponse().read().decode() == text)
        connection.close()
        return right

    with ThreadPoolExecutor(16) as pool:
        assert all(all(right) for right in pool.map(client, range(16)))


def test_a_connection_lives_on_after_a_refusal(alight: Deployed) -> None:
    base = rest(alight, "keep", "says")
    connection = http.client.HTTPConnection("127.0.0.1", alight.port, timeout=60)
    for _ in range(3):
        connection.request("POST", "/_aws/execute-api/nobody/prod/x", b"x" * 1000)
        response = connection.getresponse()
        assert (response.status, json.loads(response.read())) == (403, {"message": "Forbidden"})
        connection.request("POST", base, '{"body": "still here"}')
        assert connection.getresponse().read() == b"still here"
    connection.close()
