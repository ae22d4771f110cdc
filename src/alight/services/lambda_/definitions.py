"""What Lambda keeps of a function: one record, in AWS's member names, and how requests change it (pure).

Record body: `Configuration` (what GetFunctionConfiguration answers), `Code` (where the unpacked package lies), `Opt`
(the same of its layers, where it has some),
`Reserved`, `Policy` (statements by id), `EventInvoke`, `Tags`, `Publish` (`staged` or `immediate`), and `RecursiveLoop`
(`Allow` or `Terminate`) where somebody has said it.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from alight import names
from alight.calls import Members
from alight.errors.common import ValidationException
from alight.errors.lambda_ import (
    InvalidParameterValueException,
    PreconditionFailedException,
    ResourceConflictException,
    ResourceNotFoundException,
)
from alight.functions.archive import UNPACKED_LIMIT

KIND = "lambda:function"

_NAME = re.compile(
    r"(?:arn:aws:lambda:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):function:|(?P<account2>\d{12}):function:)?"
    r"(?P<name>[a-zA-Z0-9_-]{1,64})(?::(?P<qualifier>\$LATEST|[a-zA-Z0-9_-]+))?"
)
_ROLE = re.compile(r"arn:aws:iam::\d{12}:role/(?:[\w+=,.@/-]*/)?(?P<name>[\w+=,.@-]{1,64})")

_HANDLER = re.compile(r"[^\s]+")

#: Members of Create and UpdateFunctionConfiguration that are kept as they are given.
_PLAIN = (
    "Handler", "Runtime", "Role", "Description", "Timeout", "MemorySize", "TracingConfig", "EphemeralStorage",
)  # fmt: skip


@lru_cache(maxsize=512)
def parse_name(text: str) -> tuple[str, str]:
    """`(name, qualifier)` of a function name, partial ARN or ARN; the qualifier is empty where none is given."""
    match = _NAME.fullmatch(text)
    if match is None:
        raise InvalidParameterValueException(f"Invalid function name or ARN: {text}", Type="User")
    return match["name"], match["qualifier"] or ""


def role_name(role_arn: str) -> str:
    match = _ROLE.fullmatch(role_arn)
    if match is None:
        raise InvalidParameterValueException(f"The role {role_arn!r} is not the ARN of a role.", Type="User")
    return match["name"]


def not_found(arn: str) -> ResourceNotFoundException:
    return ResourceNotFoundException(f"Function not found: {arn}", Type="User")


def exists(name: str) -> ResourceConflictException:
    return ResourceConflictException(f"Function already exist: {name}", Type="User")


def created(given: Members, code: Members, now: float) -> dict[str, Any]:
    """The record body of a new function."""
    name, _ = parse_name(given["FunctionName"])
    configuration: Members = {
        "FunctionName": name,
        "FunctionArn": names.function_arn(name),
        "Description": "",
        "Timeout": 3,
        "MemorySize": 128,
        "Version": "$LATEST",
        "TracingConfig": {"Mode": "PassThrough"},
        "PackageType": "Zip",
        "Architectures": given.get("Architectures", ["x86_64"]),
        "EphemeralStorage": given.get("EphemeralStorage", {"Size": 512}),
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}"},
    }
    body = {
        "Configuration": configuration,
        "Code": {},
        "Reserved": None,
        "Policy": {},
        "EventInvoke": None,
        "Tags": given.get("Tags", {}),
        "Publish": given.get("AlightPublish", "staged"),
    }
    return with_code(reconfigured(body, given, now), code, now)


def reconfigured(body: dict[str, Any], given: Members, now: float) -> dict[str, Any]:
    """`body` with the members that a request gives; raises where they are not valid."""
    _check_limits(given)
    changed = body["Configuration"] | {member: given[member] for member in _PLAIN if given.get(member) is not None}
    if given.get("Environment") is not None:
        changed["Environment"] = {"Variables": _variables(given["Environment"].get("Variables") or {})}
    if (letters := given.get("DeadLetterConfig")) is not None:
        # An empty target takes the queue away.
        changed.pop("DeadLetterConfig", None)
        changed |= {"DeadLetterConfig": {"TargetArn": letters["TargetArn"]}} if letters.get("TargetArn") else {}
    if given.get("LoggingConfig") is not None:
        changed["LoggingConfig"] = body["Configuration"]["LoggingConfig"] | given["LoggingConfig"]
    if "AlightPublish" in given:
        body = body | {"Publish": given["AlightPublish"]}
    return body | {"Configuration": changed | _stamp(now)}


def with_code(body: dict[str, Any], code: Members, now: float) -> dict[str, Any]:
    """`body` with another package: `Dir`, `Venv`, `Compiled`, `Sha256` (base64), `Size` and
    `Unpacked` in bytes; see `places`."""
    changed = body["Configuration"] | {"CodeSha256": code["Sha256"], "CodeSize": code["Size"]} | _stamp(now)
    return body | {"Configuration": changed, "Code": code}


def may_loop(body: dict[str, Any] | None) -> bool:
    """Whether its owner wants the function to cause itself for ever."""
    return body is not None and body.get("RecursiveLoop") == "Allow"


def warned(body: dict[str, Any], warnings: Sequence[str]) -> dict[str, Any]:
    """What is to be known of the package although it was taken, in the one member that says something of a state."""
    configuration = {name: value for name, value in body["Configuration"].items() if name != "StateReason"}
    if warnings:
        configuration["StateReason"] = " ".join(warnings)
    return body | {"Configuration": configuration, "Code": body["Code"] | {"Warnings": list(warnings)}}


def with_layers(body: dict[str, Any], layers: Sequence[Members], opt: dict[str, Any] | None) -> dict[str, Any]:
    """`body` with these layers in its configuration, and the folder of all of them; with none where there are none."""
    configuration = {name: value for name, value in body["Configuration"].items() if name != "Layers"}
    if layers:
        configuration["Layers"] = list(layers)
    return body | {"Configuration": configuration, "Opt": opt}


def check_size(body: dict[str, Any]) -> dict[str, Any]:
    """The body, where code and layers together are within Lambda's limit."""
    size = body["Code"].get("Unpacked", 0) + (body.get("Opt") or {}).get("Unpacked", 0)
    if size > UNPACKED_LIMIT:
        raise InvalidParameterValueException(
            f"Function code combined with layers exceeds the maximum allowed size of {UNPACKED_LIMIT} bytes. The "
            f"actual size is {size} bytes.",
            Type="User",
        )
    return body


def at_revision(body: dict[str, Any], given: Members) -> dict[str, Any]:
    """The body, where it is the revision that the request was made for. Asked inside the job that writes, so that of
    two updates of one revision only one succeeds."""
    revision = body["Configuration"]["RevisionId"]
    if (given.get("RevisionId") or revision) != revision:
        raise PreconditionFailedException(Type="User")
    return body


def revised(body: dict[str, Any]) -> dict[str, Any]:
    """The body under a new revision: something that belongs to it, though not its code or configuration, changes."""
    return body | {"Configuration": body["Configuration"] | {"RevisionId": str(uuid.uuid4())}}


def _stamp(now: float) -> Members:
    moment = datetime.fromtimestamp(now, UTC)
    return {
        "LastModified": moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}+0000",
        "RevisionId": str(uuid.uuid4()),
    }


def _check_limits(given: Members) -> None:
    if (handler := given.get("Handler")) is not None and not _HANDLER.fullmatch(handler):
        raise ValidationException(
            f"1 validation error detected: Value '{handler}' at 'handler' failed to satisfy constraint: Member must "
            r"satisfy regular expression pattern: [^\s]+"
        )
    if (timeout := given.get("Timeout")) is not None and not 1 <= timeout <= 900:
        raise InvalidParameterValueException(f"'Timeout' is {timeout}: it must be 1 to 900 seconds.", Type="User")
    if (memory := given.get("MemorySize")) is not None and not 128 <= memory <= 10_240:
        raise InvalidParameterValueException(f"'MemorySize' is {memory}: it must be 128 to 10240 MB.", Type="User")


_RESERVED = {
    "_HANDLER", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR", "AWS_LAMBDA_INITIALIZATION_TYPE",
}  # fmt: skip


def _variables(variables: dict[str, str]) -> dict[str, str]:
    reserved = sorted(set(variables) & _RESERVED)
    if reserved:
        raise InvalidParameterValueException(
            "Lambda was unable to configure your environment variables because the environment variables you have "
            f"provided contains reserved keys that are currently not supported for modification. "
            f"Reserved keys used in this request: {', '.join(reserved)}",
            Type="User",
        )
    if sum(len(name.encode()) + len(value.encode()) for name, value in variables.items()) > 4096:
        raise InvalidParameterValueException("Environment variables are larger than 4 KB.", Type="User")
    return variables
