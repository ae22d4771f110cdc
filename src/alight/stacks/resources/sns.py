"""AWS::SNS::Topic, ::Subscription and ::TopicPolicy."""

from __future__ import annotations

from typing import Any

from alight import names
from alight.calls import Members
from alight.stacks.provider import Named, Naming, Provider, Work
from alight.stacks.resources.values import as_document, as_text, given, tag_list, texts

_TOPIC_ATTRIBUTES = ("DisplayName", "SignatureVersion")
_SUBSCRIPTION_ATTRIBUTES = (
    "FilterPolicy",
    "FilterPolicyScope",
    "RawMessageDelivery",
    "RedrivePolicy",
    "DeliveryPolicy",
)


async def _create_topic(work: Work) -> Members:
    attributes = texts(work.properties, *_TOPIC_ATTRIBUTES)
    members = tag_list(work.properties) | ({"Attributes": attributes} if attributes else {})
    await work.call("sns", "CreateTopic", Name=work.name, **members)
    return await _subscribe_all(work)


async def _update_topic(work: Work) -> Members:
    for name in _TOPIC_ATTRIBUTES:
        if work.changed(name):
            value = as_text(work.properties.get(name, "1" if name == "SignatureVersion" else ""))
            await work.call("sns", "SetTopicAttributes", TopicArn=_arn(work), AttributeName=name, AttributeValue=value)
    return await _subscribe_all(work)


async def _subscribe_all(work: Work) -> Members:
    """The topic's own list of subscriptions; those that left it are cancelled."""
    known: dict[str, str] = work.known.get("Subscriptions", {})
    wanted = {f"{one['Protocol']} {one['Endpoint']}": one for one in work.properties.get("Subscription") or []}
    for name, arn in known.items():
        if name not in wanted:
            await work.quietly("sns", "Unsubscribe", SubscriptionArn=arn)
    kept = {name: arn for name, arn in known.items() if name in wanted}
    for name, one in wanted.items():
        if name not in kept:
            kept[name] = await _subscribe(work, _arn(work), one)
    return {"Subscriptions": kept}


async def _subscribe(work: Work, topic: str, one: Members) -> str:
    attributes = texts(one, *_SUBSCRIPTION_ATTRIBUTES)
    members = given(one, "Protocol", "Endpoint") | ({"Attributes": attributes} if attributes else {})
    told = await work.call("sns", "Subscribe", TopicArn=topic, ReturnSubscriptionArn=True, **members)
    return str(told["SubscriptionArn"])


async def _delete_topic(work: Work) -> None:
    await work.quietly("sns", "DeleteTopic", TopicArn=_arn(work))


def _arn(one: Named) -> str:
    return names.topic_arn(one.name)


def _topic(one: Named) -> Members:
    return {"Ref": _arn(one), "TopicArn": _arn(one), "TopicName": one.name}


async def _create_subscription(work: Work) -> Members:
    return {"Ref": await _subscribe(work, work.properties["TopicArn"], work.properties)}


async def _update_subscription(work: Work) -> None:
    for name in _SUBSCRIPTION_ATTRIBUTES:
        if work.changed(name):
            value = as_text(work.properties.get(name, _CLEARED[name]))
            members = {"SubscriptionArn": work.known["Ref"], "AttributeName": name, "AttributeValue": value}
            await work.call("sns", "SetSubscriptionAttributes", **members)


_CLEARED: dict[str, Any] = {
    "FilterPolicy": {},
    "FilterPolicyScope": "MessageAttributes",
    "RawMessageDelivery": False,
    "RedrivePolicy": {},
    "DeliveryPolicy": {},
}


async def _delete_subscription(work: Work) -> None:
    if "Ref" in work.known:
        await work.quietly("sns", "Unsubscribe", SubscriptionArn=work.known["Ref"])


async def _put_policy(work: Work) -> None:
    for topic in work.properties["Topics"]:
        await _set_policy(work, topic, as_document(work.properties["PolicyDocument"]))
    for topic in set(work.before.get("Topics") or []) - set(work.properties["Topics"]):
        await _set_policy(work, topic, "")


async def _drop_policy(work: Work) -> None:
    for topic in work.properties["Topics"]:
        await _set_policy(work, topic, "")


async def _set_policy(work: Work, topic: str, document: str) -> None:
    members = {"TopicArn": topic, "AttributeName": "Policy", "AttributeValue": document}
    await (work.call if document else work.quietly)("sns", "SetTopicAttributes", **members)


PROVIDERS = (
    Provider(
        type="AWS::SNS::Topic",
        naming=Naming("TopicName", 256),
        create=_create_topic,
        update=_update_topic,
        delete=_delete_topic,
        attributes=_topic,
        replaced_by=frozenset({"TopicName"}),
        needs=(("sns", "CreateTopic"), ("sns", "DeleteTopic")),
    ),
    Provider(
        type="AWS::SNS::Subscription",
        naming=Naming(),
        create=_create_subscription,
        update=_update_subscription,
        delete=_delete_subscription,
        attributes=lambda one: {},
        replaced_by=frozenset({"TopicArn", "Protocol", "Endpoint"}),
        late=frozenset({"Ref", "Arn"}),
        needs=(("sns", "Subscribe"), ("sns", "Unsubscribe")),
    ),
    Provider(
        type="AWS::SNS::TopicPolicy",
        naming=Naming(),
        create=_put_policy,
        update=_put_policy,
        delete=_drop_policy,
        attributes=lambda one: {"Ref": one.name, "Id": one.name},
        needs=(("sns", "SetTopicAttributes"),),
    ),
)
