"""Names, metadata, log lines and errors that strangers choose: on no page of the console does one of them run."""

from __future__ import annotations

import base64
import io
import json
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from alight.console.app import Console as Pages
from alight.console.world import World
from tests.browser.console import HOME, Console, opened
from tests.support import Instance, start_alight, sweep
from tests.walk.making import ROLE, make_packed_endpoint, make_role

pytestmark = [pytest.mark.tool("chromium"), pytest.mark.timeout(180)]

BUCKET, FUNCTION, ENDPOINT = "hostile", "hostile", "hostile"
ROLE_ARN = f"arn:aws:iam::000000000000:role/{ROLE}"
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
import boto3, json
def handler(event, context):
    for shape in json.loads(open("shapes.json").read()):
        print(shape)
    if "ask" in event:
        models = boto3.client("sagemaker-runtime")
        models.invoke_endpoint(EndpointName=event["ask"], ContentType="text/plain", Body=event["kind"])
    kind = type("E" + event.get("kind", ""), (Exception,), {})
    raise kind(" ".join(json.loads(open("shapes.json").read())))
"""
#: Its likeliest labels are the first of `labels.txt`, its answer says them once more.
MODEL = f"""
import json
def model_fn(folder):
    return None
def input_fn(body, kind):
    return body
def predict_fn(given, model):
    return [0.5 / 2**place for place in range({len(SHAPES)})]
def output_fn(answer, accept):
    return json.dumps(answer), "application/json"
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
    make_role(instance)
    functions.create_function(
        FunctionName=FUNCTION, Runtime="python3.11", Role=ROLE_ARN, Handler="app.handler", Code={"ZipFile": package()},
        Description=SHAPES[0], Environment={"Variables": {"SHAPE": SHAPES[3]}},
    )  # fmt: skip
    functions.publish_version(FunctionName=FUNCTION, Description=SHAPES[1])
    arn = functions.get_function_configuration(FunctionName=FUNCTION)["FunctionArn"]
    functions.add_permission(
        FunctionName=FUNCTION, StatementId="s3", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com"
    )
    # A key cannot begin so: this rule is only shown.
    never = {"Key": {"FilterRules": [{"Name": "prefix", "Value": SHAPES[1]}]}}
    rule = {"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}
    shown = {"LambdaFunctionArn": arn, "Events": ["s3:ObjectRemoved:*"], "Filter": never, "Id": SHAPES[2]}
    objects.put_bucket_notification_configuration(
        Bucket=BUCKET, NotificationConfiguration={"LambdaFunctionConfigurations": [rule, shown]}
    )
    for key in KEYS[:4]:
        objects.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    topics = instance.client("sns")
    topic = topics.create_topic(Name="hostile", Attributes={"DisplayName": SHAPES[3][:90]})["TopicArn"]
    topics.subscribe(TopicArn=topic, Protocol="sms", Endpoint="+12025550123")
    topics.subscribe(TopicArn=topic, Protocol="email", Endpoint="somebody@example.com")
    for shape in SHAPES:
        topics.publish(TopicArn=topic, Message=shape)
    instance.client("apigateway").create_rest_api(name=SHAPES[3])
    made = instance.client("apigatewayv2").create_api(Name=SHAPES[4], ProtocolType="HTTP", Target=arn)
    assert asked(f"{instance.url}/_aws/execute-api/{made['ApiId']}/$default/{quote(SHAPES[0], safe='')}") == 500
    # What the endpoint below is said to have kept, and what is said to be of it.
    places = enumerate(zip(SHAPES, reversed(SHAPES), strict=True))
    lines = [json.dumps(captured(place, *both)) for place, both in places]
    objects.put_object(Bucket=BUCKET, Key=f"kept/{ENDPOINT}/all/{SHAPES[1]}.jsonl", Body="\n".join(lines).encode())
    labels = "\n".join(" ".join(shape.split()) for shape in SHAPES)
    make_packed_endpoint(
        instance, ENDPOINT, {"code/inference.py": MODEL.encode(), "labels.txt": labels.encode()}, replicas=1
    )
    models = instance.client("sagemaker")
    known = models.describe_endpoint_config(EndpointConfigName=ENDPOINT)["ProductionVariants"]
    models.delete_endpoint_config(EndpointConfigName=ENDPOINT)
    models.create_endpoint_config(
        EndpointConfigName=ENDPOINT,
        ProductionVariants=known,
        DataCaptureConfig={
            "EnableCapture": True, "InitialSamplingPercentage": 100, "DestinationS3Uri": f"s3://{BUCKET}/kept",
            "CaptureOptions": [{"CaptureMode": "Input"}],
        },
    )  # fmt: skip


def captured(place: int, asked: str, answered: str) -> dict[str, Any]:
    """A line of captured data."""
    encoded = base64.b64encode(asked.encode()).decode()
    return {
        "captureData": {
            "endpointInput": {"observedContentType": asked, "data": encoded, "encoding": "BASE64"},
            "endpointOutput": {"observedContentType": asked, "data": f"{answered}\n" * 2, "encoding": "CSV"},
        },
        "eventMetadata": {"inferenceTime": f"2026-01-02T03:04:{place:02d}Z"},
    }


def asked(url: str) -> int:
    """The status of an answer."""
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.fixture
def console(instance: Instance, browser: Browser) -> Iterator[Console]:
    with opened(instance, browser) as made:
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


def unseen(asked_for: set[str]) -> list[str]:
    """Which addresses of the console that are read were not asked for."""
    nothing: Any = {one.name: None for one in fields(World)}
    pages = Pages(World(**nothing | {"version": "", "read_only": False}))
    read = {route.path: route.path_regex for route in pages.routes if "GET" in (route.methods or ())}
    return sorted(path for path, pattern in read.items() if not any(map(pattern.match, asked_for)))


def test_nothing_that_strangers_have_named_runs(console: Console) -> None:
    """Counted are scripts that ran, elements that came out of a name, and what the policy had to keep from running."""
    page = console.page
    page.add_init_script(
        "addEventListener('securitypolicyviolation', one => { window.ran = one.violatedDirective + one.blockedURI })"
    )
    asked_for: set[str] = set()
    page.on("request", lambda one: asked_for.add(urlsplit(one.url).path.removeprefix(HOME)))
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
    paths += [f"/buckets/{BUCKET}/look?key={quote(key, safe='')}" for key in KEYS[: 2 * len(SHAPES) : 2]]
    paths += [f"/{word}/{quote(SHAPES[0], safe='')}" for word in ("stories", "buckets", "functions", "endpoints")]
    paths += [f"/?function={quote(SHAPES[3])}&label={quote(SHAPES[5])}&until={quote(SHAPES[1])}"]
    paths += ["/topics", "/endpoints", f"/?label={quote(SHAPES[0])}", f"/buckets/{BUCKET}?after={quote(SHAPES[0])}"]
    for path in paths:
        console.open(path)
        stir(page)
    console.open(f"/functions/{FUNCTION}")
    page.locator("#event").fill(json.dumps({"kind": SHAPES[1], "ask": ENDPOINT}))
    page.get_by_role("button", name="Test", exact=True).click()
    expect(page.locator("#tested")).to_contain_text("The function failed", timeout=60_000)
    expect(page.locator("[data-log]")).to_contain_text(SHAPES[0], timeout=30_000)
    stir(page)

    # What was captured of an endpoint.
    console.open(f"/endpoints/{ENDPOINT}")
    rows = page.locator("#capture ~ figure tbody tr")
    expect(rows).to_have_count(len(SHAPES))
    for closed in page.locator("#capture ~ figure summary").all():
        closed.click()
    expect(rows.first.locator("td").nth(1)).to_contain_text(SHAPES[-1])
    expect(rows.first.locator("pre").last).to_contain_text(f"{SHAPES[0]}\n{SHAPES[0]}")
    stir(page)

    # Mails that are held, the system, the way in, and the second page of the keys.
    console.open("/outbox")
    with page.expect_navigation():
        page.get_by_role("button", name="Confirm the subscription").click()
    topic = "arn:aws:sns:us-east-1:000000000000:hostile"
    console.instance.client("sns").publish(TopicArn=topic, Subject=SHAPES[0][:99], Message=SHAPES[1])
    page.reload()
    expect(page.locator("article.mail").first).to_contain_text(SHAPES[0])
    expect(page.locator("article.mail pre").first).to_have_text(SHAPES[1])
    stir(page)
    console.open("/system")
    page.get_by_label("New folder").fill(SHAPES[0])
    page.get_by_role("button", name="Back up").click()
    expect(page.locator("#said")).not_to_be_empty()
    stir(page)
    console.open(f"/login?token={quote(SHAPES[3])}")
    stir(page)
    console.open(f"/buckets/{BUCKET}")
    page.get_by_role("button", name="More").click()
    page.wait_for_url(lambda url: "after=" in url)
    expect(page.locator("tbody")).to_contain_text(KEYS[150])
    stir(page)

    # A model's labels, and what it was asked: in the box to try it, as a story, in the list of stories.
    console.open(f"/endpoints/{ENDPOINT}")
    page.locator("textarea[name=text]").fill(SHAPES[1])
    page.get_by_role("button", name="Ask the model").click()
    expect(page.locator("#answer .guesses li").first).to_contain_text(SHAPES[0], timeout=60_000)
    stir(page)
    console.open("/?outcome=answered")
    expect(page.locator("li.story").first).to_contain_text(SHAPES[0], timeout=30_000)
    stir(page)
    page.locator("li.story .cover").first.click()
    expect(page.locator(".guesses li").first).to_contain_text(SHAPES[0])
    stir(page)

    # Names of APIs, and the story of what one was asked.
    for name in (SHAPES[3], SHAPES[4]):
        console.open("/apis")
        page.get_by_role("link", name=name, exact=True).click()
        expect(page.locator("h1")).to_have_text(name)
        stir(page)
    page.get_by_role("link", name="GET $default").click()
    expect(page.locator("h1")).not_to_have_text(SHAPES[4])
    stir(page)

    assert unseen(asked_for) == ["/buckets/{name}/link", "/endpoints-allowed", "/object"]

    # Strangers' HTML is saved, not shown, and has no origin.
    address = f"{console.instance.url}/_alight/console/object?bucket={BUCKET}&key={quote(KEYS[0], safe='')}"
    headers = page.request.get(address).headers
    assert headers["content-disposition"].startswith("attachment; ")
    assert headers["content-type"] == "application/octet-stream"
    assert headers["content-security-policy"].startswith("sandbox;")
    assert headers["x-content-type-options"] == "nosniff"
