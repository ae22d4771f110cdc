"""Operations on topics themselves: made, described, set, tagged, removed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from alight.calls import Call, Members
from alight.errors.common import NotImplemented_
from alight.errors.sns import InvalidParameter, NotFound, ResourceNotFound
from alight.names import ACCOUNT
from alight.names import topic_arn as arn_of
from alight.notifications.definitions import Definitions
from alight.notifications.message import TOPIC, SubscriptionState, Topic, to_topic
from alight.notifications.policy import HTTP_PHASES
from alight.notifications.subscriptions import Subscriptions
from alight.parsed import parsed
from alight.services.paging import next_token, read_token
from alight.services.permission_statements import OutOfScope, check_form
from alight.services.resource_policies import default_topic_policy
from alight.services.sns import rules
from alight.store.database import Database, Tx
from alight.store.records import Records

PAGE = 100

#: Stored and returned, with nothing to act on here.
_NEUTRAL = frozenset({"KmsMasterKeyId", "TracingConfig"})
_HONOURED = frozenset({"DisplayName", "DeliveryPolicy", "Policy", "SignatureVersion"})
_MOST_DISPLAY_NAME = 100


class TopicOperations:
    """CreateTopic and its kind."""

    def __init__(self, database: Database, records: Records, subscriptions: Subscriptions) -> None:
        self._database = database
        self._records = records
        self._definitions = Definitions(records)
        self._subscriptions = subscriptions

    def find(self, arn: str, member: str = "TopicArn") -> Topic:
        """The topic. Raises `NotFound`, or `InvalidParameter` for what is no ARN."""
        rules.topic_arn(arn, member)
        topic = self._definitions.topic(arn)
        if topic is None:
            raise NotFound()
        return topic

    async def create_topic(self, call: Call, given: Members) -> Members:
        name = rules.topic_name(given["Name"])
        settings = dict(given.get("Attributes") or {})
        if settings.pop("FifoTopic", "false").lower() == "true":
            raise NotImplemented_("Alight does not offer FIFO topics.")
        for key, value in settings.items():
            _check_attribute(key, value, "Invalid parameter: Attributes Reason: ")
        tags = _tags(given.get("Tags") or [])
        arn = arn_of(name)

        def job(tx: Tx) -> None:
            known = self._records.get(TOPIC, arn, tx)
            if known is None:
                self._records.put(tx, TOPIC, arn, Topic(arn, settings, tags).body())
                return
            topic = to_topic(known.body)
            if any(topic.settings.get(key, "") != value for key, value in settings.items()):
                raise InvalidParameter(
                    "Invalid parameter: Attributes Reason: Topic already exists with different attributes"
                )
            if tags and dict(topic.tags) != tags:
                raise InvalidParameter("Invalid parameter: Tags Reason: Topic already exists with different tags")

        await self._database.write(job)
        return {"TopicArn": arn}

    async def delete_topic(self, call: Call, given: Members) -> Members:
        arn = rules.topic_arn(given["TopicArn"])

        def job(tx: Tx) -> None:
            self._records.delete(tx, TOPIC, arn)
            self._subscriptions.remove_all(tx, arn)

        await self._database.write(job)
        return {}

    async def list_topics(self, call: Call, given: Members) -> Members:
        found = self._records.list(TOPIC, after=read_token(given.get("NextToken"), rules.bad_token()), limit=PAGE + 1)
        topics = [{"TopicArn": record.name} for record in found[:PAGE]]
        return {"Topics": topics, **next_token([record.name for record in found], PAGE)}

    async def get_topic_attributes(self, call: Call, given: Members) -> Members:
        topic = self.find(given["TopicArn"])
        counts = self._subscriptions.counts(topic.arn)
        return {
            "Attributes": {
                "TopicArn": topic.arn,
                "Owner": ACCOUNT,
                "DisplayName": "",
                "Policy": json.dumps(default_topic_policy(topic.arn)),
                "SubscriptionsConfirmed": str(counts[SubscriptionState.CONFIRMED]),
                "SubscriptionsPending": str(counts[SubscriptionState.PENDING]),
                "SubscriptionsDeleted": str(counts[SubscriptionState.DELETED]),
                "EffectiveDeliveryPolicy": json.dumps(_effective_policy(topic.settings.get("DeliveryPolicy", ""))),
                **{name: value for name, value in topic.settings.items() if value},
            }
        }

    async def set_topic_attributes(self, call: Call, given: Members) -> Members:
        topic = self.find(given["TopicArn"])
        name, value = given["AttributeName"], given.get("AttributeValue") or ""
        _check_attribute(name, value, "Invalid parameter: ")
        changed = Topic(topic.arn, {**topic.settings, name: value}, topic.tags)
        await self._records.save(TOPIC, topic.arn, changed.body())
        return {}

    async def tag_resource(self, call: Call, given: Members) -> Members:
        topic = self._tagged(given["ResourceArn"])
        changed = Topic(topic.arn, topic.settings, {**topic.tags, **_tags(given["Tags"])})
        await self._records.save(TOPIC, topic.arn, changed.body())
        return {}

    async def untag_resource(self, call: Call, given: Members) -> Members:
        topic = self._tagged(given["ResourceArn"])
        kept = {key: value for key, value in topic.tags.items() if key not in given["TagKeys"]}
        await self._records.save(TOPIC, topic.arn, Topic(topic.arn, topic.settings, kept).body())
        return {}

    async def list_tags_for_resource(self, call: Call, given: Members) -> Members:
        topic = self._tagged(given["ResourceArn"])
        return {"Tags": [{"Key": key, "Value": value} for key, value in topic.tags.items()]}

    def _tagged(self, arn: str) -> Topic:
        try:
            return self.find(arn, "ResourceArn")
        except NotFound:
            raise ResourceNotFound() from None


def _check_attribute(name: str, value: str, prefix: str) -> None:
    if name in _HONOURED:
        if name == "SignatureVersion" and value not in ("1", "2"):
            raise InvalidParameter(f"{prefix}SignatureVersion: Invalid value [{value}]. Must be 1 or 2.")
        if name == "DisplayName" and (len(value) > _MOST_DISPLAY_NAME or (value and not value.isprintable())):
            raise InvalidParameter(f"{prefix}DisplayName")
        if name == "DeliveryPolicy" and value:
            try:
                given = parsed(value)
            except ValueError:
                raise InvalidParameter(f"{prefix}DeliveryPolicy: failed to parse JSON.") from None
            rules.check_topic_policy(given)
        if name == "Policy" and value:
            _check_policy(value, prefix)
    elif name not in _NEUTRAL:
        if name in ("FifoTopic", "ContentBasedDeduplication", "ArchivePolicy", "FifoThroughputScope") or (
            "Feedback" in name
        ):
            raise NotImplemented_(f"Alight does not support the topic attribute {name}.")
        raise InvalidParameter("Invalid parameter: AttributeName")


def _check_policy(text: str, prefix: str) -> None:
    try:
        check_form(text, "sns")
    except OutOfScope:
        raise InvalidParameter(f"{prefix}Policy statement action out of service scope!") from None
    except ValueError as error:
        raise InvalidParameter(f"{prefix}Policy Error: {error}") from None


def _tags(given: list[Mapping[str, str]]) -> dict[str, str]:
    tags = {item["Key"]: item["Value"] for item in given}
    if len(tags) != len(given):
        raise InvalidParameter("Invalid parameter: Duplicated keys are not allowed.")
    return tags


def _effective_policy(text: str) -> dict[str, Any]:
    """What webhooks of this topic get, defaults filled in."""
    retry = {
        "minDelayTarget": int(HTTP_PHASES.minimum),
        "maxDelayTarget": int(HTTP_PHASES.maximum),
        "numRetries": HTTP_PHASES.retries,
        "numMaxDelayRetries": 0,
        "numNoDelayRetries": 0,
        "numMinDelayRetries": 0,
        "backoffFunction": HTTP_PHASES.function,
    }
    http: dict[str, Any] = {
        "defaultHealthyRetryPolicy": retry,
        "disableSubscriptionOverrides": False,
        "defaultRequestPolicy": {"headerContentType": "text/plain; charset=UTF-8"},
    }
    given = (json.loads(text).get("http") or {}) if text else {}
    own = given.get("defaultHealthyRetryPolicy")
    merged = http | given
    if own:
        merged["defaultHealthyRetryPolicy"] = retry | own
    return {"http": merged}
