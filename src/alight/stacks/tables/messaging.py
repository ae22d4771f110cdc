"""Topics, subscriptions and queues."""

from __future__ import annotations

from collections.abc import Mapping

from alight.stacks.properties import Only, Refused, Table
from alight.stacks.tables.kinds import DOCUMENT, FLAG, TAGS, TEXT, TEXTS, WHOLE, N

_FIFO = "first-in-first-out is not offered yet."
_TOPIC: Table = {
    "TopicName": TEXT,
    "DisplayName": TEXT,
    "Subscription": [{"Protocol": TEXT, "Endpoint": TEXT}],
    "SignatureVersion": TEXT,
    "DeliveryStatusLogging": N,
    "TracingConfig": N,
    "Tags": TAGS,
    "FifoTopic": Only(("false",), _FIFO, neutral=True),
    "ContentBasedDeduplication": Refused(_FIFO),
    "FifoThroughputScope": Refused(_FIFO),
    "ArchivePolicy": Refused("archives of topics are not offered."),
    "DataProtectionPolicy": Refused("would hide parts of messages; not offered."),
    "KmsMasterKeyId": N,
}
_SUBSCRIPTION: Table = {
    "TopicArn": TEXT,
    "Protocol": TEXT,
    "Endpoint": TEXT,
    "FilterPolicy": DOCUMENT,
    "FilterPolicyScope": TEXT,
    "RawMessageDelivery": FLAG,
    "RedrivePolicy": DOCUMENT,
    "DeliveryPolicy": DOCUMENT,
    "Region": N,
    "SubscriptionRoleArn": N,
    "ReplayPolicy": Refused("replay of topics is not offered."),
}

_QUEUE: Table = {
    "QueueName": TEXT,
    "DelaySeconds": WHOLE,
    "MaximumMessageSize": WHOLE,
    "MessageRetentionPeriod": WHOLE,
    "ReceiveMessageWaitTimeSeconds": WHOLE,
    "RedrivePolicy": DOCUMENT,
    "VisibilityTimeout": WHOLE,
    "RedriveAllowPolicy": DOCUMENT,
    "SqsManagedSseEnabled": N,
    "Tags": TAGS,
    "FifoQueue": Only(("false",), _FIFO, neutral=True),
    "ContentBasedDeduplication": Refused(_FIFO),
    "DeduplicationScope": Refused(_FIFO),
    "FifoThroughputLimit": Refused(_FIFO),
    "KmsMasterKeyId": N,
    "KmsDataKeyReusePeriodSeconds": N,
}

TABLES: Mapping[str, Table] = {
    "AWS::SNS::Subscription": _SUBSCRIPTION,
    "AWS::SNS::Topic": _TOPIC,
    "AWS::SNS::TopicPolicy": {"PolicyDocument": DOCUMENT, "Topics": TEXTS},
    "AWS::SQS::Queue": _QUEUE,
    "AWS::SQS::QueuePolicy": {"PolicyDocument": DOCUMENT, "Queues": TEXTS},
}

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "AWS::SNS::Subscription": ("TopicArn", "Protocol"),
    "AWS::SNS::Topic": ("Subscription.*.Protocol", "Subscription.*.Endpoint"),
    "AWS::SNS::TopicPolicy": ("PolicyDocument", "Topics"),
    "AWS::SQS::QueuePolicy": ("PolicyDocument", "Queues"),
}
