"""The bird lab's fourth and sixth steps by clicks alone: a function that a bucket wakes, and a phone that is told.

Only what the instructor prepares is done by calls: the role, and (by the template) the model's endpoint.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.console import Console, opened
from tests.support import start_alight, sweep
from tests.walk.conftest import EXAMPLE, PICTURES

pytestmark = [pytest.mark.tool("chromium"), pytest.mark.timeout(240)]

FUNCTION = "IdentifySpeciesAndNotify01-01"
TOPIC = "deeplens-sagemaker-birdpic-arrived01"
BUCKET = "deeplens-sagemaker-20180928-somebody"
ROLE = "deeplens-workshop-lambda-role"
POLICIES = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": ["s3:GetObject", "sagemaker:*", "sns:Publish", "logs:*"], "Resource": "*"}
    ],
}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Console]:
    folder = tmp_path_factory.mktemp("lab")
    running = start_alight(folder / "data", EXAMPLE, timeout=90)
    iam = running.client("iam")
    iam.create_role(Path="/service-role/", RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.put_role_policy(RoleName=ROLE, PolicyName="workshop", PolicyDocument=json.dumps(POLICIES))
    with opened(running, browser) as made:
        yield made
    running.stop()
    sweep(running.process)


def go(page: Page, name: str) -> None:
    page.get_by_role("navigation", name="Pages").get_by_role("link", name=name, exact=True).click()


def set_variable(page: Page, name: str, value: str) -> None:
    page.get_by_label("Name of a new variable").fill(name)
    page.get_by_label("Value of the new variable").fill(value)
    with page.expect_navigation():
        page.get_by_role("button", name="Save environment").click()


def upload(page: Page, key: str) -> None:
    """By the bucket's page, into the folder of the key."""
    folder, _, name = key.rpartition("/")
    go(page, "Buckets")
    page.get_by_role("link", name=BUCKET).click()
    if page.get_by_role("link", name=f"{folder}/").count() == 0:
        page.get_by_label("New folder").fill(f"{folder}/")
        page.get_by_role("button", name="Open folder").click()
    else:
        page.get_by_role("link", name=f"{folder}/").click()
    page.wait_for_url(lambda url: "prefix=" in url)
    with page.expect_navigation():
        page.set_input_files("input[type=file]", {"name": name, "mimeType": "image/jpeg", "buffer": PICTURES[name]})
    expect(page.locator("tbody")).to_contain_text(name)


def open_function(page: Page) -> None:
    go(page, "Functions")
    page.get_by_role("link", name=FUNCTION).click()


def test_a_student_clicks_from_the_bucket_to_the_phone(console: Console) -> None:
    page, endpoint = console.page, console.instance.json("outputs")["EndpointName"]
    go(page, "Buckets")
    page.get_by_label("Name", exact=True).fill(BUCKET)
    page.get_by_role("button", name="Create bucket").click()
    page.wait_for_url(lambda url: url.endswith(BUCKET))

    # Step 3's end: an endpoint from a package (the role may read buckets with "sagemaker" in their names, as on AWS).
    go(page, "Endpoints")
    page.get_by_label("Name", exact=True).fill("uploaded")
    page.locator("select[name=bucket]").select_option(BUCKET)
    page.set_input_files("form[data-package] input[type=file]", EXAMPLE / "model.tar.gz")
    page.get_by_role("button", name="Create endpoint").click()
    page.wait_for_url(lambda url: url.endswith("/endpoints/uploaded"))

    # Step 4: the function from a blueprint with a role that is there; its trigger; its setting.
    go(page, "Functions")
    page.get_by_label("Name", exact=True).fill(FUNCTION)
    page.locator("select[name=blueprint]").select_option("birds")
    page.locator("select[name=role]").select_option(label=ROLE)
    page.get_by_role("button", name="Create function").click()
    page.wait_for_url(lambda url: url.endswith(FUNCTION))
    page.get_by_text("Add a trigger of a bucket").click()
    page.locator("select[name=bucket]").select_option(BUCKET)
    page.locator("select[name=event]").select_option("s3:ObjectCreated:*")
    page.get_by_label("Prefix").fill("birds/")
    page.get_by_label("Suffix").fill(".jpg")
    with page.expect_navigation():
        page.get_by_role("button", name="Add trigger").click()
    expect(page.locator("table", has_text=BUCKET)).to_contain_text("s3:ObjectCreated:*, prefix birds/ suffix .jpg")
    set_variable(page, "SAGEMAKER_ENDPOINT_NAME", endpoint)

    upload(page, "birds/toucan.jpg")
    go(page, "Now")
    row = page.locator("li.story", has_text="birds/toucan.jpg")
    expect(row).to_contain_text("Toucan", timeout=60_000)
    expect(row.locator(".state")).to_have_text("succeeded", timeout=60_000)
    open_function(page)
    log = page.locator("[data-log]")
    for line in (
        "START RequestId",
        "KEY: birds/toucan.jpg",
        "CONTENT TYPE: image/jpeg",
        "msg: Bird [birds/toucan.jpg]",
    ):
        expect(log).to_contain_text(line, timeout=30_000)
    expect(page.locator("figure", has_text="Invocations").locator("canvas")).to_be_visible(timeout=30_000)

    # Step 6: the topic, the phone, a message to try it; then the function is told of the topic.
    go(page, "Topics")
    page.get_by_label("Name", exact=True).fill(TOPIC)
    page.get_by_label("Display name").fill("birds")
    page.get_by_role("button", name="Create topic").click()
    page.wait_for_url(lambda url: url.endswith(TOPIC))
    arn = page.locator("#arn").inner_text()
    page.locator("select[name=protocol]").select_option("sms")
    page.get_by_label("Endpoint").fill("+16035551212")
    with page.expect_navigation():
        page.get_by_role("button", name="Subscribe").click()
    page.get_by_label("Subject").fill("Hello world")
    page.get_by_label("Message", exact=True).fill("Machine learning is fun!")
    page.get_by_role("button", name="Publish").click()
    page.wait_for_url(lambda url: url.endswith("/outbox"))
    phone = page.locator(".phone", has_text="+16035551212")
    expect(phone).to_contain_text("birds> Machine learning is fun!")

    open_function(page)
    set_variable(page, "SNS_TOPIC_ARN", arn)
    page.get_by_label("Description").fill("tells the phone")
    with page.expect_navigation():
        page.get_by_role("button", name="Publish new version").click()
    expect(page.locator("tr", has_text="tells the phone")).to_contain_text("1")
    upload(page, "birds/magpie.jpg")
    go(page, "Now")
    expect(page.locator("li.story", has_text="birds/magpie.jpg")).to_contain_text("sms +16035551212", timeout=60_000)
    go(page, "Outbox")
    expect(phone).to_contain_text("birds> Bird [birds/magpie.jpg] may be a: Magpie(")
    console.check()
