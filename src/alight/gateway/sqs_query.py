"""SQS in the query protocol, which clients before November 2023 speak: names that today's model leaves out.

Today's botocore describes SQS in JSON only. Lists and maps are flattened on the old wire and called in the singular;
some errors have codes of their own, which newer clients get in the `x-amzn-query-error` header.
"""

from __future__ import annotations

from typing import Any

#: List shape -> name of one item.
ITEMS = {
    "AWSAccountIdList": "AWSAccountId",
    "ActionNameList": "ActionName",
    "AttributeNameList": "AttributeName",
    "BatchResultErrorEntryList": "BatchResultErrorEntry",
    "BinaryList": "BinaryListValue",
    "ChangeMessageVisibilityBatchRequestEntryList": "ChangeMessageVisibilityBatchRequestEntry",
    "ChangeMessageVisibilityBatchResultEntryList": "ChangeMessageVisibilityBatchResultEntry",
    "DeleteMessageBatchRequestEntryList": "DeleteMessageBatchRequestEntry",
    "DeleteMessageBatchResultEntryList": "DeleteMessageBatchResultEntry",
    "ListMessageMoveTasksResultEntryList": "ListMessageMoveTasksResultEntry",
    "MessageAttributeNameList": "MessageAttributeName",
    "MessageList": "Message",
    "MessageSystemAttributeList": "MessageSystemAttributeName",
    "QueueUrlList": "QueueUrl",
    "SendMessageBatchRequestEntryList": "SendMessageBatchRequestEntry",
    "SendMessageBatchResultEntryList": "SendMessageBatchResultEntry",
    "StringList": "StringListValue",
    "TagKeyList": "TagKey",
}

#: Map shape -> (name of one entry, of its key, of its value).
ENTRIES = {
    "MessageBodyAttributeMap": ("MessageAttribute", "Name", "Value"),
    "MessageBodySystemAttributeMap": ("MessageSystemAttribute", "Name", "Value"),
    "MessageSystemAttributeMap": ("Attribute", "Name", "Value"),
    "QueueAttributeMap": ("Attribute", "Name", "Value"),
    "TagMap": ("Tag", "Key", "Value"),
}

_PREFIX = "AWS.SimpleQueueService."

#: Error shape -> its code on the old wire.
CODES = {
    "QueueDoesNotExist": _PREFIX + "NonExistentQueue",
    "QueueNameExists": "QueueAlreadyExists",
    **{
        name: _PREFIX + name
        for name in (
            "BatchEntryIdsNotDistinct",
            "BatchRequestTooLong",
            "EmptyBatchRequest",
            "InvalidBatchEntryId",
            "MessageNotInflight",
            "PurgeQueueInProgress",
            "QueueDeletedRecently",
            "TooManyEntriesInBatchRequest",
            "UnsupportedOperation",
        )
    },
}


def patch_sqs(data: dict[str, Any]) -> None:
    """Write the old names into a freshly loaded model; JSON looks at none of them. What many members may share
    (`model_files`) is not written into."""
    shapes = data["shapes"]
    for shape, item in ITEMS.items():
        if shape in shapes:
            shapes[shape]["member"] = shapes[shape]["member"] | {"locationName": item}
    for shape, (_, key, value) in ENTRIES.items():
        if shape in shapes:
            shapes[shape]["key"] = shapes[shape]["key"] | {"locationName": key}
            shapes[shape]["value"] = shapes[shape]["value"] | {"locationName": value}
    for shape in shapes.values():
        members = shape.get("members", {})
        for name, member in members.items():
            if member["shape"] in ENTRIES:
                members[name] = member | {"queryName": ENTRIES[member["shape"]][0]}
    for shape, code in CODES.items():
        if shape in shapes:
            shapes[shape].setdefault("error", {"code": code, "httpStatusCode": 400, "senderFault": True})
