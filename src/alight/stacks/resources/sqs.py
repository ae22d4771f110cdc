"""AWS::SQS::Queue and ::QueuePolicy."""

from __future__ import annotations

from alight import names
from alight.calls import Members
from alight.stacks.provider import Named, Naming, Provider, Work
from alight.stacks.resources.values import as_document, as_text, tag_map, texts

_DEFAULTS = {
    "DelaySeconds": "0",
    "MaximumMessageSize": "1048576",
    "MessageRetentionPeriod": "345600",
    "ReceiveMessageWaitTimeSeconds": "0",
    "VisibilityTimeout": "30",
    "RedrivePolicy": "",
    "RedriveAllowPolicy": "",
}


def _url(one: Named) -> str:
    return f"{one.base_url.rstrip('/')}/{names.ACCOUNT}/{one.name}"


async def _create(work: Work) -> None:
    attributes = texts(work.properties, *_DEFAULTS)
    members = tag_map(work.properties, "tags") | ({"Attributes": attributes} if attributes else {})
    await work.call("sqs", "CreateQueue", QueueName=work.name, **members)


async def _update(work: Work) -> None:
    changed = [name for name in _DEFAULTS if work.changed(name)]
    attributes = {name: as_text(work.properties.get(name, _DEFAULTS[name])) for name in changed}
    if attributes:
        await work.call("sqs", "SetQueueAttributes", QueueUrl=_url(work), Attributes=attributes)


async def _delete(work: Work) -> None:
    await work.quietly("sqs", "DeleteQueue", QueueUrl=_url(work))


def _queue(one: Named) -> Members:
    return {"Ref": _url(one), "QueueUrl": _url(one), "Arn": names.queue_arn(one.name), "QueueName": one.name}


async def _put_policy(work: Work) -> None:
    document = as_document(work.properties["PolicyDocument"])
    for queue in work.properties["Queues"]:
        await work.call("sqs", "SetQueueAttributes", QueueUrl=queue, Attributes={"Policy": document})
    # By their names: the same queue has another URL where this instance has another port.
    kept = {_name(queue) for queue in work.properties["Queues"]}
    for queue in work.before.get("Queues") or []:
        if _name(queue) not in kept:
            await work.quietly("sqs", "SetQueueAttributes", QueueUrl=queue, Attributes={"Policy": ""})


def _name(url: str) -> str:
    return url.rpartition("/")[2]


async def _drop_policy(work: Work) -> None:
    for queue in work.properties["Queues"]:
        await work.quietly("sqs", "SetQueueAttributes", QueueUrl=queue, Attributes={"Policy": ""})


PROVIDERS = (
    Provider(
        type="AWS::SQS::Queue",
        naming=Naming("QueueName", 80),
        create=_create,
        update=_update,
        delete=_delete,
        attributes=_queue,
        replaced_by=frozenset({"QueueName"}),
        needs=(("sqs", "CreateQueue"), ("sqs", "SetQueueAttributes"), ("sqs", "DeleteQueue")),
    ),
    Provider(
        type="AWS::SQS::QueuePolicy",
        naming=Naming(),
        create=_put_policy,
        update=_put_policy,
        delete=_drop_policy,
        attributes=lambda one: {"Ref": one.name, "Id": one.name},
        needs=(("sqs", "SetQueueAttributes"),),
    ),
)
