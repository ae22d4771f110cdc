"""One fault, several spellings: what the gateway's own faults are called in each protocol, and modelled codes.

A service's fault keeps its name. `spell` looks its shape up in the model, so that clients raise the right class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from botocore.model import StructureShape

from alight.errors import Fault
from alight.gateway.models import Service


class Words(NamedTuple):
    """Code and status in one protocol; status None keeps the fault's own."""

    code: str
    status: int | None = None


#: Code -> protocol or service -> how it is said there. A service's row wins over its protocol's.
DIALECTS: dict[str, dict[str, Words]] = {
    "AccessDenied": {
        "json": Words("AccessDeniedException", 400),
        "rest-json": Words("AccessDeniedException"),
        "sns": Words("AuthorizationError"),
    },
    "MissingAuthentication": {
        "json": Words("MissingAuthenticationTokenException", 400),
        "rest-json": Words("MissingAuthenticationTokenException"),
        "query": Words("MissingAuthenticationToken"),
    },
    "AuthorizationHeaderMalformed": {
        "json": Words("IncompleteSignatureException"),
        "rest-json": Words("IncompleteSignatureException", 403),
        "query": Words("IncompleteSignature"),
    },
    "EntityTooLarge": {
        "rest-xml": Words("EntityTooLarge"),
        "query": Words("RequestEntityTooLarge"),
        "lambda": Words("RequestTooLargeException"),
    },
    "ExpiredToken": {
        "json": Words("ExpiredTokenException"),
        "rest-json": Words("ExpiredTokenException", 403),
        "query": Words("ExpiredToken", 403),
    },
    "InternalError": {
        "json": Words("InternalFailure"),
        "rest-json": Words("InternalFailure"),
        "query": Words("InternalFailure"),
        "lambda": Words("ServiceException"),
    },
    "InvalidAccessKeyId": {
        "json": Words("UnrecognizedClientException", 400),
        "rest-json": Words("UnrecognizedClientException"),
        "query": Words("InvalidClientTokenId"),
    },
    "InvalidArgument": {
        "json": Words("ValidationException"),
        "rest-json": Words("ValidationException"),
        "query": Words("InvalidParameterValue"),
        "lambda": Words("InvalidParameterValueException"),
        "sagemaker-runtime": Words("ValidationError"),
    },
    "MissingMember": {
        "rest-xml": Words("InvalidRequest"),
        "query": Words("ValidationError"),
        "sns": Words("InvalidParameter"),
        "sqs": Words("MissingParameter"),
        "cloudwatch": Words("MissingParameter"),
        "lambda": Words("InvalidParameterValueException"),
        "logs": Words("InvalidParameterException"),
        "sagemaker-runtime": Words("ValidationError"),
    },
    "RequestTimeTooSkewed": {"json": Words("RequestTimeTooSkewed", 400)},
    "SerializationException": {"query": Words("MalformedInput")},
    "SignatureDoesNotMatch": {
        "json": Words("InvalidSignatureException", 400),
        "rest-json": Words("InvalidSignatureException"),
    },
    "SlowDown": {
        "json": Words("ThrottlingException", 400),
        "rest-json": Words("TooManyRequestsException", 429),
        "query": Words("Throttling", 400),
        "sagemaker-runtime": Words("ServiceUnavailable", 503),
    },
    "UnknownOperation": {"json": Words("UnknownOperationException", 400)},
    "XAmzContentSHA256Mismatch": {
        "json": Words("InvalidSignatureException"),
        "rest-json": Words("InvalidSignatureException", 403),
        "query": Words("SignatureDoesNotMatch", 403),
    },
}


#: Where the faults come from that the table may re-word; a service's own faults keep their names.
OURS = frozenset({"alight.errors", "alight.errors.common", "alight.errors.gateway"})


@dataclass(frozen=True, slots=True)
class Spelling:
    """How a fault is said to this client; `query_code` is the second code of query-compatible JSON services."""

    code: str
    status: int
    shape: StructureShape | None
    message_name: str
    query_code: str
    namespace: str
    content_type: bytes


def spell(service: Service, protocol: str, fault: Fault) -> Spelling:
    """A gateway fault by the table (its class name, then its code), any other by the model."""
    words = _words(service.name, protocol, fault)
    code = words.code if words else fault.code
    status = words.status if words and words.status else fault.status
    shape = service.error_shape(code)
    modelled = shape.metadata.get("error", {}).get("code", "") if shape is not None else ""
    is_query = protocol == "query"
    version = service.model.metadata.get("jsonVersion", "1.0")
    return Spelling(
        code=(modelled or code) if is_query else shape.name if shape is not None else code,
        status=status,
        shape=shape,
        message_name=_message_name(shape),
        query_code=(modelled or code) if "query" in service.protocols and not is_query else "",
        namespace=service.namespace,
        content_type=f"application/x-amz-json-{version}".encode(),
    )


def _words(service: str, protocol: str, fault: Fault) -> Words | None:
    if type(fault).__module__ not in OURS:
        return None
    for name in (type(fault).__name__, fault.code):
        table = DIALECTS.get(name, {})
        words = table.get(service) or table.get(protocol)
        if words is not None:
            return words
    return None


def _message_name(shape: StructureShape | None) -> str:
    """The model's own spelling: `message` or `Message`."""
    members = shape.members if shape is not None else {}
    found = next((name for name in members if name.lower() == "message"), "message")
    return str(members[found].serialization.get("name", found)) if found in members else found
