"""What a subscriber gets to see: SNS's envelope for webhooks, queues and functions, and the texts for people."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from alight.clock import iso_millis
from alight.notifications.message import Kind, Protocol, Subscription, Topic
from alight.notifications.signing import DEFAULT_VERSION, Signer
from alight.store.outbox import StoredMessage, text_of

#: Where the pages and the certificate are mounted.
MOUNT = "/_aws/sns/"

#: How much of a topic's display name stands before a text message.
SMS_NAME = 10

#: Signatures that are kept.
REMEMBERED = 256

DEFAULT_SUBJECT = "AWS Notification Message"


@dataclass(frozen=True, slots=True)
class Envelopes:
    """Builds envelopes, on any thread: mails and dead letters are made beside the event loop. `endpoint_url` says how
    others reach this instance (no slash at the end)."""

    signer: Signer
    endpoint_url: Callable[[], str]
    signature_version: str = DEFAULT_VERSION
    #: Signatures of the last messages, by id, version and, where each protocol has a text of its own, protocol.
    _known: OrderedDict[tuple[str, str, str], str] = field(
        default_factory=OrderedDict, init=False, repr=False, compare=False
    )

    def envelope(
        self, message: StoredMessage, topic: Topic | None, subscription: str, protocol: Protocol
    ) -> dict[str, Any]:
        """SNS's JSON document for one subscriber, signed."""
        kind = Kind(message.kind)
        document = self._signed(message, kind, protocol)
        version = self._version(topic)
        document["SignatureVersion"] = version
        document["Signature"] = self._signature(message, document, protocol, version)
        document["SigningCertURL"] = f"{self.base()}{self.signer.certificate_name}"
        if kind is Kind.NOTIFICATION:
            document["UnsubscribeURL"] = self.unsubscribe_url(subscription)
            if message.attributes:
                document["MessageAttributes"] = message.attributes
        return document

    def sign_ahead(self, message: StoredMessage, topic: Topic | None) -> None:
        """Have the signature ready for the envelopes of a notification that is the same for all protocols."""
        document = self._signed(message, Kind.NOTIFICATION, Protocol.HTTP)
        self._signature(message, document, Protocol.HTTP, self._version(topic))

    def _signature(self, message: StoredMessage, document: dict[str, Any], protocol: Protocol, version: str) -> str:
        """A message is signed once, however many get it: of what is signed nothing is one subscriber's."""
        place = (message.id, version, protocol if message.structure else "")
        known = self._known.get(place)
        if known is None:
            known = self._known[place] = self.signer.sign(document, version)
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return known

    def _signed(self, message: StoredMessage, kind: Kind, protocol: Protocol) -> dict[str, Any]:
        """The part of the document that is signed, in SNS's order."""
        document: dict[str, Any] = {"Type": kind.value, "MessageId": message.id}
        if kind is not Kind.NOTIFICATION:
            document["Token"] = message.token
        document["TopicArn"] = message.topic
        if message.subject is not None and kind is Kind.NOTIFICATION:
            document["Subject"] = message.subject
        document["Message"] = text_for(message, protocol)
        if kind is not Kind.NOTIFICATION:
            document["SubscribeURL"] = self.confirm_url(message.topic, message.token)
        document["Timestamp"] = iso_millis(message.published)
        return document

    def _version(self, topic: Topic | None) -> str:
        return (topic.settings.get("SignatureVersion") if topic else None) or self.signature_version

    def function_event(self, message: StoredMessage, topic: Topic | None, subscription: str) -> dict[str, Any]:
        """The event that a function gets: `Records[0].Sns`, whose names differ a little from the webhook's."""
        document = self.envelope(message, topic, subscription, Protocol.LAMBDA)
        notification = {
            "Type": document["Type"],
            "MessageId": document["MessageId"],
            "TopicArn": document["TopicArn"],
            "Subject": document.get("Subject"),
            "Message": document["Message"],
            "Timestamp": document["Timestamp"],
            "SignatureVersion": document["SignatureVersion"],
            "Signature": document["Signature"],
            "SigningCertUrl": document["SigningCertURL"],
            "UnsubscribeUrl": document["UnsubscribeURL"],
            "MessageAttributes": document.get("MessageAttributes", {}),
        }
        record = {
            "EventSource": "aws:sns",
            "EventVersion": "1.0",
            "EventSubscriptionArn": subscription,
            "Sns": notification,
        }
        return {"Records": [record]}

    def email_text(self, message: StoredMessage, topic: Topic | None, subscription: str) -> str:
        """The body of an email, with its link to confirm or to stop."""
        name = (topic.display_name if topic else "") or message.topic
        match Kind(message.kind):
            case Kind.SUBSCRIBE:
                link = self.confirm_url(message.topic, message.token)
                return (
                    f"This address was subscribed to the topic {name}.\n\nTo confirm, open this link:\n{link}\n\n"
                    + ("If you did not ask for it, ignore this mail: nothing more will be sent.\n")
                )
            case Kind.UNSUBSCRIBE:
                link = self.confirm_url(message.topic, message.token)
                return f"This address no longer gets messages of the topic {name}.\n\nTo take that back:\n{link}\n"
            case _:
                link = self.unsubscribe_url(subscription)
                return f"{text_for(message, Protocol.EMAIL)}\n\n--\nTo stop these messages, open this link:\n{link}\n"

    def email_subject(self, message: StoredMessage) -> str:
        match Kind(message.kind):
            case Kind.SUBSCRIBE:
                return "AWS Notification - Subscription Confirmation"
            case Kind.UNSUBSCRIBE:
                return "AWS Notification - Unsubscribe Confirmation"
            case _:
                return message.subject or DEFAULT_SUBJECT

    def base(self) -> str:
        return f"{self.endpoint_url().rstrip('/')}{MOUNT}"

    def confirm_url(self, topic: str, token: str) -> str:
        return f"{self.base()}?Action=ConfirmSubscription&TopicArn={topic}&Token={token}"

    def unsubscribe_url(self, subscription: str) -> str:
        return f"{self.base()}?Action=Unsubscribe&SubscriptionArn={quote(subscription, safe=':')}"


def text_for(message: StoredMessage, protocol: Protocol) -> str:
    """The message as one protocol's subscribers get it (`MessageStructure: json` has one text for each)."""
    return text_of(message.body, message.structure, protocol.value)


def sms_text(message: StoredMessage, topic: Topic | None) -> str:
    """`birds> text`, as phones show it."""
    text = text_for(message, Protocol.SMS)
    name = topic.display_name[:SMS_NAME] if topic else ""
    return f"{name}> {text}" if name else text


def confirmation_text(kind: Kind, topic: str, subscription: Subscription) -> str:
    """The `Message` of an envelope that asks for a confirmation."""
    if kind is Kind.SUBSCRIBE:
        return (
            f"You have chosen to subscribe to the topic {topic}.\n"
            "To confirm the subscription, visit the SubscribeURL included in this message."
        )
    return (
        f"You have chosen to deactivate subscription {subscription.arn}.\n"
        "To cancel this operation and restore the subscription, visit the SubscribeURL included in this message."
    )


def dumps(document: dict[str, Any]) -> str:
    return _encode(document)


_encode = json.JSONEncoder(ensure_ascii=False).encode
