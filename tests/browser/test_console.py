"""The console's first pages: getting in, new stories without reload, one story with all that belongs to it."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.console import HOME, Console, opened
from tests.support import Instance, start_alight, sweep
from tests.walk.conftest import EXAMPLE, PICTURES

pytestmark = pytest.mark.tool("chromium")


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    running = start_alight(tmp_path_factory.mktemp("console") / "data", EXAMPLE, timeout=90)
    yield running
    running.stop()
    sweep(running.process)
    sweep(running.process)


@pytest.fixture
def console(instance: Instance, browser: Browser) -> Iterator[Console]:
    with opened(instance, browser) as made:
        yield made


def put(instance: Instance, key: str, name: str = "duck.jpg") -> None:
    bucket = instance.json("outputs")["BucketName"]
    instance.client("s3").put_object(Bucket=bucket, Key=key, Body=PICTURES[name])


@pytest.mark.timeout(180)
def test_a_picture_arrives_with_its_prediction_and_its_alert(console: Console) -> None:
    page = console.page
    expect(page.locator("#line")).to_have_text("live")
    put(console.instance, "birds/new one.jpg")
    row = page.locator("li.story", has_text="birds/new one.jpg")
    expect(row).to_contain_text("Drake", timeout=60_000)
    expect(row).to_contain_text("Bird [birds/new one.jpg] is a: Drake(0.96)")
    expect(row).to_contain_text("sms +12025550123: held")
    expect(row.locator(".state")).to_have_text("succeeded")
    console.until("[...document.querySelectorAll('li.story img')].every(one => one.naturalWidth === 160)")
    console.check()
    console.shoot("now")

    row.locator(".cover").click()
    expect(page.locator("h1")).to_have_text("birds/new one.jpg")
    expect(page.locator(".guesses li").first).to_contain_text("Drake")
    expect(page.locator(".guesses li")).to_have_count(5)
    for step in (
        "ObjectCreated:Put, stored",
        "waits for a worker",
        "s3 GetObject",
        "sagemaker-runtime InvokeEndpoint",
        "sns Publish",
        "message to sms: held",
    ):
        expect(page.locator(".timeline")).to_contain_text(step)
    expect(page.locator(".log")).to_contain_text("msg: Bird [birds/new one.jpg] is a: Drake(0.96)")
    page.get_by_text("Request and answer").click()
    bodies = page.locator("details", has_text="Request and answer")
    expect(bodies).to_contain_text("The request is no text: it is the picture above.")
    assert max(json.loads(bodies.locator("pre").inner_text())) > 0.9
    assert_to_scale(page)
    console.until("document.querySelector('img.large').naturalWidth > 160")
    console.check()
    console.shoot("story")
    address = page.url
    assert copied(page, "Copy CLI command") == f"alight explain {address.rpartition('/')[2]}"
    record = json.loads(copied(page, "Copy event JSON"))["Records"][0]
    assert record["s3"]["object"]["key"] == "birds/new+one.jpg"
    with page.expect_popup() as opening:
        page.get_by_role("button", name="Open picture").click()
    opening.value.wait_for_load_state()
    assert opening.value.evaluate("document.contentType") == "image/jpeg"
    page.get_by_role("button", name="Run again").click()
    page.wait_for_url(lambda url: url != address)
    expect(page.locator("h1")).to_have_text("birds/new one.jpg")


def assert_to_scale(page: Page) -> None:
    """Each bar of the timeline begins, and is as long, as its times say."""
    bars = page.evaluate(
        """() => [...document.querySelectorAll('.timeline li')].map((one) => {
            const { x, width } = one.querySelector('rect');
            return [one.querySelector('.span').textContent, x.baseVal.value, width.baseVal.value];
        })"""
    )
    times = [[seconds(part) for part in text.lstrip("+").split(", ")] for text, _, _ in bars]
    whole = max(sum(one) for one in times)
    for (_, x, width), (start, *took) in zip(bars, times, strict=True):
        assert abs(x - start / whole * 1000) < 12
        assert abs(width - max(sum(took) / whole * 1000, 3)) < 12


def seconds(text: str) -> float:
    number, unit = text.split(" ")
    return float(number) * {"ms": 0.001, "s": 1}[unit]


def copied(page: Page, button: str) -> str:
    """What a button puts into the clipboard."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate("document.getElementById('said').textContent = ''")
    page.get_by_role("button", name=button).click()
    expect(page.locator("#said")).to_have_text("Copied.")
    return str(page.evaluate("navigator.clipboard.readText()"))


@pytest.mark.timeout(120)
def test_a_list_that_is_stopped_stays_and_then_shows_what_it_missed(console: Console) -> None:
    page = console.page
    expect(page.locator("#line")).to_have_text("live")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#line")).to_have_text("paused")
    put(console.instance, "birds/missed.jpg")
    other = console.browser.new_page(storage_state=page.context.storage_state())
    other.goto(f"{console.instance.url}{HOME}/")
    expect(other.locator("li.story", has_text="birds/missed.jpg").locator(".state")).to_have_text(
        "succeeded", timeout=60_000
    )
    expect(page.locator("li.story", has_text="birds/missed.jpg")).to_have_count(0)
    page.get_by_role("button", name="Go on").click()
    expect(page.locator("li.story", has_text="birds/missed.jpg")).to_contain_text("Drake")
    expect(page.locator("#line")).to_have_text("live")


@pytest.mark.timeout(120)
def test_filters_leave_out_what_does_not_fit(console: Console) -> None:
    put(console.instance, "birds/filter.jpg", "toucan.jpg")
    page = console.page
    expect(page.locator("li.story", has_text="birds/filter.jpg")).to_contain_text("Toucan", timeout=60_000)
    for query, there in (
        ("?label=Toucan", True), ("?label=Drake", False), ("?least=50", True), ("?least=99", False),
        ("?outcome=succeeded", True), ("?outcome=dead", False), ("?function=nobody", False),
        ("?until=2001-01-01T00:00", False), ("?since=2001-01-01T00:00", True), ("?since=2999-01-01T00:00", False),
        ("?label=Toucan&since=2001-01-01T00:00&until=2999-01-01T00:00", True),
        ("?label=Toucan&since=2999-01-01T00:00", False),
    ):  # fmt: skip
        console.open(f"/{query}")
        expect(page.locator("li.story", has_text="birds/filter.jpg")).to_have_count(int(there))


def test_the_date_field_speaks_of_the_readers_zone(console: Console) -> None:
    far = console.browser.new_page(timezone_id="Pacific/Auckland", storage_state=console.page.context.storage_state())
    far.goto(f"{console.instance.url}{HOME}/")
    far.get_by_label("Until").fill("2026-01-02T03:04")
    far.get_by_role("button", name="Show").click()
    far.wait_for_url(lambda url: "until=2026-01-01T14%3A04%3A00.000Z" in url)
    assert far.get_by_label("Until").input_value() == "2026-01-02T03:04"


def test_nobody_gets_in_without_a_link(instance: Instance, console: Console) -> None:
    stranger = console.browser.new_page()
    stranger.goto(f"{instance.url}{HOME}/")
    expect(stranger.locator("h1")).to_have_text("Log in")
    expect(stranger.locator("main")).to_contain_text("alight console")
    replace(console, page=stranger).check()
    replace(console, page=stranger).shoot("login")
    used = instance.json("console")["url"]
    stranger.goto(used)
    stranger.wait_for_url(f"{instance.url}{HOME}/")
    other = console.browser.new_page()
    other.goto(used)
    expect(other.get_by_role("alert")).to_have_text("This link was used already, or is too old.")
    cookies = stranger.context.cookies()
    assert [(one["name"], one["httpOnly"], one["sameSite"], one["path"]) for one in cookies] == [
        ("alight_console", True, "Strict", HOME)
    ]


def ask(instance: Instance, method: str, path: str, **headers: str) -> tuple[int, dict[str, str]]:
    request = urllib.request.Request(f"{instance.url}{HOME}{path}", method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, {name.lower(): value for name, value in answer.headers.items()}
    except urllib.error.HTTPError as error:
        return error.code, {name.lower(): value for name, value in error.headers.items()}


def test_a_form_without_the_sessions_token_changes_nothing(instance: Instance, console: Console) -> None:
    cookie = "; ".join(f"{one['name']}={one['value']}" for one in console.page.context.cookies())
    assert ask(instance, "POST", "/stories/x/replay")[0] == 401
    assert ask(instance, "POST", "/stories/x/replay", Cookie=cookie)[0] == 403
    token = console.page.locator('meta[name="csrf-token"]').get_attribute("content") or ""
    assert ask(instance, "POST", "/stories/x/replay", Cookie=cookie, **{"X-CSRF-Token": token})[0] == 400
    foreign = {"X-CSRF-Token": token, "Origin": "http://evil.example"}
    assert ask(instance, "POST", "/stories/x/replay", Cookie=cookie, **foreign)[0] == 403
    assert ask(instance, "GET", "/thumbnail?bucket=b&key=k")[0] == 401
    assert ask(instance, "GET", "/stream")[0] == 401


def test_every_answer_forbids_what_pages_do_not_need(instance: Instance, console: Console) -> None:
    cookie = "; ".join(f"{one['name']}={one['value']}" for one in console.page.context.cookies())
    for path in ("/", "/login", "/static/alight.js", "/stories/none", "/none"):
        _, headers = ask(instance, "GET", path, Cookie=cookie, Accept="text/html")
        policy = headers["content-security-policy"]
        assert "unsafe" not in policy
        assert re.search(r"default-src 'none'.*script-src 'self'.*frame-ancestors 'none'", policy)
        assert headers["x-content-type-options"] == "nosniff"
