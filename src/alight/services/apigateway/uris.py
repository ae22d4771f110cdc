"""Which function an integration or authorizer URI means, and what a stage's variables make of it (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from alight import names
from alight.errors.apigateway import BadRequestException

_INVOCATIONS = re.compile(
    r"arn:aws[a-z-]*:apigateway:(?P<region>[a-z0-9-]*):lambda:path/(?:/)?2015-03-31/functions/"
    r"(?P<function>.+)/invocations"
)
_FUNCTION = re.compile(
    r"arn:aws[a-z-]*:lambda:(?P<region>[a-z0-9-]+):(?P<account>\d{12}|\$\{stageVariables\.[\w-]+\}):function:"
    r"(?P<name>(?:[\w-]|\$\{stageVariables\.[\w-]+\})+)(?::(?P<qualifier>(?:[\w$-]|\$\{stageVariables\.[\w-]+\})+))?"
)
_VARIABLE = re.compile(r"\$\{stageVariables\.([\w-]+)\}")
_ANY_SERVICE = re.compile(r"arn:aws[a-z-]*:apigateway:[a-z0-9-]*:(?P<service>[a-z0-9.-]+):(?:path|action)/.+")


def function_of(uri: str) -> str | None:
    """The ARN of the function that an integration's URI (or, for HTTP APIs, an ARN itself) calls, stage variables
    unresolved; None where it is no function's."""
    outer = _INVOCATIONS.fullmatch(uri)
    arn = outer["function"] if outer else uri
    return arn if _FUNCTION.fullmatch(arn) else None


def service_of(uri: str) -> str | None:
    """Which AWS service a URI in API Gateway's notation means (`sqs`, `s3` ...)."""
    match = _ANY_SERVICE.fullmatch(uri)
    return match["service"] if match else None


def with_variables(text: str, variables: Mapping[str, str]) -> str:
    """`text` with a stage's variables put in; one that the stage does not have is empty, as on AWS."""
    return _VARIABLE.sub(lambda match: variables.get(match[1], ""), text)


def check_variables(variables: Mapping[str, str]) -> None:
    """Names are letters, digits and underscores; values are of the characters that AWS lets into URLs."""
    for name, value in variables.items():
        if not re.fullmatch(r"[A-Za-z0-9_]+", name):
            raise BadRequestException(f"Stage variable name {name} is invalid. Only alphanumeric and underscore.")
        if not re.fullmatch(r"[A-Za-z0-9\-._~:/?#&=,]*", value):
            raise BadRequestException(
                f"Stage variable value is invalid: {name}. Please use values with alphanumeric characters and the "
                "symbols ' ', -', '.', '_', ':', '/', '?', '&', '=', and ','."
            )


def is_address(uri: str) -> bool:
    """Whether another server is named: http or https, with a host."""
    try:
        parts = urlsplit(_VARIABLE.sub("x", uri))
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def resource_arn(path: str) -> str:
    """An API's own ARN: `arn:aws:apigateway:REGION::/restapis/ID`."""
    return str(names.Arn("apigateway", path, account=""))
