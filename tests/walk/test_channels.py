"""Every way a message leaves, from `alight up` to real counterparts: mailboxes, phones, webhooks, queues, functions."""

from __future__ import annotations

import base64
import io
import json
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from alight.cli.instance import open_door
from tests.support import Instance, Start, eventually, start_alight, sweep
from tests.walk.gateways import Mailbox, Phones, link_in, mail_server, sms_gateway
from tests.walk.making import let_in, open_queue
from tests.walk.sinks import Webhook

PHONE = "+4915112345678"
#: Retries of a webhook that do not wait.
AT_ONCE = json.dumps(
    {"healthyRetryPolicy": {"numRetries": 3, "numNoDelayRetries": 3, "minDelayTarget": 1, "maxDelayTarget": 1}}
)

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Mailbox]:
    with mail_server() as box:
        yield box


@pytest.fixture(scope="module")
def phones() -> Iterator[Phones]:
    with sms_gateway() as gateway:
        yield gateway


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory, mailbox: Mailbox, phones: Phones) -> Iterator[Instance]:
    """One with every gateway."""
    started = start_alight(
        tmp_path_factory.mktemp("channels") / "data",
        ALIGHT_SMTP_URL=mailbox.url,
        ALIGHT_SMTP_FROM="birds@example.org",
        ALIGHT_SMS_URL=phones.url("json"),
        ALIGHT_WEBHOOK_ALLOW="127.0.0.1",
        ALIGHT_RETRY_DELAYS="0.05,0.05",
    )
    yield started
    sweep(started.process)


@pytest.fixture
def topic(instance: Instance, request: pytest.FixtureRequest) -> str:
    name = "".join(letter if letter.isalnum() else "-" for letter in request.node.name)
    return str(instance.client("sns").create_topic(Name=name)["TopicArn"])


def deliveries(instance: Instance, topic: str, kind: str = "Notification") -> list[dict[str, Any]]:
    """What the outbox says of a topic's messages, newest first."""
    found = open_door(instance.data).get("outbox", limit=1000)["deliveries"]
    return [item for item in found if item["topic"] == topic and item["kind"] == kind]


def all_in(state: str, instance: Instance, topic: str, count: int = 1, kind: str = "Notification") -> Any:
    """Wait until a topic has `count` deliveries, each in this state."""

    def settled() -> list[dict[str, Any]] | None:
        found = deliveries(instance, topic, kind)
        return found if len(found) >= count and {item["state"] for item in found} == {state} else None

    return eventually(settled, what=f"{count} deliveries in state {state}")


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        body: bytes = answer.read()
    return body


def verify(envelope: dict[str, Any]) -> None:
    """What a receiver does who has read SNS's documentation, and nothing of ours. Raises `InvalidSignature`."""
    names = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
    if envelope["Type"] != "Notification":
        names = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    text = "".join(f"{name}\n{envelope[name]}\n" for name in names if name in envelope)
    key = x509.load_pem_x509_certificate(fetch(envelope["SigningCertURL"])).public_key()
    assert isinstance(key, RSAPublicKey)
    digest = {"1": hashes.SHA1(), "2": hashes.SHA256()}[envelope["SignatureVersion"]]
    key.verify(base64.b64decode(envelope["Signature"]), text.encode(), padding.PKCS1v15(), digest)


def subscribe(instance: Instance, topic: str, hook: Webhook, **attributes: str) -> str:
    """The confirmed subscription of a webhook."""
    made = instance.client("sns").subscribe(
        TopicArn=topic, Protocol="http", Endpoint=hook.url, Attributes=attributes, ReturnSubscriptionArn=True
    )
    assert hook.confirmed.wait(20), "the subscription was not confirmed"
    return str(made["SubscriptionArn"])


class Queue:
    """A queue that is subscribed to a topic."""

    def __init__(self, instance: Instance, topic: str, name: str, **attributes: str) -> None:
        self._sqs = instance.client("sqs")
        self._url = open_queue(self._sqs, f"{topic.rpartition(':')[2]}-{name}"[:80])
        described = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])
        self.arn = described["Attributes"]["QueueArn"]
        instance.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=self.arn, Attributes=attributes)

    def take(self) -> list[dict[str, Any]]:
        """All messages that are there."""
        found: list[dict[str, Any]] = []
        while page := self._sqs.receive_message(
            QueueUrl=self._url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], VisibilityTimeout=600
        ).get("Messages"):
            found += page
        return found


# People: mailboxes and phones.


@pytest.mark.parametrize("protocol", ["email", "email-json"])
def test_a_mailbox_gets_messages_from_its_confirmation_on(
    instance: Instance, topic: str, mailbox: Mailbox, protocol: str
) -> None:
    sns, address = instance.client("sns"), f"{protocol}@example.org"
    answer = sns.subscribe(TopicArn=topic, Protocol=protocol, Endpoint=address)
    assert answer["SubscriptionArn"] == "pending confirmation"
    [question] = mailbox.to(address)
    assert question["Subject"] == "AWS Notification - Subscription Confirmation"
    sns.publish(TopicArn=topic, Message="too early")
    fetch(link_in(question.get_content(), "ConfirmSubscription"))
    sent = sns.publish(TopicArn=topic, Subject="A bird", Message="Zaunkönig: 98 %")

    mail = mailbox.to(address, 2)[1]
    assert (mail["From"], mail["Subject"]) == ("birds@example.org", "A bird")
    assert mail["Message-ID"].startswith(f"<{sent['MessageId']}.")
    if protocol == "email":
        assert mail.get_content().splitlines()[0] == "Zaunkönig: 98 %"
    else:
        envelope = json.loads(mail.get_content())
        assert (envelope["Message"], envelope["Subject"]) == ("Zaunkönig: 98 %", "A bird")
        verify(envelope)
    fetch(mail["List-Unsubscribe"].strip("<>"))
    assert mailbox.to(address, 3)[2]["Subject"] == "AWS Notification - Unsubscribe Confirmation"
    sns.publish(TopicArn=topic, Message="too late")
    assert len(deliveries(instance, topic)) == 1, "neither before the yes nor after the no"


def test_a_phone_gets_its_text_through_the_gateway(instance: Instance, topic: str, phones: Phones) -> None:
    sns = instance.client("sns")
    sns.set_topic_attributes(TopicArn=topic, AttributeName="DisplayName", AttributeValue="birds")
    sns.subscribe(TopicArn=topic, Protocol="sms", Endpoint=PHONE)
    sns.publish(TopicArn=topic, Message="a magpie & more", Subject="not in a text")
    sns.publish(PhoneNumber="+12025550123", Message="straight to a number")
    [text] = phones.wait(lambda text: text.phone == PHONE)
    assert text.fields["message"] == "birds> a magpie & more"
    [text] = phones.wait(lambda text: text.phone == "+12025550123")
    assert text.fields["message"] == "straight to a number"


def test_what_has_no_gateway_waits_visibly_and_leaves_once_there_is_one(
    start: Start, mailbox: Mailbox, phones: Phones
) -> None:
    first = start()
    sns = first.client("sns")
    topic = sns.create_topic(Name="waiting")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sms", Endpoint="+33612345678")
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="waits@example.org")
    sent = sns.publish(TopicArn=topic, Message="a text that waits")
    all_in("held", first, topic)
    all_in("held", first, topic, kind="SubscriptionConfirmation")
    shown = first.alight("outbox", "--state", "held").stdout
    for words in (
        "a text that waits", "no SMS gateway configured: set ALIGHT_SMS_URL", "+33612345678",
        "You have chosen to subscribe", "no SMTP gateway configured: set ALIGHT_SMTP_URL", "waits@example.org",
    ):  # fmt: skip
        assert words in shown
    assert first.stop() == 0

    second = start(ALIGHT_SMTP_URL=mailbox.url, ALIGHT_SMS_URL=phones.url("form"))
    [text] = phones.wait(lambda text: text.phone == "+33612345678")
    assert text.fields["message"] == "a text that waits"
    fetch(link_in(mailbox.to("waits@example.org")[0].get_content(), "ConfirmSubscription"))
    second.client("sns").publish(TopicArn=topic, Message="a mail that does not")
    assert mailbox.to("waits@example.org", 2)[1].get_content().splitlines()[0] == "a mail that does not"
    found = all_in("sent", second, topic, 3)
    assert {item["attempts"] for item in found} == {1}, "waiting is no attempt"
    assert found[-1]["message_id"] == sent["MessageId"]


# Machines: webhooks, queues, functions.


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_webhook_can_verify_everything_that_it_gets(
    instance: Instance, topic: str, hook: Webhook, version: str
) -> None:
    sns = instance.client("sns")
    sns.set_topic_attributes(TopicArn=topic, AttributeName="SignatureVersion", AttributeValue=version)
    arn = subscribe(instance, topic, hook)
    attributes = {"certainty": {"DataType": "Number", "StringValue": "0.98"}}
    sns.publish(TopicArn=topic, Subject="A bird", Message='Wren "0.98"\n\u2028ü🐦', MessageAttributes=attributes)
    sns.publish(TopicArn=topic, Message="no subject")
    told = hook.wait_for(2)
    assert {arrival.headers["x-amz-sns-subscription-arn"] for arrival in told} == {arn}
    assert [arrival.envelope.get("MessageAttributes") for arrival in told if "Subject" in arrival.envelope] == [
        {"certainty": {"Type": "Number", "Value": "0.98"}}
    ]
    for envelope in [arrival.envelope for arrival in [*hook.asked, *told]]:
        assert envelope["SignatureVersion"] == version
        assert envelope["SigningCertURL"].startswith(instance.url)
        verify(envelope)
        for name in ("Message", "MessageId", "Timestamp", "TopicArn", "Subject", "SubscribeURL", "Token"):
            if name in envelope:
                with pytest.raises(InvalidSignature):
                    verify(envelope | {name: envelope[name] + " "})
        with pytest.raises(InvalidSignature):
            verify(envelope | {"SignatureVersion": str(3 - int(version))})


def test_a_webhook_that_fails_gets_the_same_message_again(instance: Instance, topic: str, hook: Webhook) -> None:
    subscribe(instance, topic, hook, DeliveryPolicy=AT_ONCE)
    hook.answers[:] = [500, 500]
    sent = instance.client("sns").publish(TopicArn=topic, Message="third time lucky")["MessageId"]
    told = hook.wait_for(3)
    [delivery] = all_in("sent", instance, topic)
    assert delivery["attempts"] == 3
    assert {(arrival.message_id, arrival.headers["x-amz-sns-message-id"]) for arrival in told} == {(sent, sent)}
    assert len({arrival.body for arrival in told}) == 1, "to the letter"
    assert len(hook.arrivals) == 3


@pytest.mark.parametrize("status", [404, 302])
def test_a_webhook_that_refuses_is_not_asked_again_until_somebody_says_so(
    instance: Instance, topic: str, hook: Webhook, status: int
) -> None:
    subscribe(instance, topic, hook, DeliveryPolicy=AT_ONCE)
    hook.answers[:] = [status]
    instance.client("sns").publish(TopicArn=topic, Message="unwanted")
    [delivery] = all_in("dead", instance, topic)
    assert (delivery["attempts"], delivery["reason"]) == (1, "ClientError")
    assert delivery["last_error"].startswith(f"HTTP {status}")
    said = instance.alight("outbox", "--redrive", str(delivery["id"]))
    assert said.stdout.strip() == "1 will be sent again."
    first, again = hook.wait_for(2)
    assert first.message_id == again.message_id
    all_in("sent", instance, topic)


def test_a_private_address_is_refused_unless_it_is_allowed(start: Start, hook: Webhook) -> None:
    running = start()
    sns = running.client("sns")
    topic = sns.create_topic(Name="inwards")["TopicArn"]
    port = hook.url.split(":")[2]
    for host in ("127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "10.0.0.1", "169.254.169.254"):
        with pytest.raises(ClientError, match="private address"):
            sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=f"http://{host}:{port}")
    # Names are looked up when something is to be sent, and each time anew; a number in disguise is no name.
    for host in ("localhost", "2130706433"):
        sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=f"http://{host}:{port}")
    disguised, name = all_in("dead", running, topic, 2, kind="SubscriptionConfirmation")
    assert (disguised["attempts"], name["attempts"]) == (1, 1)
    assert "private address; to let webhooks reach it, add it to ALIGHT_WEBHOOK_ALLOW" in name["last_error"]
    assert hook.asked == []


def test_raw_delivery_is_the_message_and_nothing_else(instance: Instance, topic: str, hook: Webhook) -> None:
    subscribe(instance, topic, hook, RawMessageDelivery="true")
    queue = Queue(instance, topic, "raw", RawMessageDelivery="true")
    attributes = {
        "kind": {"DataType": "String", "StringValue": "bird"},
        "mask": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    instance.client("sns").publish(TopicArn=topic, Message="bare\nwords", MessageAttributes=attributes)
    [arrival] = hook.wait_for(1)
    assert arrival.body == b"bare\nwords"
    all_in("sent", instance, topic, 2)
    [message] = queue.take()
    assert message["Body"] == "bare\nwords"
    assert message["MessageAttributes"] == attributes


def test_a_queue_gets_the_envelope(instance: Instance, topic: str) -> None:
    queue = Queue(instance, topic, "plain")
    sent = instance.client("sns").publish(TopicArn=topic, Subject="A bird", Message="wren")
    all_in("sent", instance, topic)
    [message] = queue.take()
    envelope = json.loads(message["Body"])
    expected = {"Type": "Notification", "TopicArn": topic, "MessageId": sent["MessageId"]}
    expected |= {"Subject": "A bird", "Message": "wren"}
    assert {name: envelope[name] for name in expected} == expected
    verify(envelope)


def test_filter_policies_choose(instance: Instance, topic: str) -> None:
    everything = Queue(instance, topic, "everything")
    birds = Queue(instance, topic, "birds", FilterPolicy='{"kind": ["bird", {"prefix": "bird."}]}')
    certain = Queue(
        instance, topic, "certain",
        FilterPolicy='{"certainty": [{"numeric": [">=", 0.7]}]}', FilterPolicyScope="MessageBody",
    )  # fmt: skip
    kinds = {"a": ("bird", 0.9), "b": ("cat", 0.9), "c": ("bird.owl", 0.2), "d": ("cat", 0.2)}
    entries = [
        {
            "Id": name,
            "Message": json.dumps({"name": name, "certainty": certainty}),
            "MessageAttributes": {"kind": {"DataType": "String", "StringValue": kind}},
        }
        for name, (kind, certainty) in kinds.items()
    ]
    answer = instance.client("sns").publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
    assert len(answer["Successful"]) == 4
    all_in("sent", instance, topic, 8)

    def names(queue: Queue) -> list[str]:
        return sorted(json.loads(json.loads(message["Body"])["Message"])["name"] for message in queue.take())

    assert (names(everything), names(birds), names(certain)) == (["a", "b", "c", "d"], ["a", "c"], ["a", "b"])


@pytest.fixture(scope="module")
def make_function(instance: Instance) -> Callable[..., str]:
    """Makes a function of this name that returns the `Sns` of its event, and lets topics in; its ARN."""
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = instance.client("iam").create_role(
        RoleName="listener", AssumeRolePolicyDocument=json.dumps({"Statement": [trust]})
    )["Role"]["Arn"]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("app.py", "def handler(event, context):\n    return event['Records'][0]\n")

    def make(name: str, topics: str = "arn:aws:sns:us-east-1:000000000000:*") -> str:
        made = instance.client("lambda").create_function(
            FunctionName=name, Runtime="python3.11", Role=role, Handler="app.handler",
            Code={"ZipFile": archive.getvalue()},
        )  # fmt: skip
        let_in(instance, name, "sns", topics)
        return str(made["FunctionArn"])

    return make


def succeeded(instance: Instance, function: str) -> Callable[[], Any]:
    """Results of a function's events, once there is one."""

    def results() -> list[Any]:
        door = open_door(instance.data)
        found = door.get("events", state="succeeded", function=function)["events"]
        return [door.get(f"events/{event['id']}")["result"] for event in found]

    return results


def test_a_function_gets_the_event_that_aws_would_send(
    instance: Instance, topic: str, make_function: Callable[..., str]
) -> None:
    sns = instance.client("sns")
    arn = sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=make_function("listens"))["SubscriptionArn"]
    sent = sns.publish(TopicArn=topic, Message="wren")
    [record] = eventually(succeeded(instance, "listens"), what="the event")
    assert (record["EventSource"], record["EventVersion"]) == ("aws:sns", "1.0")
    assert record["EventSubscriptionArn"] == arn
    told = record["Sns"]
    expected = {"Type": "Notification", "MessageId": sent["MessageId"], "TopicArn": topic, "Message": "wren"}
    assert {name: told[name] for name in expected} == expected
    assert (told["Subject"], told["MessageAttributes"]) == (None, {})
    without_nothing = {name: value for name, value in told.items() if value is not None}
    verify(without_nothing | {"SigningCertURL": told["SigningCertUrl"]})


def test_a_function_that_is_gone_ends_the_delivery_at_once(
    instance: Instance, topic: str, make_function: Callable[..., str]
) -> None:
    sns, function = instance.client("sns"), make_function("leaves")
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function)
    instance.client("lambda").delete_function(FunctionName="leaves")
    sns.publish(TopicArn=topic, Message="anybody there?")
    [delivery] = all_in("dead", instance, topic)
    assert (delivery["attempts"], delivery["reason"]) == (1, "ClientError")
    assert delivery["last_error"] == f"ResourceNotFoundException: Function not found: {function}"
    make_function("leaves")
    instance.json("outbox", "--redrive", str(delivery["id"]))
    [record] = eventually(succeeded(instance, "leaves"), what="the event after all")
    assert record["Sns"]["Message"] == "anybody there?"


def test_a_function_that_does_not_let_the_topic_in_is_not_invoked(
    instance: Instance, topic: str, make_function: Callable[..., str]
) -> None:
    sns, function = instance.client("sns"), make_function("others", "arn:aws:sns:us-east-1:000000000000:another")
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function)
    sns.publish(TopicArn=topic, Message="let me in")
    [delivery] = all_in("dead", instance, topic)
    assert (delivery["attempts"], delivery["reason"]) == (1, "ClientError")
    assert delivery["last_error"] == (
        "AccessDeniedException: User: sns.amazonaws.com is not authorized to perform: lambda:InvokeFunction on "
        f"resource: {function} because no resource-based policy allows the lambda:InvokeFunction action"
    )
