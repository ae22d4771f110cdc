"""Mail through a real SMTP server that does what the test tells it to."""

from __future__ import annotations

import email
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from alight.errors import AlightError
from alight.notifications.channels.email import is_address, read_server
from alight.notifications.message import Message
from tests.unit.notifications.conftest import House, OpenHouse
from tests.unit.notifications.room import Gateways


@dataclass
class Mailbox:
    """An SMTP server. `recipient` and `data` hold replies to give first, one for each time."""

    mails: list[EmailMessage] = field(default_factory=list)
    recipient: list[str] = field(default_factory=list)
    data: list[str] = field(default_factory=list)
    port: int = 0

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.recipient:
            return self.recipient.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        parsed = email.message_from_bytes(content, policy=default)
        assert isinstance(parsed, EmailMessage)
        self.mails.append(parsed)
        if self.data:
            reply = self.data.pop(0)
            if reply == "drop":
                assert server.transport is not None
                server.transport.close()
                return "250 OK"
            return reply
        return "250 OK"


class AnyPort(Controller):
    """A controller that asks the system for its port, and knocks at the one that it got."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        super()._trigger_server()  # type: ignore[no-untyped-call]


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    box = Mailbox()
    controller = AnyPort(box, hostname="127.0.0.1", port=0)
    controller.start()
    box.port = controller.port
    yield box
    controller.stop()


async def with_mail(open_house: OpenHouse, mailbox: Mailbox, **attributes: str) -> tuple[House, str]:
    """A house with a confirmed mailbox."""
    house = await open_house(Gateways(smtp_url=f"smtp://127.0.0.1:{mailbox.port}", smtp_from="alight@example.org"))
    topic = await house.topic(**attributes)
    await house.subscribe(topic, "email", "ada@example.org")
    await confirm(house, mailbox, topic)
    return house, topic


async def confirm(house: House, mailbox: Mailbox, topic: str) -> None:
    await house.until(lambda: mailbox.mails)
    text = mailbox.mails[-1].get_content()
    token = text.partition("Token=")[2].split()[0]
    await house.call("ConfirmSubscription", TopicArn=topic, Token=token)
    await house.until_state("sent")
    mailbox.mails.clear()


async def test_a_mail_arrives_with_its_subject_text_and_id(open_house: OpenHouse, mailbox: Mailbox) -> None:
    house, topic = await with_mail(open_house, mailbox, DisplayName="birds")
    published = await house.call("Publish", TopicArn=topic, Message="Bird ✓", Subject="Häher")
    await house.until_state("sent", 2)
    (mail,) = mailbox.mails
    assert (mail["Subject"], mail["From"], mail["To"]) == ("Häher", "birds <alight@example.org>", "ada@example.org")
    assert mail["Message-ID"].startswith(f"<{published['MessageId']}.")
    text = mail.get_content()
    assert text.startswith("Bird ✓\r\n\r\n--\r\n")
    assert "Action=Unsubscribe&SubscriptionArn=arn:aws:sns:us-east-1:000000000000:birds:" in text
    assert mail["List-Unsubscribe"].startswith("<http://127.0.0.1:4566/_aws/sns/?Action=Unsubscribe")


async def test_a_mail_without_a_subject_has_the_one_of_sns(open_house: OpenHouse, mailbox: Mailbox) -> None:
    house, topic = await with_mail(open_house, mailbox)
    await house.call("Publish", TopicArn=topic, Message="hello")
    await house.until_state("sent", 2)
    assert mailbox.mails[0]["Subject"] == "AWS Notification Message"


async def test_email_json_is_the_envelope(open_house: OpenHouse, mailbox: Mailbox) -> None:
    house = await open_house(Gateways(smtp_url=f"smtp://127.0.0.1:{mailbox.port}"))
    topic = await house.topic()
    await house.subscribe(topic, "email-json", "ada@example.org")
    await house.until(lambda: mailbox.mails)
    token = json.loads(mailbox.mails.pop().get_content())["Token"]
    await house.call("ConfirmSubscription", TopicArn=topic, Token=token)
    long = "a long line " * 200
    await house.call("Publish", TopicArn=topic, Message=long)
    await house.until_state("sent", 2)
    document = json.loads(mailbox.mails[0].get_content())
    assert (document["Type"], document["Message"]) == ("Notification", long)


@pytest.mark.parametrize("code", ["421 later", "451 later", "450 busy"])
async def test_temporary_refusals_are_tried_again(open_house: OpenHouse, mailbox: Mailbox, code: str) -> None:
    house, topic = await with_mail(open_house, mailbox)
    mailbox.recipient.append(code)
    published = await house.call("Publish", TopicArn=topic, Message="hello")
    store = house.room.store
    await house.until(lambda: store.deliveries_of(published["MessageId"])[0].last_error)
    delivery = store.deliveries_of(published["MessageId"])[0]
    assert (delivery.state, delivery.uncertain) == ("ready", False)
    assert delivery.last_error.startswith(f"SMTP {code[:3]}")
    assert delivery.started is not None
    assert 10 <= delivery.not_before - delivery.started <= 12


async def test_permanent_refusals_are_dead_letters(open_house: OpenHouse, mailbox: Mailbox) -> None:
    house, topic = await with_mail(open_house, mailbox)
    mailbox.recipient.append("550 no such user")
    await house.call("Publish", TopicArn=topic, Message="hello")
    (delivery,) = await house.until_state("dead")
    assert (delivery.reason, delivery.attempts) == ("ClientError", 1)
    assert delivery.last_error.startswith("SMTP 550")


async def test_a_server_that_hangs_up_after_the_mail_makes_it_uncertain(
    open_house: OpenHouse, mailbox: Mailbox
) -> None:
    house, topic = await with_mail(open_house, mailbox)
    mailbox.data.append("drop")
    published = await house.call("Publish", TopicArn=topic, Message="hello")
    store = house.room.store
    await house.until(lambda: store.deliveries_of(published["MessageId"])[0].last_error)
    (delivery,) = store.deliveries_of(published["MessageId"])
    assert delivery.uncertain
    # Sent again, it has the same Message-ID.
    await house.database.write(lambda tx: tx.run("outbox.clamp", latest=0.0))
    house.room.outbox.wake()
    await house.until(lambda: len(mailbox.mails) == 2)
    assert mailbox.mails[0]["Message-ID"] == mailbox.mails[1]["Message-ID"]


async def test_a_key_cannot_add_headers(open_house: OpenHouse, mailbox: Mailbox) -> None:
    house, topic = await with_mail(open_house, mailbox)
    # As another part of the house could publish: past the checks of the SNS door.
    evil = "birds/x.jpg\r\nBcc: eve@example.org\r\n\r\nbody"
    outgoing_topic = house.records.get("sns:topic", topic)
    assert outgoing_topic is not None
    settings = {"Settings": {"DisplayName": evil}}
    await house.records.save("sns:topic", topic, outgoing_topic.body | settings)
    await house.database.write(lambda tx: house.room.topics.publish(tx, Message(topic, "hello", evil)))
    await house.until_state("sent", 2)
    (mail,) = mailbox.mails
    assert mail["Bcc"] is None
    assert mail["Subject"] == "birds/x.jpg  Bcc: eve@example.org    body"


async def test_no_server_is_tried_again(open_house: OpenHouse, mailbox: Mailbox) -> None:
    house = await open_house(Gateways(smtp_url="smtp://127.0.0.1:1"))
    topic = await house.topic()
    await house.subscribe(topic, "email", "ada@example.org")
    await house.until(lambda: house.deliveries()[0].last_error)
    (delivery,) = house.deliveries()
    assert (delivery.state, delivery.uncertain) == ("ready", False)


@pytest.mark.parametrize("text", ["ada@example.org", "ada+x@example.org", "a.b@c.d"])
def test_addresses(text: str) -> None:
    assert is_address(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ada",
        "@x",
        "ada@",
        "a@b@c",
        "a b@c.d",
        "a@b.c,d@e.f",
        "a@b.c\r\nBcc: x@y.z",
        "Ada <a@b.c>",
        "a@b.c\x00",
        "ädä@example.org",
        "a" * 251 + "@b.c",
    ],
)
def test_what_is_no_address(text: str) -> None:
    assert not is_address(text)


def test_servers_by_url() -> None:
    plain = read_server("smtp://mail.example.org")
    assert (plain.port, plain.use_tls, plain.start_tls, plain.username) == (25, False, None, None)
    login = read_server("smtp://ada:p%40ss@mail.example.org:587")
    assert (login.port, login.start_tls, login.password) == (587, True, "p@ss")
    here = read_server("smtp://ada:pass@127.0.0.1:25")
    assert here.start_tls is None
    secure = read_server("smtps://ada:pass@mail.example.org")
    assert (secure.port, secure.use_tls, secure.start_tls) == (465, True, None)
    assert read_server("smtp://x?starttls=never").start_tls is False


@pytest.mark.parametrize("url", ["http://x", "smtp://", "smtp://x?starttls=maybe", "mail.example.org"])
def test_servers_that_are_refused(url: str) -> None:
    with pytest.raises(AlightError, match="ALIGHT_SMTP_URL"):
        read_server(url)
