"""What stands on pages beside their main task: when and why, what leads where, what else is changed by clicks."""

from __future__ import annotations

import json
import shlex
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.console import Console, drop, opened
from tests.loaded import Loaded
from tests.support import clean_environment, eventually, start_alight, sweep
from tests.walk.making import books, make_endpoint, make_function, make_role

pytestmark = [pytest.mark.tool("chromium"), pytest.mark.timeout(240)]

#: Publishes when an event wakes it; answers an API in any case.
TELLER = """
import os

def handler(event, context):
    if "tell" in event:
        import boto3
        given = {"Subject": "Seen", "Message": event["tell"]}
        if event["tell"].startswith("{"):
            given["MessageStructure"] = "json"
        boto3.client("sns").publish(TopicArn=os.environ["TOPIC"], **given)
    return {"statusCode": 200, "body": "teller heard " + str(event.get("path") or event.get("rawPath"))}
"""
#: A number for each row that it is asked; a sentence where it is asked in words.
ECHO = """
def model_fn(folder):
    return None

def input_fn(body, content_type):
    return body.decode() if isinstance(body, bytes) else body, content_type

def predict_fn(given, model):
    return given

def output_fn(given, accept):
    text, content_type = given
    if content_type == "text/csv":
        return "\\n".join(f"0.{len(line)},{len(line)}" for line in text.splitlines()), "text/csv"
    return "It is a long story that begins with " + text + " and does not end " + "soon " * 60, "text/plain"
"""
ACCOUNT = "000000000000"


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Console]:
    folder = tmp_path_factory.mktemp("details")
    running = start_alight(folder / "data", ALIGHT_WEBHOOK_ALLOW="127.0.0.1")
    make_role(running)
    topic = running.client("sns").create_topic(Name="seen")["TopicArn"]
    running.client("sns").subscribe(TopicArn=topic, Protocol="sms", Endpoint="+12025550123")
    make_function(running, "teller", TELLER, TOPIC=topic)
    with opened(running, browser) as made:
        made.page.set_default_timeout(15_000)
        yield made
    running.stop()
    sweep(running.process)


def told(console: Console, text: str) -> str:
    """The id of an event of the teller, once it is over; without a text, it tells nobody."""
    given = json.dumps({"tell": text} if text else {}).encode()
    answer = console.instance.client("lambda").invoke(FunctionName="teller", InvocationType="Event", Payload=given)
    answer["Payload"].read()
    eventually(lambda: (found := books(console.instance))["accepted"] == found["succeeded"], what="the run")
    return str(answer["ResponseMetadata"]["RequestId"])


def test_a_topic_shows_what_was_published_and_leads_to_its_story(console: Console) -> None:
    page = console.page
    told(console, "a jay on the fence")
    console.instance.client("sns").publish(TopicArn=f"arn:aws:sns:us-east-1:{ACCOUNT}:seen", Message="by hand")
    console.open("/topics/seen")
    seen = page.locator("tbody tr", has_text="a jay on the fence")
    expect(seen).to_contain_text("Seen")
    expect(seen).to_contain_text("held 1")
    expect(page.locator("tbody tr", has_text="by hand")).to_contain_text("by a call")
    console.check()
    seen.get_by_role("link", name="Story").click()
    page.wait_for_url(lambda url: "/stories/" in url)
    expect(page.locator("article.message")).to_contain_text("a jay on the fence")


def test_a_text_for_each_protocol_is_shown_as_it_is_read(console: Console) -> None:
    page = console.page
    id = told(console, json.dumps({"default": "a rook for all", "sms": "a rook for phones"}))
    console.open(f"/stories/{id}")
    expect(page.locator("article.message pre")).to_have_text("a rook for phones")
    console.open("/")
    expect(page.locator(f"#story-{id} .told")).to_contain_text("a rook for phones")
    console.open("/outbox")
    expect(page.locator("tbody tr", has_text="a rook").locator("td").nth(4)).to_have_text("a rook for phones")
    console.open("/topics/seen")
    expect(page.locator("tbody tr", has_text="a rook").locator("td").nth(1)).to_have_text("Seen a rook for all")


def test_the_outbox_says_when_and_why(console: Console) -> None:
    page, sns = console.page, console.instance.client("sns")
    topic = sns.create_topic(Name="troubled")["TopicArn"]
    queue = console.instance.client("sqs").create_queue(QueueName="closed")["QueueUrl"].rpartition("/")[2]
    arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{queue}"
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint="http://127.0.0.1:9/nobody")
    sns.publish(TopicArn=topic, Message="nobody may have this")
    told(console, "a wren on the roof")
    eventually(lambda: console.instance.json("outbox", "--state", "dead")["deliveries"], what="the dead delivery")

    def tried() -> bool:
        found = console.instance.json("outbox")["deliveries"]
        return any(one["protocol"] == "http" and one["attempts"] and one["state"] == "ready" for one in found)

    eventually(tried, what="the first attempt at the webhook")
    console.open("/outbox")
    dead = page.locator("tbody tr", has_text=arn)
    expect(dead).to_contain_text("given up")
    expect(dead).to_contain_text("it was refused, and would be again")
    waiting = page.locator("tbody tr", has_text="http://127.0.0.1:9/nobody")
    expect(waiting).to_contain_text("next attempt")
    expect(waiting.locator("td.why time[data-local]")).to_have_count(1)
    expect(page.locator("tbody tr", has_text="a wren on the roof")).to_contain_text("set ALIGHT_SMS_URL")
    page.locator("tbody tr", has_text="a wren on the roof").get_by_role("link").click()
    page.wait_for_url(lambda url: "/stories/" in url)


def test_the_outbox_goes_on_past_a_thousand(console: Console) -> None:
    page, sns, instance = console.page, console.instance.client("sns"), console.instance
    topic = sns.create_topic(Name="crowd")["TopicArn"]
    for number in range(50):
        sns.subscribe(TopicArn=topic, Protocol="sms", Endpoint=f"+1202555{number:04}")
    for start in range(0, 21, 7):
        entries = [{"Id": str(one), "Message": f"call {one:03}"} for one in range(start, start + 7)]
        sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
    everything = instance.json("outbox", "--limit", "5000")
    ids = [one["id"] for one in everything["deliveries"]]
    assert len(ids) >= 1050
    assert ids == sorted(set(ids), reverse=True)
    assert everything["next"] is None
    first = instance.json("outbox", "--limit", "1020")
    rest = instance.json("outbox", "--limit", "5000", "--before", str(first["next"]))
    assert [one["id"] for one in first["deliveries"] + rest["deliveries"]] == ids
    wrong = instance.alight("outbox", "--state", "lost")
    assert (wrong.returncode, "lost is not a state of a delivery" in wrong.stderr) == (1, True)
    console.open(f"/outbox?before={ids[1000]}")
    shown = page.locator("#deliveries ~ form tbody tr")
    expect(shown).to_have_count(50 if len(ids) >= 1051 else len(ids) - 1001)
    page.get_by_role("button", name="Newest").click()
    expect(page.locator("tbody")).to_contain_text("call 020")
    page.get_by_role("button", name="Older").click()
    page.wait_for_url(lambda url: f"before={ids[49]}" in url)
    console.open("/topics/crowd")
    expect(page.locator("tbody tr", has_text="call 000")).to_contain_text("held 50")


def test_a_functions_settings_are_changed_by_clicks(console: Console) -> None:
    page, functions = console.page, console.instance.client("lambda")
    make_function(console.instance, "changed", TELLER, TOPIC="somewhere", OLD="value", API_TOKEN="canary")
    console.open("/functions/changed")
    page.get_by_label("Timeout, seconds").fill("77")
    page.get_by_label("Memory, MB").fill("512")
    page.get_by_label("What it is for").fill("tells")
    with page.expect_navigation():
        page.get_by_role("button", name="Save configuration").click()
    assert page.get_by_label("Timeout, seconds").input_value() == "77"
    page.get_by_label("Value of TOPIC").fill("elsewhere")
    page.locator(".pairrow", has=page.get_by_label("Value of OLD")).get_by_label("Name", exact=True).fill("")
    page.get_by_label("Name of a new variable").fill("NEW")
    page.get_by_label("Value of the new variable").fill("made by clicks")
    with page.expect_navigation():
        page.get_by_role("button", name="Save environment").click()
    known = functions.get_function_configuration(FunctionName="changed")
    assert (known["Timeout"], known["MemorySize"], known["Description"]) == (77, 512, "tells")
    assert known["Environment"]["Variables"] == {
        "TOPIC": "elsewhere", "API_TOKEN": "canary", "NEW": "made by clicks"
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["rest", "http"])
def test_a_route_is_added_to_an_api_that_is_there(console: Console, kind: str) -> None:
    page = console.page
    if kind == "rest":
        id, twin = (console.instance.client("apigateway").create_rest_api(name="there")["id"] for _ in range(2))
    else:
        http = console.instance.client("apigatewayv2")
        id, twin = (http.create_api(Name="there too", ProtocolType="HTTP")["ApiId"] for _ in range(2))
    console.open(f"/apis/{kind}/{id}")
    page.get_by_label("Method of the route").select_option("GET")
    page.get_by_label("Path", exact=True).fill("/birds/{name}")
    page.get_by_label("Lambda function (proxy)").select_option("teller")
    with page.expect_navigation():
        page.get_by_role("button", name="Add and deploy").click()
    route = page.locator("tbody tr", has_text="/birds/{name}")
    expect(route).to_contain_text("GET")
    expect(route).to_contain_text("teller")
    page.locator("form[data-call] select[name=method]").select_option("GET")
    page.get_by_label("Path and query").fill("/birds/jay")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#answer")).to_contain_text("200 in", timeout=60_000)
    expect(page.locator("#answer")).to_contain_text("teller heard")
    page.reload()
    expect(page.locator("table", has_text="Took")).to_contain_text("GET /birds/{name}", timeout=30_000)
    with page.expect_navigation():
        page.get_by_role("button", name="Deploy", exact=True).click()
    # The same once more is refused as AWS refuses it, and the route stays.
    page.get_by_label("Method of the route").select_option("GET")
    page.get_by_label("Path", exact=True).fill("/birds/{name}")
    page.get_by_role("button", name="Add and deploy").click()
    expect(page.locator("#said")).to_contain_text("ConflictException")
    console.wrongs.clear()
    # What another API of this name was asked is not shown as this one's.
    console.open(f"/apis/{kind}/{twin}")
    expect(page.locator("main")).to_contain_text("Nobody has asked yet.")


def test_an_endpoint_is_watched_and_read(console: Console) -> None:
    page, sagemaker = console.page, console.instance.client("sagemaker")
    make_endpoint(console.instance, "echo", ECHO, 1)
    variant = {"VariantName": "all", "ModelName": "echo", "InitialInstanceCount": 1, "InstanceType": "ml.t2.medium"}
    sagemaker.create_endpoint_config(
        EndpointConfigName="captured",
        ProductionVariants=[variant],
        DataCaptureConfig={
            "EnableCapture": True, "InitialSamplingPercentage": 100, "DestinationS3Uri": "s3://models/kept",
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        },
        ShadowProductionVariants=[variant | {"VariantName": "next"}],
    )  # fmt: skip
    sagemaker.update_endpoint(EndpointName="echo", EndpointConfigName="captured")
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName="echo", WaiterConfig={"Delay": 1})
    console.open("/endpoints/echo")
    cells = page.locator("table", has_text="Replicas running").locator("tbody td")
    assert int(cells.nth(1).inner_text()) >= 1
    expect(page.locator("main")).to_contain_text("Nothing was captured yet.")
    page.get_by_label("or text, CSV, JSON").fill("five,5\nsix,66")
    page.get_by_role("button", name="Ask the model").click()
    rows = page.locator("#answer tbody tr")
    expect(rows).to_have_count(2, timeout=60_000)
    expect(rows.nth(1)).to_contain_text("0.6")
    page.get_by_label("Content type").fill("text/plain")
    page.get_by_label("or text, CSV, JSON").fill("a jay")
    page.get_by_role("button", name="Ask the model").click()
    expect(page.locator("#answer blockquote")).to_contain_text("It is a long story that begins with a jay")
    s3 = console.instance.client("s3")
    eventually(lambda: s3.list_objects_v2(Bucket="models", Prefix="kept/").get("Contents"), what="the captured data")
    # The shadow is the same model: what its meter says to who does not see it. It is compared behind the answer.
    alike = page.locator("section[aria-labelledby=shadows]").get_by_role("img", name="100 % of answers alike")

    def compared() -> bool:
        page.reload()
        return alike.count() == 1

    eventually(compared, what="the comparison with the shadow")
    expect(page.locator("figure", has_text="Throughput").locator("canvas")).to_be_visible()
    page.locator("form[data-try] textarea").fill("")
    drop(console, "[data-drop-here]", "wren.txt", b"a wren", "text/plain")
    page.get_by_role("button", name="Ask the model").click()
    expect(page.locator("#answer blockquote")).to_contain_text("It is a long story that begins with a wren")
    captured_data_is_read(console)


def captured_data_is_read(console: Console) -> None:
    """What the endpoint was asked just now stands on its page, beside a file that is not of its making."""
    page, s3 = console.page, console.instance.client("s3")
    s3.put_object(Bucket="models", Key="kept/echo/all/9999/foreign.jsonl", Body=b'{"captureData": 1}\n[]\nno line\n')

    def shown() -> bool:
        console.open("/endpoints/echo")
        return "a wren" in page.locator("#capture ~ figure").inner_text()

    eventually(shown, what="what was asked last")
    rows = page.locator("#capture ~ figure tbody tr")
    expect(rows.filter(has_text="No line of it can be shown here.")).to_have_count(1)
    jay = rows.filter(has_text="a jay")
    expect(jay.locator("td").nth(1).locator("code")).to_have_text("a jay")
    expect(jay.locator("time[data-local]")).to_have_count(1)
    answer = jay.locator("details pre")
    expect(answer).to_be_hidden()
    jay.locator("summary").click()
    expect(answer).to_contain_text("It is a long story that begins with a jay and does not end soon")
    table = rows.filter(has_text="five,5")
    table.locator("summary").first.click()
    expect(table.locator("pre").first).to_have_text("five,5\nsix,66")
    expect(page.locator("main")).to_contain_text("gives the same answer to 100 % of requests")
    console.check()
    console.shoot("endpoint-captured")
    jay.get_by_role("link").click()
    expect(page.locator("h1")).to_contain_text("kept/echo/all/")


def test_a_role_that_may_not_read_a_package_is_told_before_it_goes_up(console: Console, tmp_path: Path) -> None:
    page, iam = console.page, console.instance.client("iam")
    statement = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    iam.create_role(RoleName="blind", AssumeRolePolicyDocument=json.dumps({"Statement": [statement]}))
    console.instance.client("s3").create_bucket(Bucket="packages")
    package = tmp_path / "model.tar.gz"
    package.write_bytes(b"no package")
    console.open("/endpoints")
    page.get_by_label("Name", exact=True).fill("unread")
    page.locator("select[name=role]").select_option(label="blind")
    page.locator("select[name=bucket]").select_option("packages")
    page.set_input_files("form[data-package] input[type=file]", package)
    sent: list[str] = []
    page.on("request", lambda one: sent.append(one.method))
    page.get_by_role("button", name="Create endpoint").click()
    expect(page.locator("#said")).to_contain_text("The role blind may not read models/unread/model.tar.gz in packages")
    expect(page.locator("#said")).to_contain_text("s3:GetObject on arn:aws:s3:::packages/models/unread/model.tar.gz")
    assert "PUT" not in sent
    assert "Contents" not in console.instance.client("s3").list_objects_v2(Bucket="packages")
    console.wrongs.clear()


def test_a_mailbox_is_subscribed_by_clicks(console: Console) -> None:
    """With nobody to send mail, too: what asks to confirm is read, and answered, where it is held."""
    page, sns = console.page, console.instance.client("sns")
    topic = sns.create_topic(Name="mailed")["TopicArn"]
    console.open("/topics/mailed")
    page.locator("select[name=protocol]").select_option("email")
    page.get_by_label("Endpoint").fill("somebody@example.com")
    with page.expect_navigation():
        page.get_by_role("button", name="Subscribe").click()
    expect(page.locator("tbody tr", has_text="somebody@example.com")).to_contain_text("pending")
    page.get_by_role("link", name="outbox", exact=True).click()
    mail = page.locator("article.mail", has_text="somebody@example.com")
    expect(mail).to_contain_text("Subscription Confirmation")
    with page.expect_navigation():
        mail.get_by_role("button", name="Confirm the subscription of somebody@example.com").click()
    expect(mail.get_by_role("button")).to_have_count(0)
    texts = json.dumps({"default": "for all", "email": "for mailboxes alone"})
    sns.publish(TopicArn=topic, Subject="A jay", Message=texts, MessageStructure="json")
    page.reload()
    newest = page.locator("article.mail").first
    expect(newest).to_contain_text("A jay")
    expect(newest.locator("pre")).to_have_text("for mailboxes alone")
    console.check()
    console.shoot("mails")
    console.open("/topics")
    expect(page.locator("tbody tr", has_text="mailed").locator("td").nth(1)).to_have_text("1")


def test_a_mail_that_confirms_nothing_any_more_says_why(console: Console) -> None:
    page, sns = console.page, console.instance.client("sns")
    topic = sns.create_topic(Name="asked")["TopicArn"]
    given = {"TopicArn": topic, "Protocol": "email", "Endpoint": "ada@example.org", "ReturnSubscriptionArn": True}
    for _ in range(2):
        arn = sns.subscribe(**given)["SubscriptionArn"]
    console.open("/outbox")
    new, old = (page.locator("article.mail", has_text="ada@example.org").nth(place) for place in range(2))
    expect(old).to_contain_text("a newer one asks the same")
    expect(old.get_by_role("button")).to_have_count(0)
    # Answered by the link in the mail, while the page is open.
    token = new.locator("input[name=token]").get_attribute("value")
    sns.confirm_subscription(TopicArn=topic, Token=token)
    new.get_by_role("button").click()
    expect(page.locator("#said")).to_contain_text("This mail is answered")
    console.wrongs.clear()
    page.reload()
    for mail in (new, old):
        expect(mail).to_contain_text("This subscription is confirmed.")
    console.check()
    sns.unsubscribe(SubscriptionArn=arn)
    page.reload()
    expect(old).to_contain_text("This subscription has ended.")


def test_a_functions_figures_are_drawn(console: Console) -> None:
    page = console.page
    told(console, "")

    def counted() -> bool:
        console.open("/functions")
        return page.locator("tr", has_text="teller").locator("td").first.inner_text() != "0"

    eventually(counted, what="the metrics")
    row = page.locator("tr", has_text="teller")
    for place in (2, 3):
        assert row.locator("td").nth(place).inner_text().endswith((" ms", " s"))
    assert len((row.locator("polyline").get_attribute("points") or "").split()) == 60
    console.open("/functions/teller")
    figures = page.locator("figure[data-chart]")
    assert figures.locator("figcaption").all_inner_texts() == [
        "Invocations", "Duration, ms", "Errors", "Throttles", "Asynchronous age, ms"
    ]  # fmt: skip
    expect(figures.locator("canvas")).to_have_count(5)


@pytest.mark.parametrize(("path", "service"), [("/functions", "lambda"), ("/endpoints", "sagemaker")])
def test_who_has_no_role_is_told_how_to_make_one(console: Console, path: str, service: str, loaded: Loaded) -> None:
    page, iam = console.page, console.instance.client("iam")
    for role in iam.list_roles()["Roles"]:
        for policy in iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]:
            iam.delete_role_policy(RoleName=role["RoleName"], PolicyName=policy)
        iam.delete_role(RoleName=role["RoleName"])
    try:
        console.open(path)
        create = page.get_by_role("button", name="Create ")
        expect(create).to_be_disabled()
        console.check()
        for line in page.locator("#first-role").inner_text().splitlines():
            words = [loaded("aws"), *shlex.split(line)[1:]]
            subprocess.run(words, check=True, env=clean_environment(**console.instance.variables), timeout=60)
        page.reload()
        assert page.locator("select[name=role] option").all_inner_texts() == [service]
        iam.delete_role_policy(RoleName=service, PolicyName=service)
        iam.delete_role(RoleName=service)
    finally:
        make_role(console.instance)


def test_a_link_that_was_copied_opens_the_object(console: Console) -> None:
    page, s3 = console.page, console.instance.client("s3")
    s3.create_bucket(Bucket="shared")
    s3.put_object(Bucket="shared", Key="an apple.txt", Body=b"an apple")
    console.open("/buckets/shared/look?key=an%20apple.txt")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy link for an hour").click()
    expect(page.locator("#said")).to_have_text("Copied.")
    with urllib.request.urlopen(page.evaluate("navigator.clipboard.readText()"), timeout=20) as answer:
        assert answer.read() == b"an apple"


def test_an_object_is_deleted_on_its_own_page(console: Console) -> None:
    page, s3 = console.page, console.instance.client("s3")
    s3.create_bucket(Bucket="things")
    for key in ("deep/one.txt", "deep/two.txt"):
        s3.put_object(Bucket="things", Key=key, Body=b"x")
    console.open("/buckets/things/look?key=deep/one.txt")
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Delete").click()
    page.wait_for_url(lambda url: "prefix=deep" in url)
    expect(page.locator("tbody tr")).to_have_count(1)
    assert [one["Key"] for one in s3.list_objects_v2(Bucket="things")["Contents"]] == ["deep/two.txt"]


@pytest.mark.parametrize(
    ("path", "said", "leads"),
    [
        ("/topics/nobodys", "Topic does not exist", "Topics"),
        ("/buckets/nobodys", "There is no bucket nobodys", "Buckets"),
        ("/functions/nobodys", "Function not found", "Functions"),
        ("/stories/nobodys", "Nothing is known of nobodys", "Now"),
        ("/no/such/page", "There is no such page", "Now"),
    ],
)
def test_an_error_says_what_to_do_next(console: Console, path: str, said: str, leads: str) -> None:
    page = console.page
    console.open(path)
    expect(page.locator("main")).to_contain_text(said)
    expect(page.locator("main")).to_contain_text(f"What next: It may have been deleted, or have another name: {leads}")
    console.wrongs = [one for one in console.wrongs if "404" not in one]
    if path == "/topics/nobodys":
        console.check()
    page.locator("main").get_by_role("link", name=leads).click()
    expect(page.locator("h1")).to_have_text(leads)
