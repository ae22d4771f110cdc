"""Websites in a real browser: pages work, and a page on the shared origin acts as nobody (decision 13)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from alight.gateway.mounts import Mount
from tests.wire.running_s3 import Running, running_s3
from tests.wire.test_website import open_up

pytestmark = pytest.mark.tool("chromium")

PAGE = """<!doctype html><meta charset="utf-8"><title>site</title>
<link rel="stylesheet" href="style.css">
<h1>hello</h1>
<script src="classic.js"></script>
<script type="module" src="module.js"></script>
"""
CLASSIC = "window.classic = true;"
MODULE = "window.module = true;"
STYLE = "h1 {color: rgb(1, 2, 3)}"


class Console:
    """Stands where a console with a login cookie would: remembers what reached it, and with which cookie."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.seen.append((scope["method"], headers.get("cookie", "")))
        cookie = (b"set-cookie", b"session=secret; HttpOnly; SameSite=Lax; Path=/")
        await send({"type": "http.response.start", "status": 200, "headers": [cookie, (b"content-type", b"text/html")]})
        await send({"type": "http.response.body", "body": b"<h1>console</h1>"})


@pytest.fixture(scope="module")
def console() -> Console:
    return Console()


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, console: Console) -> Iterator[Running]:
    with running_s3(tmp_path_factory.mktemp("sites"), more_mounts={"/_alight/": Mount(console)}) as running:
        s3 = running.client()
        for bucket in ("site", "shared"):
            fill(s3, bucket)
        rule = {"AllowedOrigins": ["*"], "AllowedMethods": ["GET"]}
        s3.put_bucket_cors(Bucket="shared", CORSConfiguration={"CORSRules": [rule]})
        yield running


def fill(s3: Any, bucket: str) -> None:
    s3.create_bucket(Bucket=bucket)
    open_up(s3, bucket)
    s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration={"IndexDocument": {"Suffix": "index.html"}})
    for key, text, kind in (
        ("index.html", PAGE, "text/html"),
        ("classic.js", CLASSIC, "text/javascript"),
        ("module.js", MODULE, "text/javascript"),
        ("style.css", STYLE, "text/css"),
        ("data.json", json.dumps({"answer": 42}), "application/json"),
    ):
        s3.put_object(Bucket=bucket, Key=key, Body=text.encode(), ContentType=kind)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    opened = browser.new_page()
    yield opened
    opened.close()


def address(here: Running, form: str, bucket: str = "site") -> str:
    by_path = f"{here.url}/_aws/s3-website/{bucket}"
    return by_path if form == "path" else f"http://{bucket}.s3-website.localhost:{here.port}/"


FETCH = """async ([url, method, credentials]) => {
  try { const answer = await fetch(url, {method, credentials}); return await answer.text(); }
  catch (error) { return 'refused'; }
}"""


@pytest.mark.parametrize(("form", "bucket"), [("path", "shared"), ("host", "shared"), ("host", "site")])
def test_a_page_works(here: Running, page: Page, form: str, bucket: str) -> None:
    """All of it by Host; by path its modules and its fetches are those of another origin, and a CORS rule lets them."""
    wrongs: list[str] = []
    page.on("console", lambda message: wrongs.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: wrongs.append(str(error)))
    page.route("**/favicon.ico", lambda route: route.fulfill(status=204))
    page.goto(address(here, form, bucket))
    page.wait_for_function("window.classic && window.module")
    assert page.text_content("h1") == "hello"
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).color") == "rgb(1, 2, 3)"
    assert json.loads(page.evaluate(FETCH, ["data.json", "GET", "same-origin"])) == {"answer": 42}
    assert page.evaluate("self.origin") == ("null" if form == "path" else address(here, form, bucket)[:-1])
    assert wrongs == []


def test_a_plain_page_needs_no_rule(here: Running, page: Page) -> None:
    page.goto(address(here, "path"))
    page.wait_for_function("window.classic")
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).color") == "rgb(1, 2, 3)"
    assert page.evaluate(FETCH, ["data.json", "GET", "same-origin"]) == "refused"


@pytest.mark.parametrize("form", ["path", "host"])
def test_a_page_acts_as_nobody(here: Running, page: Page, console: Console, form: str) -> None:
    """Logged in to the console in the same browser, a public page can neither read it nor act with its cookie."""
    target = f"{here.url}/_alight/console"
    page.goto(target)
    page.goto(address(here, form))
    page.wait_for_function("window.classic")
    console.seen.clear()
    for method in ("GET", "POST", "DELETE"):
        assert page.evaluate(FETCH, [target, method, "include"]) == "refused"
    assert [cookie for _, cookie in console.seen if cookie] == []
    assert {method for method, _ in console.seen} <= {"GET", "OPTIONS"}
    frame = "url => new Promise(done => { const f = document.createElement('iframe'); f.src = url;"
    frame += " f.onload = () => { try { done(f.contentDocument.body.innerHTML) } catch (e) { done('refused') } };"
    frame += " document.body.append(f) })"
    assert "console" not in str(page.evaluate(frame, target))
    if form == "path":
        assert page.evaluate("() => { try { return document.cookie } catch (e) { return 'refused' } }") == "refused"
        assert page.evaluate("() => { try { return !!localStorage } catch (e) { return 'refused' } }") == "refused"
    else:
        assert page.evaluate("() => { localStorage.setItem('a', 'b'); return document.cookie }") == ""
