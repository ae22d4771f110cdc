"""Each page's main task, by clicks alone; two of them by the keyboard alone."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.console import Console, drop, opened
from tests.support import Instance, eventually, start_alight, sweep
from tests.walk.conftest import EXAMPLE

pytestmark = [pytest.mark.tool("chromium"), pytest.mark.timeout(240)]

PICTURE = EXAMPLE / "pictures" / "toucan.jpg"
#: How long the button that chooses a file takes for a change of its colours.
STILL = """(() => {
    const look = getComputedStyle(document.querySelector('input[type=file]'), '::file-selector-button');
    return look.transitionProperty === 'none' ? 'none' : look.transitionDuration;
})()"""
#: The first chart has a dozen pixels or more of the colour that its first line has in this scheme.
POINT = """() => {
    const canvas = document.querySelector('.charts canvas'), probe = document.createElement('canvas').getContext('2d');
    probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue('--ember');
    probe.fillRect(0, 0, 1, 1);
    const [red, green, blue] = probe.getImageData(0, 0, 1, 1).data;
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    let found = 0;
    for (let place = 0; place < data.length; place += 4)
        if (data[place] === red && data[place + 1] === green && data[place + 2] === blue) found += 1;
    return found >= 12;
}"""


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    running = start_alight(
        tmp_path_factory.mktemp("pages") / "data", EXAMPLE, timeout=90, ALIGHT_RETRY_DELAYS="0.1,0.1"
    )
    yield running
    running.stop()
    sweep(running.process)
    sweep(running.process)


@pytest.fixture
def console(instance: Instance, browser: Browser) -> Iterator[Console]:
    with opened(instance, browser) as made:
        yield made


def bar_values(console: Console) -> list[float]:
    """What bars of progress show from now on, in the order in which they do."""
    shown: list[float] = []
    console.page.expose_function("shown", lambda value: shown.append(value))
    console.page.evaluate(
        """() => {
            const own = Object.getOwnPropertyDescriptor(HTMLProgressElement.prototype, "value");
            const set = function (value) { window.shown(value); own.set.call(this, value); };
            Object.defineProperty(HTMLProgressElement.prototype, "value", { ...own, set });
        }"""
    )
    return shown


def test_a_dropped_picture_tells_its_story(console: Console) -> None:
    page, bucket = console.page, console.instance.json("outputs")["BucketName"]
    console.open("/buckets")
    console.check()
    console.shoot("buckets")
    page.get_by_role("link", name=bucket).click()
    console.open(f"/buckets/{bucket}?prefix=birds/")
    shown = bar_values(console)
    with page.expect_navigation():
        drop(console, "[data-drop]", PICTURE.name, PICTURE.read_bytes(), "image/jpeg")
    # Empty, then as far as it has gone, then full.
    size = PICTURE.stat().st_size
    assert shown == sorted(shown)
    assert (shown[0], shown[-2] > 0, shown[-1]) == (0, True, size)
    expect(page.locator("tbody")).to_contain_text("toucan.jpg")
    console.check()
    console.shoot("bucket")
    console.open("/")
    row = page.locator("li.story", has_text="birds/toucan.jpg")
    expect(row).to_contain_text("Toucan", timeout=60_000)
    console.open(f"/buckets/{bucket}?prefix=birds/")
    page.get_by_label("Choose birds/toucan.jpg").check()
    page.get_by_role("button", name="Run again").click()
    page.wait_for_url(lambda url: url.endswith("/console/"))
    expect(page.locator("li.story", has_text="birds/toucan.jpg")).to_have_count(2)
    console.open(f"/buckets/{bucket}/look?key=birds/toucan.jpg")
    console.check()
    console.shoot("object")
    console.open(f"/buckets/{bucket}?prefix=birds/")
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_label("Choose all").check()
    page.get_by_role("button", name="Delete").first.click()
    expect(page.locator(".empty")).to_contain_text("Nothing is here yet.")


def test_a_function_is_made_changed_and_tested(console: Console) -> None:
    page = console.page
    console.open("/functions")
    expect(page.locator("table")).to_contain_text("python3.11")
    console.check()
    console.shoot("functions")
    page.get_by_label("Name", exact=True).fill("greeter")
    page.locator("select[name=blueprint]").select_option("hello-world-python3")
    page.get_by_role("button", name="Create function").click()
    page.wait_for_url(lambda url: url.endswith("/functions/greeter"))
    page.get_by_role("button", name="Test", exact=True).click()
    expect(page.locator("#tested")).to_contain_text("hello", timeout=60_000)
    expect(page.locator("#tested")).to_contain_text('"key1": "value1"')
    expect(page.locator("[data-log]")).to_contain_text("START RequestId", timeout=30_000)
    page.wait_for_selector(".charts canvas, .charts p.muted")
    console.check()
    console.shoot("function")

    page.get_by_role("button", name="Code", exact=True).click()
    page.locator("textarea").fill('def lambda_handler(event, context):\n    return "changed by hand"\n')
    with page.expect_navigation():
        page.get_by_role("button", name="Save and publish").click()
    expect(page.locator("main [role=status]")).to_contain_text("published as version 1")
    console.check()
    console.shoot("code")
    page.get_by_role("link", name="Back to the function").click()
    page.get_by_role("button", name="Test", exact=True).click()
    expect(page.locator("#tested")).to_contain_text("changed by hand", timeout=60_000)
    expect(page.locator("table", has_text="$LATEST")).to_contain_text("1")
    for version in ("1", "$LATEST"):
        page.get_by_label("Alias", exact=True).fill("live")
        page.get_by_label("points at version").select_option(version)
        with page.expect_navigation():
            page.get_by_role("button", name="Set alias").click()
        expect(page.locator("tr", has=page.get_by_role("rowheader", name=version, exact=True))).to_contain_text("live")

    page.get_by_label("Name of a new variable").fill("API_TOKEN")
    page.get_by_label("Value of the new variable").fill("canary-in-the-page")
    with page.expect_navigation():
        page.get_by_role("button", name="Save environment").click()
    assert "canary-in-the-page" not in page.content()
    with page.expect_navigation():
        page.get_by_role("button", name="Save environment").click()
    functions = console.instance.client("lambda")
    kept = functions.get_function_configuration(FunctionName="greeter")["Environment"]["Variables"]
    assert kept == {"API_TOKEN": "canary-in-the-page"}

    page.get_by_text("Add a trigger of a bucket").click()
    page.get_by_label("Prefix").fill("greet/")
    with page.expect_navigation():
        page.get_by_role("button", name="Add trigger").click()
    expect(page.locator("table", has_text="S3")).to_contain_text("prefix greet/")
    bucket = console.instance.json("outputs")["BucketName"]
    console.instance.client("s3").put_object(Bucket=bucket, Key="greet/you.txt", Body=b"")
    console.open("/?function=greeter")
    expect(page.locator("li.story", has_text="greet/you.txt").locator(".state")).to_have_text(
        "succeeded", timeout=60_000
    )
    console.open("/functions/greeter")
    with page.expect_navigation():
        page.get_by_label(f"Remove the trigger of {bucket}").click()
    expect(page.locator("main")).to_contain_text("Nothing wakes it but a call.")
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Delete").click()
    page.wait_for_url(lambda url: url.endswith("/functions"))


def test_a_dead_letter_is_brought_back(console: Console) -> None:
    page, functions = console.page, console.instance.client("lambda")
    role = functions.list_functions()["Functions"][0]["Role"]
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", "def handler(event, context):\n    raise ValueError('a reason to give up')\n")
    functions.create_function(
        FunctionName="failing",
        Runtime="python3.11",
        Role=role,
        Handler="app.handler",
        Code={"ZipFile": code.getvalue()},
    )
    functions.invoke(FunctionName="failing", InvocationType="Event", Payload=b"{}")["Payload"].read()
    eventually(lambda: console.instance.json("status")["books"]["dead"] == 1, what="the end of the event")
    console.open("/dead-letters")
    expect(page.locator("tbody")).to_contain_text("a reason to give up")
    console.check()
    console.shoot("dead-letters")
    page.get_by_label("Choose all").check()
    page.get_by_role("button", name="Try what would happen").click()
    expect(page.locator("#would")).to_have_text("1 would be brought back, with all their attempts.")
    with page.expect_navigation():
        page.get_by_role("button", name="Redrive what is chosen").click()
    eventually(lambda: console.instance.json("status")["books"]["dead"] == 1, what="the second end")
    attempts = console.instance.json("events", "list", "--function", "failing")["events"][0]["attempts"]
    assert attempts == 3
    id = console.instance.json("events", "list", "--function", "failing")["events"][0]["id"]
    console.open(f"/stories/{id}")
    with page.expect_navigation():
        page.get_by_role("button", name="Redrive").click()
    eventually(lambda: len(console.instance.json("events", "show", id)["history"]) == 9, what="the third end")


def drawn(console: Console) -> bool:
    """Whether the one point of the first chart is seen, in the colour of the scheme, by day and by night; if not yet,
    the page is loaded again."""
    page = console.page
    for scheme in ("light", "dark", "light"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.wait_for_selector(".charts canvas, .charts p.muted")
        if not page.locator(".charts canvas").count():
            page.reload()
            return False
        console.until(POINT)
    return True


def test_an_endpoint_is_asked_and_one_is_made(console: Console) -> None:
    page, name = console.page, console.instance.json("outputs")["EndpointName"]
    console.open("/endpoints")
    console.check()
    console.shoot("endpoints")
    # Who wants no motion sees the button of a file change with the scheme at once, as all else does.
    page.emulate_media(reduced_motion="reduce")
    assert page.evaluate(STILL) in ("none", "0s")
    page.get_by_role("link", name=name).click()
    page.wait_for_url(lambda url: url.endswith(f"/endpoints/{name}"))
    page.set_input_files("form[data-try] input[type=file]", PICTURE)
    page.get_by_role("button", name="Ask the model").click()
    expect(page.locator("#answer .guesses li").first).to_contain_text("Toucan", timeout=60_000)
    expect(page.locator("#answer pre")).to_contain_text("[")
    console.check()
    console.shoot("endpoint")
    expect(page.locator("main button").last).to_have_text("Delete endpoint")
    page.reload()
    eventually(lambda: drawn(console), what="a chart with its one point")
    page.locator("input[name=weight]").fill("2")
    with page.expect_navigation():
        page.get_by_role("button", name="Change weights").click()
    sagemaker = console.instance.client("sagemaker")
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    assert sagemaker.describe_endpoint(EndpointName=name)["ProductionVariants"][0]["CurrentWeight"] == 2.0


def test_the_held_message_is_read_on_a_phone(console: Console) -> None:
    page = console.page
    console.open("/topics")
    console.check()
    console.shoot("topics")
    page.get_by_label("Name", exact=True).fill("arrivals")
    page.get_by_role("button", name="Create topic").click()
    page.wait_for_url(lambda url: url.endswith("/topics/arrivals"))
    page.get_by_label("Endpoint").fill("+16035551212")
    with page.expect_navigation():
        page.get_by_role("button", name="Subscribe").click()
    expect(page.locator("table")).to_contain_text("+16035551212")
    console.check()
    console.shoot("topic")
    expect(page.locator("main button").last).to_have_text("Delete topic")
    page.get_by_label("Message", exact=True).fill("Machine learning is fun!")
    page.get_by_role("button", name="Publish").click()
    page.wait_for_url(lambda url: url.endswith("/outbox"))
    expect(page.locator(".phone", has_text="+16035551212")).to_contain_text("Machine learning is fun!")
    console.check()
    console.shoot("outbox")


def test_an_api_is_made_for_a_function_and_tried(console: Console) -> None:
    page, functions = console.page, console.instance.client("lambda")
    name = functions.list_functions()["Functions"][0]["FunctionName"]
    console.open("/apis")
    console.check()
    console.shoot("apis")
    page.get_by_label("Name").fill("trial")
    page.get_by_label("Lambda function (proxy)").select_option(name)
    page.get_by_role("button", name="Create and deploy").click()
    page.wait_for_url(lambda url: "/apis/rest/" in url)
    page.get_by_label("Body").fill("{}")
    page.get_by_role("button", name="Send").click()
    # The birds' function wants a record of S3: API Gateway says so as it does.
    expect(page.locator("#answer")).to_contain_text("502", timeout=60_000)
    console.wrongs = [one for one in console.wrongs if "502" not in one]
    page.reload()
    expect(page.locator("table", has_text="Took")).to_contain_text("502", timeout=30_000)
    console.check()
    console.shoot("api")


def test_the_system_says_how_it_is(console: Console, tmp_path: Path) -> None:
    page = console.page
    console.open("/system")
    expect(page.locator("main")).to_contain_text("balanced")
    page.get_by_label("New folder").fill(str(tmp_path / "copy"))
    page.get_by_role("button", name="Back up").click()
    expect(page.locator("#backed")).to_contain_text("Everything is as it was written", timeout=60_000)
    assert (tmp_path / "copy" / "backup.json").exists()
    page.get_by_role("button", name="Verify all data").click()
    expect(page.locator("#verified")).to_contain_text("verified", timeout=60_000)
    # One answer does not take the other away; and the next visitor sees when and where it was.
    expect(page.locator("#backed")).to_contain_text("backed up to")
    page.reload()
    expect(page.locator("#backed")).to_contain_text(f"at {tmp_path / 'copy'}")
    expect(page.locator("#backed time[data-local]")).to_have_count(1)
    console.check()
    console.shoot("system")
    expect(page.locator("section[aria-labelledby=disk]")).to_contain_text(
        re.compile(r"B of [\d.,]+ [KMGT]i?B are free")
    )
    expect(page.locator("section[aria-labelledby=settings]")).to_contain_text(str(console.instance.data))


def test_an_error_is_told_and_nothing_is_lost(console: Console) -> None:
    page = console.page
    console.open("/topics/nobodys")
    expect(page.locator("main")).to_contain_text("Topic does not exist")
    console.wrongs.clear()
    console.check()
    console.shoot("error")
    console.open("/buckets")
    page.get_by_label("Name").fill("a..b")
    page.get_by_role("button", name="Create bucket").click()
    expect(page.locator("#said")).to_contain_text("InvalidBucketName")
    assert page.get_by_label("Name").input_value() == "a..b"
    console.wrongs.clear()


def test_the_keyboard_is_enough(console: Console) -> None:
    """A topic is found in the menu, made, and a message published, without a mouse."""
    page = console.page
    console.tab_to(page.get_by_role("link", name="Topics"))
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: url.endswith("/topics"))
    skip = page.get_by_role("link", name="Skip to the page")
    console.tab_to(skip)
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    console.tab_to(page.get_by_label("Name", exact=True))
    page.keyboard.type("typed")
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: url.endswith("/topics/typed"))
    console.tab_to(page.get_by_label("Message", exact=True))
    page.keyboard.type("by keys")
    console.tab_to(page.get_by_role("button", name="Publish"))
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: url.endswith("/outbox"))


def test_on_a_phone_the_keyboard_goes_as_the_eye_does(console: Console) -> None:
    """Through the head of a page: from left to right, line by line."""
    page = console.page
    page.set_viewport_size({"width": 390, "height": 844})
    console.open("/system")
    page.keyboard.press("Tab")
    seen: list[tuple[float, float]] = []
    while True:
        page.keyboard.press("Tab")
        stop = page.evaluate(
            """() => { const one = document.activeElement, { bottom, left } = one.getBoundingClientRect();
            return one.closest('header.top') ? [bottom, left] : null }"""
        )
        if stop is None:
            break
        seen.append(tuple(stop))
    assert len(seen) == 12
    for (bottom, left), (next_bottom, next_left) in pairwise(seen):
        assert next_bottom > bottom + 8 or next_left > left, seen
        assert next_bottom > bottom - 8, seen


def test_the_keyboard_is_enough_for_a_test_of_a_function(console: Console) -> None:
    """A function is found in its list, its sample event is changed and sent, without a mouse."""
    page = console.page
    console.open("/functions")
    first = page.locator("tbody a").first
    name = first.inner_text()
    console.tab_to(first)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: url.endswith(f"/functions/{name}"))
    console.tab_to(page.locator("#event"))
    page.keyboard.press("Control+A")
    page.keyboard.type('{"Records": []}')
    console.tab_to(page.get_by_role("button", name="Test", exact=True))
    page.keyboard.press("Enter")
    expect(page.locator("#tested")).to_contain_text("success", timeout=60_000)
