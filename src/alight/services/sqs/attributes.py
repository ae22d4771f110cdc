"""A queue's attributes and a message's: what is allowed, what they are without being set, how they are stored."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any

from alight.errors.common import NotImplemented_
from alight.errors.sqs import InvalidAttributeName, InvalidAttributeValue, InvalidMessageContents, InvalidParameterValue
from alight.names import ACCOUNT, REGION, parse_arn
from alight.parsed import parsed
from alight.services.permission_statements import check_form
from alight.store.queues import Redrive

#: name -> (default, least, most)
_NUMBERS = {
    "DelaySeconds": ("0", 0, 900),
    "MaximumMessageSize": ("1048576", 1024, 1_048_576),
    "MessageRetentionPeriod": ("345600", 60, 1_209_600),
    "ReceiveMessageWaitTimeSeconds": ("0", 0, 20),
    "VisibilityTimeout": ("30", 0, 43_200),
}
#: What a queue has that was not told otherwise.
DEFAULTS: Mapping[str, str] = {name: number[0] for name, number in _NUMBERS.items()} | {"SqsManagedSseEnabled": "true"}
_DOCUMENTS = frozenset({"Policy", "RedrivePolicy", "RedriveAllowPolicy"})
_NEUTRAL = frozenset({"SqsManagedSseEnabled", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds"})
_REFUSED = frozenset({"FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"})

READ_ONLY = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
    "QueueArn",
)

KNOWN = frozenset({"All", *_NUMBERS, *_DOCUMENTS, *_NEUTRAL, *_REFUSED, *READ_ONLY})

_NAME = re.compile(r"^[A-Za-z0-9_.-]{1,256}$")
_TYPE = re.compile(r"^(String|Number|Binary)(\..+)?$")
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
MOST_ATTRIBUTES = 10


def check_settings(given: Mapping[str, str]) -> None:
    """Attributes for a queue. Raises SQS's faults."""
    for name, value in given.items():
        if name in _NUMBERS:
            _, least, most = _NUMBERS[name]
            if not value.isascii() or not value.isdecimal() or not least <= int(value) <= most:
                raise InvalidAttributeValue(f"Invalid value for the parameter {name}.")
        elif name in _DOCUMENTS:
            _check_document(name, value)
        elif name in _REFUSED:
            if value.lower() != "false":
                raise NotImplemented_("Alight does not offer FIFO queues.")
        elif name not in _NEUTRAL:
            raise InvalidAttributeName(f"Unknown Attribute {name}.")


def _check_document(name: str, text: str) -> None:
    if not text:
        return
    try:
        document = parsed(text)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise InvalidAttributeValue(f"Invalid value for the parameter {name}.")
    if name == "RedrivePolicy":
        redrive_policy(text)
    if name == "RedriveAllowPolicy":
        _check_allow_policy(document, InvalidAttributeValue(f"Invalid value for the parameter {name}."))
    if name == "Policy":
        try:
            check_form(text, "sqs")
        except ValueError:
            raise InvalidAttributeValue(f"Invalid value for the parameter {name}.") from None


def redrive_policy(text: str) -> Redrive | None:
    """The dead-letter queue of a RedrivePolicy."""
    if not text:
        return None
    document = json.loads(text)
    reason = f"Value {text} for parameter RedrivePolicy is invalid. Reason: "
    try:
        target = parse_arn(str(document["deadLetterTargetArn"]))
        most = int(document["maxReceiveCount"])
    except KeyError as error:
        raise InvalidParameterValue(
            f"{reason}Redrive policy does not contain mandatory attribute: {error.args[0]}."
        ) from None
    except ValueError:
        raise InvalidParameterValue(f"{reason}Invalid value.") from None
    if target.service != "sqs" or (target.region, target.account) != (REGION, ACCOUNT):
        raise InvalidParameterValue(f"{reason}Only a queue of this account and region can take dead letters.")
    if not 1 <= most <= 1_000:
        raise InvalidParameterValue(
            f"{reason}Invalid value for maxReceiveCount: {most}, valid values are from 1 to 1000."
        )
    return Redrive(target.resource, most)


_PERMISSIONS = ("allowAll", "denyAll", "byQueue")
MOST_SOURCES = 10


def _check_allow_policy(document: Mapping[str, Any], fault: InvalidAttributeValue) -> None:
    kind, sources = document.get("redrivePermission"), document.get("sourceQueueArns")
    listed = isinstance(sources, list) and 0 < len(sources) <= MOST_SOURCES
    if kind not in _PERMISSIONS or (listed if kind == "byQueue" else sources is None) is False:
        raise fault


def allows_redrive(text: str, source: str) -> bool:
    """Whether a queue with this RedriveAllowPolicy takes the dead letters of the queue `source` (ARN)."""
    document = json.loads(text) if text else {}
    kind = document.get("redrivePermission", "allowAll")
    return kind == "allowAll" or (kind == "byQueue" and source in document["sourceQueueArns"])


def check_body(body: str) -> None:
    if not body:
        raise InvalidParameterValue("Message must not be empty.")
    if _ILLEGAL.search(body):
        raise InvalidMessageContents(
            "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to "
            "#xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF."
        )


def stored_attributes(given: Mapping[str, Mapping[str, Any]] | None) -> dict[str, dict[str, str]]:
    """MessageAttributes as stored (binary values in base64). Raises SQS's faults."""
    if given and len(given) > MOST_ATTRIBUTES:
        raise InvalidParameterValue(f"Number of message attributes [{len(given)}] exceeds the allowed maximum [10].")
    return {name: _stored(name, value) for name, value in (given or {}).items()}


def _stored(name: str, value: Mapping[str, Any]) -> dict[str, str]:
    kind = value.get("DataType") or ""
    if not _NAME.fullmatch(name) or name.lower().startswith(("aws.", "amazon.")) or name[0] == "." or name[-1] == ".":
        raise InvalidParameterValue(f"Message (user) attribute name is invalid: {name}.")
    if not _TYPE.fullmatch(kind):
        raise InvalidParameterValue(
            f"The message attribute '{name}' has an invalid message attribute type, the set of supported type prefixes "
            "is Binary, Number, and String."
        )
    if kind.partition(".")[0] == "Binary":
        if not value.get("BinaryValue"):
            raise _empty(name, kind)
        return {"DataType": kind, "BinaryValue": base64.b64encode(value["BinaryValue"]).decode()}
    text = value.get("StringValue")
    if not text:
        raise _empty(name, kind)
    if kind.partition(".")[0] == "Number" and not _is_number(text):
        raise InvalidParameterValue(f"Can't cast the value of message (user) attribute '{name}' to a number.")
    if _ILLEGAL.search(text):
        raise InvalidMessageContents("Invalid characters found in a message attribute.")
    return {"DataType": kind, "StringValue": text}


def _empty(name: str, kind: str) -> InvalidParameterValue:
    return InvalidParameterValue(f"Message (user) attribute '{name}' must contain a non-empty value of type '{kind}'.")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def size(body: str, attributes: Mapping[str, Mapping[str, str]]) -> int:
    """Bytes that count towards the limit."""
    total = len(body.encode())
    for name, value in attributes.items():
        data = base64.b64decode(value["BinaryValue"]) if "BinaryValue" in value else value["StringValue"].encode()
        total += len(name.encode()) + len(value["DataType"].encode()) + len(data)
    return total


def shown_attributes(stored: Mapping[str, Mapping[str, str]], wanted: list[str]) -> dict[str, dict[str, Any]]:
    """MessageAttributes of a reply: those asked for by name, by `All`, or by a prefix (`foo.*`)."""
    return {name: _shown(value) for name, value in stored.items() if _asked_for(name, wanted)}


def _shown(value: Mapping[str, str]) -> dict[str, Any]:
    if "BinaryValue" in value:
        return {"DataType": value["DataType"], "BinaryValue": base64.b64decode(value["BinaryValue"])}
    return dict(value)


def _asked_for(name: str, wanted: list[str]) -> bool:
    return any(
        pattern in ("All", ".*", name) or (pattern.endswith(".*") and name.startswith(pattern[:-2]))
        for pattern in wanted
    )
