"""What SNS accepts: names, ARNs, attribute values, subjects, sizes; in its own words."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any

from alight.errors.common import NotImplemented_
from alight.errors.sns import InvalidParameter
from alight.names import parse_arn
from alight.notifications.channels.email import is_address
from alight.notifications.channels.sms import is_phone_number
from alight.notifications.filter_rules import NestedPolicyError, PolicyError, read_policy
from alight.notifications.filters import ATTRIBUTES_SCOPE, SCOPES
from alight.notifications.message import Protocol
from alight.notifications.policy import Failed
from alight.parsed import parsed

MOST_BYTES = 256 * 1024
MOST_SUBJECT = 100

_TOPIC_NAME = re.compile(r"^[A-Za-z0-9_-]{1,256}$")
_ATTRIBUTE_NAME = re.compile(r"^[A-Za-z0-9_.-]{1,256}$")
_TYPE = re.compile(r"^(String|Number|Binary)(\.[^.].*)?$")
_OTHER_PROTOCOLS = ("application", "firehose")

#: Checks a webhook's URL; raises `Failed`.
CheckUrl = Callable[[str], object]


def bad_token() -> InvalidParameter:
    return InvalidParameter("Invalid parameter: NextToken")


def topic_name(name: str) -> str:
    """A standard topic's name. FIFO topics are refused by name."""
    if name.endswith(".fifo"):
        raise NotImplemented_("Alight does not offer FIFO topics.")
    if not _TOPIC_NAME.fullmatch(name):
        raise InvalidParameter("Invalid parameter: Topic Name")
    return name


def topic_arn(text: str, member: str = "TopicArn") -> str:
    """An ARN that may be a topic's."""
    parts = text.split(":")
    if len(parts) < 6:
        raise InvalidParameter(
            f"Invalid parameter: {member} Reason: An ARN must have at least 6 elements, not {len(parts)}"
        )
    try:
        arn = parse_arn(text)
    except ValueError:
        raise InvalidParameter(f"Invalid parameter: {member}") from None
    if arn.service != "sns" or ":" in arn.resource:
        raise InvalidParameter(f"Invalid parameter: {member}")
    return text


def protocol(text: str) -> Protocol:
    if text in _OTHER_PROTOCOLS:
        raise NotImplemented_(f"Alight does not offer the protocol {text}.")
    try:
        return Protocol(text)
    except ValueError:
        raise InvalidParameter(f"Invalid parameter: Amazon SNS does not support this protocol string: {text}") from None


def endpoint(kind: Protocol, text: str, check_url: CheckUrl) -> str:
    """An endpoint that its protocol can reach."""
    match kind:
        case Protocol.HTTP | Protocol.HTTPS:
            if not text.startswith(f"{kind.value}://"):
                raise InvalidParameter("Invalid parameter: Endpoint must match the specified protocol")
            try:
                check_url(text)
            except Failed as failure:
                raise InvalidParameter(f"Invalid parameter: Endpoint Reason: {failure}") from None
        case Protocol.EMAIL | Protocol.EMAIL_JSON:
            if not is_address(text):
                raise InvalidParameter("Invalid parameter: Email address")
        case Protocol.SMS:
            text = re.sub(r"[ ().-]", "", text)
            if not is_phone_number(text):
                raise InvalidParameter(f"Invalid parameter: Invalid SMS endpoint: {text}")
        case Protocol.LAMBDA:
            _arn_of("lambda", text, "Invalid parameter: Lambda endpoint ARN")
        case Protocol.SQS:
            _arn_of("sqs", text, "Invalid parameter: SQS endpoint ARN")
            if text.endswith(".fifo"):
                raise InvalidParameter(
                    "Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics"
                )
    return text


def _arn_of(service: str, text: str, problem: str) -> None:
    try:
        if parse_arn(text).service == service:
            return
    except ValueError:
        pass
    raise InvalidParameter(problem)


def subscription_settings(given: Mapping[str, str], prefix: str = "Invalid parameter: Attributes Reason: ") -> None:
    """Check the attributes of a subscription as a whole (a policy's form depends on its scope)."""
    for name, value in given.items():
        match name:
            case "RawMessageDelivery":
                if value.lower() not in ("true", "false"):
                    raise InvalidParameter(f"{prefix}{name}: Invalid value [{value}]. Must be true or false.")
            case "FilterPolicyScope":
                if value not in SCOPES:
                    choices = " or ".join(SCOPES)
                    raise InvalidParameter(f"{prefix}{name}: Invalid value [{value}]. Please use either {choices}")
            case "FilterPolicy":
                _filter_policy(value, given.get("FilterPolicyScope", ATTRIBUTES_SCOPE), prefix)
            case "RedrivePolicy":
                _redrive_policy(value, prefix)
            case "DeliveryPolicy":
                _json_object(value, f"{prefix}{name}")
                check_subscription_policy(parsed(value), prefix)
            case "ReplayPolicy" | "SubscriptionRoleArn":
                raise NotImplemented_(f"Alight does not support the subscription attribute {name}.")
            case _:
                raise InvalidParameter("Invalid parameter: AttributeName")


def _filter_policy(text: str, scope: str, prefix: str) -> None:
    if not text:
        return
    try:
        read_policy(text, scope)
    except NestedPolicyError as error:
        start = "Invalid parameter: " if "Attributes Reason" not in prefix else f"{prefix}FilterPolicy: "
        raise InvalidParameter(f"{start}{error}") from None
    except PolicyError as error:
        raise InvalidParameter(f"{prefix}FilterPolicy: {error}") from None


def _redrive_policy(text: str, prefix: str) -> None:
    if not text:
        return
    target = _json_object(text, f"{prefix}RedrivePolicy").get("deadLetterTargetArn")
    try:
        if isinstance(target, str) and parse_arn(target).service == "sqs":
            return
    except ValueError:
        pass
    raise InvalidParameter(f"{prefix}RedrivePolicy: deadLetterTargetArn is an invalid arn")


def _json_object(text: str, start: str) -> dict[str, Any]:
    try:
        value = parsed(text)
    except ValueError:
        raise InvalidParameter(f"{start}: failed to parse JSON.") from None
    if not isinstance(value, dict):
        raise InvalidParameter(f"{start}: must be a JSON object")
    return value


def check_topic_policy(policy: Mapping[str, Any]) -> None:
    """A topic's DeliveryPolicy: `{"http": {...}}`."""
    start = "Invalid parameter: DeliveryPolicy: "
    _only(policy, {"http"}, start)
    http = policy.get("http") or {}
    known = {
        "defaultHealthyRetryPolicy",
        "disableSubscriptionOverrides",
        "defaultThrottlePolicy",
        "defaultRequestPolicy",
    }
    _only(http, known, start)
    _retry_policy(http.get("defaultHealthyRetryPolicy"), start)
    _throttle_policy(http.get("defaultThrottlePolicy"), start)
    _request_policy(http.get("defaultRequestPolicy"), start)


def check_subscription_policy(policy: Mapping[str, Any], prefix: str) -> None:
    """A subscription's DeliveryPolicy."""
    start = f"{prefix}DeliveryPolicy: "
    _only(policy, {"healthyRetryPolicy", "throttlePolicy", "requestPolicy", "sicklyRetryPolicy", "guaranteed"}, start)
    if policy.get("sicklyRetryPolicy") or policy.get("guaranteed"):
        raise NotImplemented_("Alight does not support sicklyRetryPolicy and guaranteed of a DeliveryPolicy.")
    _retry_policy(policy.get("healthyRetryPolicy"), start)
    _throttle_policy(policy.get("throttlePolicy"), start)
    _request_policy(policy.get("requestPolicy"), start)


def _only(policy: Any, known: set[str], start: str) -> None:
    if not isinstance(policy, Mapping):
        raise InvalidParameter(f"{start}must be an object")
    for name in policy:
        if name not in known:
            raise InvalidParameter(f"{start}Unexpected JSON member: {name}")


_RETRY_MEMBERS = {
    "minDelayTarget",
    "maxDelayTarget",
    "numRetries",
    "numNoDelayRetries",
    "numMinDelayRetries",
    "numMaxDelayRetries",
    "backoffFunction",
}
_LONGEST = 3_600
_MOST_RETRIES = 100


def _retry_policy(policy: Any, start: str) -> None:
    if policy is None:
        return
    _only(policy, _RETRY_MEMBERS, start)
    numbers = {name: policy.get(name) or 0 for name in _RETRY_MEMBERS if name != "backoffFunction"}
    if any(isinstance(value, bool) or not isinstance(value, int) or value < 0 for value in numbers.values()):
        raise InvalidParameter(f"{start}retry values must be numbers from 0")
    if policy.get("backoffFunction", "linear") not in ("linear", "arithmetic", "geometric", "exponential"):
        raise InvalidParameter(f"{start}backoffFunction must be linear, arithmetic, geometric or exponential")
    if "minDelayTarget" not in policy or "maxDelayTarget" not in policy or "numRetries" not in policy:
        raise InvalidParameter(f"{start}minDelayTarget, maxDelayTarget and numRetries are required")
    if not 1 <= numbers["minDelayTarget"] <= numbers["maxDelayTarget"] <= _LONGEST:
        raise InvalidParameter(f"{start}delays must be 1 <= minDelayTarget <= maxDelayTarget <= {_LONGEST}")
    if numbers["numRetries"] > _MOST_RETRIES:
        raise InvalidParameter(f"{start}numRetries must be at most {_MOST_RETRIES}")
    phases = numbers["numNoDelayRetries"] + numbers["numMinDelayRetries"] + numbers["numMaxDelayRetries"]
    if phases > numbers["numRetries"]:
        raise InvalidParameter(f"{start}the phases have more retries than numRetries")


def _throttle_policy(policy: Any, start: str) -> None:
    if policy is None:
        return
    _only(policy, {"maxReceivesPerSecond"}, start)
    most = policy.get("maxReceivesPerSecond")
    if most is not None and (isinstance(most, bool) or not isinstance(most, int) or most < 1):
        raise InvalidParameter(f"{start}maxReceivesPerSecond must be a number from 1")


def _request_policy(policy: Any, start: str) -> None:
    if policy is None:
        return
    _only(policy, {"headerContentType"}, start)
    value = policy.get("headerContentType")
    if value is not None and (not isinstance(value, str) or not value.isprintable() or "/" not in value):
        raise InvalidParameter(f"{start}headerContentType is not a content type")


def subject(text: str | None) -> str | None:
    """Up to 100 characters of one line."""
    if text is not None and (not text or len(text) > MOST_SUBJECT or not text.isprintable() or text[0] == " "):
        raise InvalidParameter("Invalid parameter: Subject")
    return text


def structure(given: str | None, message: str) -> str:
    """ "" or "json", whose message must be an object with a default text."""
    if given is None:
        return ""
    if given != "json":
        raise InvalidParameter("Invalid parameter: MessageStructure")
    try:
        texts = parsed(message)
    except ValueError:
        raise InvalidParameter("Invalid parameter: Message Structure - JSON message body failed to parse") from None
    if not isinstance(texts, dict) or not isinstance(texts.get("default"), str):
        raise InvalidParameter("Invalid parameter: Message Structure - No default entry in JSON message body")
    return given


def attributes(given: Mapping[str, Mapping[str, Any]] | None) -> dict[str, dict[str, str]]:
    """MessageAttributes in the form of the envelope."""
    found = {}
    for name, value in (given or {}).items():
        kind = value.get("DataType") or ""
        if not _ATTRIBUTE_NAME.fullmatch(name) or name.startswith(".") or name.endswith(".") or ".." in name:
            raise ParameterName(name)
        if not _TYPE.fullmatch(kind):
            raise InvalidParameter(
                f"The message attribute '{name}' has an invalid message attribute type, the set of supported type "
                "prefixes is Binary, Number, and String."
            )
        found[name] = {"Type": kind, "Value": _attribute_value(name, kind, value)}
    return found


class ParameterName(InvalidParameter):
    """A message attribute's name that is not allowed."""

    code = "ParameterValueInvalid"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Invalid parameter: MessageAttributes Reason: the name '{name}' must be 1 to 256 letters, digits, "
            "hyphens, underscores or single periods, with no period at its ends"
        )


def _attribute_value(name: str, kind: str, value: Mapping[str, Any]) -> str:
    base = kind.partition(".")[0]
    if base == "Binary":
        binary = value.get("BinaryValue")
        if not binary:
            raise _empty(name, "binary", kind)
        return base64.b64encode(binary).decode()
    text = value.get("StringValue")
    if not text:
        raise _empty(name, "string", kind)
    if base == "Number":
        _check_number(name, text)
    elif kind == "String.Array":
        _check_array(name, text)
    return str(text)


def _empty(name: str, form: str, kind: str) -> InvalidParameter:
    return InvalidParameter(
        f"The message attribute '{name}' must contain non-empty message attribute value for message attribute "
        f"type '{kind}'."
    )


def _check_number(name: str, text: str) -> None:
    try:
        float(text)
    except ValueError:
        raise InvalidParameter(f"Could not cast message attribute '{name}' value to number.") from None


def _check_array(name: str, text: str) -> None:
    try:
        items = parsed(text)
    except ValueError:
        items = None
    if not isinstance(items, list) or any(isinstance(item, (list, dict)) for item in items):
        raise InvalidParameter(
            f"Message attribute '{name}' of type 'String.Array' is not an array of strings, numbers, booleans or null."
        )


def size(message: str, found: Mapping[str, Mapping[str, str]]) -> int:
    """Bytes that count towards the limit."""
    total = len(message.encode())
    for name, value in found.items():
        binary = value["Type"].partition(".")[0] == "Binary"
        length = len(base64.b64decode(value["Value"])) if binary else len(value["Value"].encode())
        total += len(name.encode()) + len(value["Type"].encode()) + length
    return total
