"""Operations on subscriptions: asked for, confirmed, described, set, ended."""

from __future__ import annotations

import re

from alight.calls import Call, Members
from alight.errors.sns import AuthorizationError, InvalidParameter, NotFound
from alight.names import without_password
from alight.notifications.filters import ATTRIBUTES_SCOPE
from alight.notifications.message import Subscription, SubscriptionState
from alight.notifications.subscriptions import SubscriptionExists, Subscriptions
from alight.services.paging import next_token, read_token
from alight.services.sns import rules
from alight.services.sns.topics import TopicOperations

PAGE = 100

PENDING = "pending confirmation"
PENDING_IN_LISTS = "PendingConfirmation"

_TOKEN = re.compile(r"^[0-9a-f]{64,}$")


class SubscriptionOperations:
    """Subscribe and its kind. `check_url` refuses webhooks that could never be reached."""

    def __init__(self, topics: TopicOperations, subscriptions: Subscriptions, check_url: rules.CheckUrl) -> None:
        self._topics = topics
        self._subscriptions = subscriptions
        self._check_url = check_url

    def find(self, arn: str) -> Subscription:
        parts = arn.split(":")
        if len(parts) < 6:
            raise InvalidParameter(
                f"Invalid parameter: SubscriptionArn Reason: An ARN must have at least 6 elements, not {len(parts)}"
            )
        found = self._subscriptions.get(arn)
        if found is None:
            raise NotFound("Subscription does not exist")
        return found

    async def subscribe(self, call: Call, given: Members) -> Members:
        kind = rules.protocol(given["Protocol"])
        settings = {name: value for name, value in (given.get("Attributes") or {}).items() if value != ""}
        rules.subscription_settings(settings)
        if not given.get("Endpoint"):
            raise InvalidParameter("Invalid parameter: Endpoint")
        target = rules.endpoint(kind, given["Endpoint"], self._check_url)
        topic = self._topics.find(given["TopicArn"])
        try:
            made = await self._subscriptions.subscribe(topic.arn, kind, target, settings, call.principal.arn)
        except SubscriptionExists as error:
            raise InvalidParameter(f"Invalid parameter: Attributes Reason: {error}") from None
        if made.state is SubscriptionState.PENDING and not given.get("ReturnSubscriptionArn"):
            return {"SubscriptionArn": PENDING}
        return {"SubscriptionArn": made.arn}

    async def confirm_subscription(self, call: Call, given: Members) -> Members:
        arn, token = given["TopicArn"], given["Token"]
        authenticated = (given.get("AuthenticateOnUnsubscribe") or "").lower() == "true"
        if not _TOKEN.fullmatch(token):
            raise InvalidParameter("Invalid parameter: Token")
        self._topics.find(arn)
        confirmed = await self._subscriptions.confirm(arn, token, authenticated=authenticated)
        if confirmed is None:
            raise InvalidParameter("Invalid token")
        return {"SubscriptionArn": confirmed.arn}

    async def unsubscribe(self, call: Call, given: Members) -> Members:
        arn = given["SubscriptionArn"]
        if len(arn.split(":")) < 6:
            raise InvalidParameter(
                f"Invalid parameter: SubscriptionArn Reason: An ARN must have at least 6 elements, "
                f"not {len(arn.split(':'))}"
            )
        await self._subscriptions.unsubscribe(arn)
        return {}

    async def unsubscribe_by_link(self, arn: str) -> None:
        """Without a signature: only for who did not confirm by a signed call."""
        if self.find(arn).authenticated:
            raise AuthorizationError("This subscription can only be ended by a signed call.")
        await self._subscriptions.unsubscribe(arn)

    async def list_subscriptions(self, call: Call, given: Members) -> Members:
        return self._page("", given.get("NextToken"))

    async def list_subscriptions_by_topic(self, call: Call, given: Members) -> Members:
        return self._page(self._topics.find(given["TopicArn"]).arn, given.get("NextToken"))

    def _page(self, topic: str, token: str | None) -> Members:
        found = self._subscriptions.page(topic, read_token(token, rules.bad_token()), PAGE + 1)
        return {
            "Subscriptions": [_summary(one) for one in found[:PAGE]],
            **next_token([one.arn for one in found], PAGE),
        }

    async def get_subscription_attributes(self, call: Call, given: Members) -> Members:
        found = self.find(given["SubscriptionArn"])
        confirmed = found.state is SubscriptionState.CONFIRMED
        attributes = {
            "SubscriptionArn": found.arn,
            "TopicArn": found.topic,
            "Owner": found.owner,
            "Protocol": found.protocol.value,
            "Endpoint": without_password(found.endpoint),
            "PendingConfirmation": str(not confirmed).lower(),
            "ConfirmationWasAuthenticated": str(found.authenticated).lower(),
            "SubscriptionPrincipal": found.principal,
            "RawMessageDelivery": "false",
        }
        attributes |= {name: value for name, value in found.settings.items() if value}
        if attributes.get("FilterPolicy"):
            attributes.setdefault("FilterPolicyScope", ATTRIBUTES_SCOPE)
        else:
            attributes.pop("FilterPolicyScope", None)
        return {"Attributes": attributes}

    async def set_subscription_attributes(self, call: Call, given: Members) -> Members:
        name, value = given["AttributeName"], given.get("AttributeValue") or ""
        found = self.find(given["SubscriptionArn"])
        settings = {**found.settings, name: value}
        if not value and name in ("FilterPolicy", "RedrivePolicy", "DeliveryPolicy"):
            del settings[name]
        rules.subscription_settings(settings, "Invalid parameter: ")
        await self._subscriptions.configure(found, settings)
        return {}


def _summary(one: Subscription) -> Members:
    confirmed = one.state is SubscriptionState.CONFIRMED
    return {
        "SubscriptionArn": one.arn if confirmed else PENDING_IN_LISTS,
        "Owner": one.owner,
        "Protocol": one.protocol.value,
        "Endpoint": without_password(one.endpoint),
        "TopicArn": one.topic,
    }
