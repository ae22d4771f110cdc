"""Each page's main task, by clicks alone; two of them by the keyboard alone."""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.console import Console, opened
from tests.support import Instance, eventually, start_alight, sweep
from tests.walk.conftest import EXAMPLE

pytestmark = [pytest.mark.tool("chromium"), pytest.mark.timeout(240)]

PICTURE = EXAMPLE / "pictures" / "toucan.jpg"


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
def console(instance: Instance, tmp_path: Path) -> Iterator[Console]:
    with opened(instance, tmp_path / "screenshots") as made:
        yield made


def test_a_dropped_picture_tells_its_story(console: Console) -> None:
    page, bucket = console.page, console.instance.json("outputs")["BucketName"]
    console.open("/buckets")
    page.get_by_role("link", name=bucket).click()
    console.open(f"/buckets/{bucket}?prefix=birds/")
    dropped = page.evaluate_handle(
        """([name, text]) => {
            const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
            const carried = new DataTransfer();
            carried.items.add(new File([bytes], name, { type: "image/jpeg" }));
            return carried;
        }""",
        [PICTURE.name, base64.b64encode(PICTURE.read_bytes()).decode()],
    )
    with page.expect_navigation():
        page.dispatch_event("[data-drop]", "drop", {"dataTransfer": dropped})
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
    console.check()
    console.shoot("code")
    page.get_by_role("link", name="Back to the function").click()
    page.get_by_role("button", name="Test", exact=True).click()
    expect(page.locator("#tested")).to_contain_text("changed by hand", timeout=60_000)
    expect(page.locator("table", has_text="$LATEST")).to_contain_text("1")

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


def test_an_endpoint_is_asked_and_one_is_made(console: Console) -> None:
    page, name = console.page, console.instance.json("outputs")["EndpointName"]
    console.open("/endpoints")
    console.check()
    console.shoot("endpoints")
    page.get_by_role("link", name=name).click()
    page.set_input_files("form[data-try] input[type=file]", PICTURE)
    page.get_by_role("button", name="Ask the model").click()
    expect(page.locator("#answer .guesses li").first).to_contain_text("Toucan", timeout=60_000)
    expect(page.locator("#answer pre")).to_contain_text("[")
    console.check()
    console.shoot("endpoint")
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
    page.get_by_label("Name", exact=True).fill("arrivals")
    page.get_by_role("button", name="Create topic").click()
    page.wait_for_url(lambda url: url.endswith("/topics/arrivals"))
    page.get_by_label("Endpoint").fill("+16035551212")
    with page.expect_navigation():
        page.get_by_role("button", name="Subscribe").click()
    expect(page.locator("table")).to_contain_text("+16035551212")
    console.check()
    console.shoot("topic")
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
    expect(page.locator("#kept")).to_contain_text("Everything is as it was written", timeout=60_000)
    assert (tmp_path / "copy" / "backup.json").exists()
    page.get_by_role("button", name="Verify all data").click()
    expect(page.locator("#kept")).to_contain_text("verified", timeout=60_000)
    console.check()
    console.shoot("system")


def test_an_error_is_told_and_nothing_is_lost(console: Console) -> None:
    page = console.page
    console.open("/topics/nobodys")
    expect(page.locator("main")).to_contain_text("Topic does not exist")
    console.open("/buckets")
    page.get_by_label("Name").fill("a..b")
    page.get_by_role("button", name="Create bucket").click()
    expect(page.locator("#said")).to_contain_text("InvalidBucketName")
    assert page.get_by_label("Name").input_value() == "a..b"
    console.wrongs.clear()


def test_the_keyboard_is_enough(console: Console) -> None:
    """A topic is made, and a message published, without a mouse."""
    page = console.page
    console.open("/topics")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the page"
    page.keyboard.press("Enter")
    page.get_by_label("Name", exact=True).focus()
    page.keyboard.type("typed")
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: url.endswith("/topics/typed"))
    page.get_by_label("Message", exact=True).focus()
    page.keyboard.type("by keys")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: url.endswith("/outbox"))


def test_the_keyboard_is_enough_for_a_test_of_a_function(console: Console) -> None:
    """A function is found in its list, its sample event is changed and sent, without a mouse."""
    page = console.page
    console.open("/functions")
    name = page.locator("tbody a").first.inner_text()
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == name:
            break
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: url.endswith(f"/functions/{name}"))
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "event":
            break
    page.keyboard.press("Control+A")
    page.keyboard.type('{"Records": []}')
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#tested")).to_contain_text("success", timeout=60_000)
