"""Names, metadata, log lines and errors that strangers choose: on no page of the console does one of them run."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.browser.console import Console, opened
from tests.support import Instance, start_alight, sweep

pytestmark = [pytest.mark.tool("chromium"), pytest.mark.timeout(180)]

BUCKET, FUNCTION = "hostile", "hostile"
RUN = "window.ran=(window.ran||0)+1"
#: What runs where it is put into a page as it is: into text, an attribute, a URL, a script, a template, htmx's words.
SHAPES = (
    f"<script>{RUN}</script>",
    f"<img src=x onerror={RUN}>",
    f"<svg onload={RUN}>",
    f'"><script>{RUN}</script>',
    f"'><img src=x onerror={RUN}>",
    f'" onmouseover="{RUN}" autofocus onfocus="{RUN}',
    f"javascript:{RUN}",
    f"</script><script>{RUN}</script>",
    f"</textarea></title></pre></code><script>{RUN}</script>",
    f'<a hx-get="/" hx-trigger="load" hx-on:htmx:before-request="{RUN}">',
    f'<div hx-on::load="{RUN}" hx-trigger="load[{RUN}]" hx-get="x">',
    f"<iframe srcdoc='<script>parent.{RUN}</script>'>",
    f"<details open ontoggle={RUN}>",
    "{{ 7*7 }}{% raw %}" + f"<script>{RUN}</script>",
    f"<template><script>{RUN}</script></template>",
    f"<meta http-equiv=refresh content='0;url=javascript:{RUN}'>",
    f"<base href=//evil.example><script>{RUN}</script>",
    f"data: x\n\ndata: <script>{RUN}</script>",
    f"\u2028\u202e<script>{RUN}</script>",
    f"<math><mtext></p><style><img src onerror={RUN}></style>",
)
KEYS = [f"{place:03d}{shape}{ending}" for place, shape in enumerate(SHAPES * 5) for ending in ("", ".jpg")]
CODE = """
import json
def handler(event, context):
    for shape in json.loads(open("shapes.json").read()):
        print(shape)
    kind = type("E" + event.get("kind", ""), (Exception,), {})
    raise kind(" ".join(json.loads(open("shapes.json").read())))
"""


def package() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", CODE)
        archive.writestr("shapes.json", json.dumps(SHAPES))
        archive.writestr("<img src=x onerror=window.ran=1>.py", f"</textarea><script>{RUN}</script>")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    running = start_alight(tmp_path_factory.mktemp("hostile") / "data", ALIGHT_RETRY_DELAYS="0.1,0.1")
    fill(running)
    yield running
    sweep(running.process)


def fill(instance: Instance) -> None:
    """200 keys with such names, types and metadata; a function that logs them and fails with them, told of some."""
    objects, functions = instance.client("s3"), instance.client("lambda")
    objects.create_bucket(Bucket=BUCKET)

    def put(place: int) -> None:
        said = quote(SHAPES[place // 2 % len(SHAPES)], safe="<>\"'=/ ()+|.")
        objects.put_object(
            Bucket=BUCKET, Key=KEYS[place], Body=f"<script>{RUN}</script>", ContentType=f"text/html;{said}"[:200],
            Metadata={"said": said},
        )  # fmt: skip

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, range(len(KEYS))))
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = instance.client("iam").create_role(
        RoleName="hostile", AssumeRolePolicyDocument=json.dumps({"Statement": [trust]})
    )["Role"]["Arn"]
    functions.create_function(
        FunctionName=FUNCTION, Runtime="python3.11", Role=role, Handler="app.handler", Code={"ZipFile": package()},
        Description=SHAPES[0], Environment={"Variables": {"SHAPE": SHAPES[3]}},
    )  # fmt: skip
    functions.publish_version(FunctionName=FUNCTION, Description=SHAPES[1])
    arn = functions.get_function_configuration(FunctionName=FUNCTION)["FunctionArn"]
    functions.add_permission(
        FunctionName=FUNCTION, StatementId="s3", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com"
    )
    rule = {"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}
    objects.put_bucket_notification_configuration(
        Bucket=BUCKET, NotificationConfiguration={"LambdaFunctionConfigurations": [rule]}
    )
    for key in KEYS[:4]:
        objects.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    topics = instance.client("sns")
    topic = topics.create_topic(Name="hostile", Attributes={"DisplayName": SHAPES[3][:90]})["TopicArn"]
    topics.subscribe(TopicArn=topic, Protocol="sms", Endpoint="+12025550123")
    for shape in SHAPES:
        topics.publish(TopicArn=topic, Message=shape)
    instance.client("apigateway").create_rest_api(name=SHAPES[3])


@pytest.fixture
def console(instance: Instance, tmp_path: Path) -> Iterator[Console]:
    with opened(instance, tmp_path / "screenshots") as made:
        yield made


def stir(page: Page) -> None:
    """What lies in wait for a pointer or for the keyboard gets them."""
    page.evaluate(
        """() => { for (const one of document.querySelectorAll('main *')) for (const kind of ['mouseover', 'focus'])
        one.dispatchEvent(new Event(kind, {bubbles: true})) }"""
    )
    assert page.evaluate("window.ran") is None, page.url
    strange = "[onerror], [onload], [onfocus], [onmouseover], [ontoggle], iframe, base, main script, main meta"
    assert page.locator(strange).count() == 0, page.url
    assert page.locator("main [href^='javascript:' i], main [src^='javascript:' i]").count() == 0, page.url


def test_nothing_that_strangers_have_named_runs(console: Console) -> None:
    """Counted are scripts that ran, elements that came out of a name, and what the policy had to keep from running."""
    page = console.page
    page.add_init_script(
        "addEventListener('securitypolicyviolation', one => { window.ran = one.violatedDirective + one.blockedURI })"
    )
    dead = page.locator("li.story", has_text="000<script>")
    console.open("/")
    expect(dead.first).to_contain_text("dead", timeout=60_000)
    expect(page.locator("#line")).to_have_text("live")
    console.instance.client("s3").put_object(Bucket=BUCKET, Key=f"new{SHAPES[1]}", Body=b"x")
    live = page.locator("li.story", has_text="new<img")
    expect(live).to_contain_text("dead", timeout=60_000)
    stir(page)
    story = str(live.locator(".cover").get_attribute("href"))
    page.goto(f"{console.instance.url}{story}")
    expect(page.locator(".log")).to_contain_text(SHAPES[0])
    stir(page)
    paths = [f"/buckets/{BUCKET}", f"/buckets/{BUCKET}?prefix={quote(KEYS[0].split('/')[0])}/", "/dead-letters",
             "/outbox", "/topics/hostile", "/apis", "/buckets", "/functions", "/system", f"/functions/{FUNCTION}/code",
             f"/functions/{FUNCTION}/code?file={quote('<img src=x onerror=window.ran=1>.py')}"]  # fmt: skip
    paths += [f"/buckets/{BUCKET}/look?key={quote(key, safe='')}" for key in KEYS[: 2 * len(SHAPES) : 4]]
    paths += [f"/{word}/{quote(SHAPES[0], safe='')}" for word in ("stories", "buckets", "functions", "endpoints")]
    paths += [f"/?function={quote(SHAPES[3])}&label={quote(SHAPES[5])}&until={quote(SHAPES[1])}"]
    for path in paths:
        console.open(path)
        stir(page)
    console.open(f"/functions/{FUNCTION}")
    page.locator("#event").fill(json.dumps({"kind": SHAPES[1]}))
    page.get_by_role("button", name="Test", exact=True).click()
    expect(page.locator("#tested")).to_contain_text("The function failed", timeout=60_000)
    expect(page.locator("[data-log]")).to_contain_text(SHAPES[0], timeout=30_000)
    stir(page)

    # Strangers' HTML is saved, not shown, and has no origin.
    address = f"{console.instance.url}/_alight/console/object?bucket={BUCKET}&key={quote(KEYS[0], safe='')}"
    headers = page.request.get(address).headers
    assert headers["content-disposition"].startswith("attachment; ")
    assert headers["content-type"] == "application/octet-stream"
    assert headers["content-security-policy"].startswith("sandbox;")
    assert headers["x-content-type-options"] == "nosniff"
