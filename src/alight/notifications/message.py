"""What travels in this room: messages, topics and subscriptions, as plain frozen records.

Attributes have the form of SNS's envelope: name -> {"Type": "String", "Value": "..."}; a binary value is base64.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

#: Kinds of records; both are named by their ARNs.
TOPIC = "sns:topic"
SUBSCRIPTION = "sns:subscription"

Attributes = Mapping[str, Mapping[str, str]]


class Kind(StrEnum):
    """What an envelope says it is."""

    NOTIFICATION = "Notification"
    SUBSCRIBE = "SubscriptionConfirmation"
    UNSUBSCRIBE = "UnsubscribeConfirmation"


class Protocol(StrEnum):
    """How a subscriber is reached."""

    HTTP = "http"
    HTTPS = "https"
    EMAIL = "email"
    EMAIL_JSON = "email-json"
    SMS = "sms"
    LAMBDA = "lambda"
    SQS = "sqs"


class SubscriptionState(StrEnum):
    """Where a subscription stands."""

    PENDING = "pending"  # waits for its confirmation
    CONFIRMED = "confirmed"  # gets messages
    DELETED = "deleted"  # unsubscribed by a link; the confirmation that was sent can restore it


@dataclass(frozen=True, slots=True)
class Message:
    """A message to publish. `topic` is an ARN, empty for a text to `phone`; `structure` is "" or "json"."""

    topic: str
    body: str
    subject: str | None = None
    structure: str = ""
    attributes: Attributes = field(default_factory=dict)
    phone: str = ""


@dataclass(frozen=True, slots=True)
class Subscription:
    """One subscriber of one topic. `settings` are SNS's subscription attributes (FilterPolicy, RawMessageDelivery ...).

    `token` is the SHA-256 of the confirmation's token, empty once that was used.
    """

    arn: str
    topic: str
    protocol: Protocol
    endpoint: str
    owner: str
    principal: str
    state: SubscriptionState
    token: str = ""
    token_expires: float = 0.0
    #: True where the subscriber confirmed by a signed call; then only a signed call may unsubscribe.
    authenticated: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def raw(self) -> bool:
        return self.settings.get("RawMessageDelivery", "false").lower() == "true"

    def body(self) -> dict[str, Any]:
        """The definition as stored in records."""
        return {
            "TopicArn": self.topic,
            "Protocol": self.protocol.value,
            "Endpoint": self.endpoint,
            "Owner": self.owner,
            "Principal": self.principal,
            "State": self.state.value,
            "Token": self.token,
            "TokenExpires": self.token_expires,
            "Authenticated": self.authenticated,
            "Settings": dict(self.settings),
        }


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. `settings` are SNS's topic attributes (DisplayName, DeliveryPolicy, SignatureVersion ...)."""

    arn: str
    settings: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def display_name(self) -> str:
        return self.settings.get("DisplayName", "")

    def body(self) -> dict[str, Any]:
        return {"TopicArn": self.arn, "Settings": dict(self.settings), "Tags": dict(self.tags)}


def to_topic(body: Mapping[str, Any]) -> Topic:
    return Topic(body["TopicArn"], body["Settings"], body["Tags"])


def to_subscription(arn: str, body: Mapping[str, Any]) -> Subscription:
    return Subscription(
        arn=arn,
        topic=body["TopicArn"],
        protocol=Protocol(body["Protocol"]),
        endpoint=body["Endpoint"],
        owner=body["Owner"],
        principal=body["Principal"],
        state=SubscriptionState(body["State"]),
        token=body["Token"],
        token_expires=body["TokenExpires"],
        authenticated=body["Authenticated"],
        settings=body["Settings"],
    )
