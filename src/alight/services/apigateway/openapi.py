"""An OpenAPI body, Swagger 2.0 or OpenAPI 3.0, in JSON or YAML: read, and its parts found wherever a version has them.

REST APIs (`imports`) and HTTP APIs (`apigatewayv2.imports`) read the same document; what is not understood is refused
by name, because an extension that is passed over would be accepted and inert.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import yaml

from alight.errors.apigateway import BadRequestException
from alight.errors.common import NotImplemented_

T = TypeVar("T")
Document = dict[str, Any]

MOST_NODES = 200_000
_INVALID = "Invalid OpenAPI input."

VERBS = ("get", "put", "post", "delete", "patch", "options", "head")
ANY = "x-amazon-apigateway-any-method"
INTEGRATION = "x-amazon-apigateway-integration"
AUTHORIZER = "x-amazon-apigateway-authorizer"
_PREFIX = "x-amazon-apigateway-"


@dataclass(frozen=True, slots=True)
class Operation:
    """One verb (or ANY) of one path. `schemes` are the names of its security schemes; None where it says nothing."""

    path: str
    verb: str
    content: Document
    schemes: tuple[str, ...] | None

    @property
    def integration(self) -> Document | None:
        found: Document | None = self.content.get(INTEGRATION)
        return found

    @property
    def name(self) -> str:
        return str(self.content.get("operationId") or "")


def read_document(body: bytes | str) -> Document:
    """Raises `BadRequestException` where it is no OpenAPI document of a version that AWS takes."""
    text = body if isinstance(body, str) else body.decode("utf-8", "replace")
    try:
        document = json.loads(text) if text.lstrip().startswith("{") else yaml.safe_load(text)
        plain = _plain(document, itertools.count(1))
    except (ValueError, RecursionError, yaml.YAMLError):
        raise BadRequestException(_INVALID) from None
    if not isinstance(plain, dict) or version_of(plain) not in ("2", "3.0"):
        raise BadRequestException(_INVALID)
    if not isinstance(plain.get("paths") or {}, dict):
        raise BadRequestException(_INVALID)
    return plain


def understood(read: Callable[[], T]) -> T:
    """What `read` makes of a document. One that has a list where a mapping belongs, or a number where there should be
    words, breaks the reading somewhere; that is the document's fault, and told as such."""
    try:
        return read()
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise BadRequestException(_INVALID) from error


def _plain(value: Any, nodes: Iterator[int]) -> Any:
    """The types that JSON has: YAML reads codes as numbers and dates as dates. An anchor that is used again and again
    multiplies; no honest document comes near the limit."""
    if next(nodes) > MOST_NODES:
        raise ValueError("too many nodes")
    if isinstance(value, dict):
        return {str(key): _plain(item, nodes) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, nodes) for item in value]
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def version_of(document: Document) -> str:
    """`2` or `3.0`; another text for what is neither."""
    if str(document.get("swagger", "")).startswith("2"):
        return "2"
    return "3.0" if str(document.get("openapi", "")).startswith("3.0") else "unknown"


def operations(document: Document) -> Iterator[Operation]:
    """Every operation, path by path. Raises for parts of a path that are not understood."""
    general = schemes_of(document)
    for path, entry in (document.get("paths") or {}).items():
        if not isinstance(entry, Mapping):
            raise BadRequestException(f"Unable to parse API definition because of a malformed path {path}")
        refuse_extensions(entry, {ANY}, f"at path {path}")
        for verb, content in entry.items():
            if verb not in VERBS and verb != ANY:
                continue
            if not isinstance(content, Mapping):
                raise BadRequestException(
                    f"Unable to parse API definition because of a malformed operation at path {path}"
                )
            refuse_extensions(content, {INTEGRATION, f"{_PREFIX}auth"}, f"at path {path}")
            own = schemes_of(content)
            yield Operation(
                path, "ANY" if verb == ANY else verb.upper(), dict(content), general if own is None else own
            )


def schemes_of(entry: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The names of the security schemes that `security` asks for; None where there is no such word."""
    if "security" not in entry:
        return None
    return tuple(name for requirement in entry["security"] or [] for name in requirement)


def security_schemes(document: Document) -> dict[str, Document]:
    """Every security scheme by its name."""
    if version_of(document) == "2":
        return dict(document.get("securityDefinitions") or {})
    return dict((document.get("components") or {}).get("securitySchemes") or {})


def base_path(document: Document) -> str:
    """What stands before every path: Swagger's basePath, or the path of OpenAPI's first server; without a slash at
    the end."""
    if version_of(document) == "2":
        return str(document.get("basePath") or "").rstrip("/")
    servers = document.get("servers") or []
    if not servers:
        return ""
    variables = servers[0].get("variables") or {}
    if isinstance(variables.get("basePath"), dict):
        return (
            "/" + str(variables["basePath"].get("default") or "").strip("/")
            if variables["basePath"].get("default")
            else ""
        )
    url = str(servers[0].get("url") or "")
    path = url.partition("://")[2].partition("/")[2] if "://" in url else url.lstrip("/")
    return f"/{path.rstrip('/')}" if path.rstrip("/") else ""


def refuse_extensions(entry: Mapping[str, Any], known: set[str], where: str) -> None:
    """Raises where one of API Gateway's extensions is not offered."""
    for name in entry:
        if str(name).startswith(_PREFIX) and name not in known:
            raise NotImplemented_(f"Alight does not support {name} {where}.")


def joined(base: str, path: str, option: str) -> str:
    """A path by the rule that was asked for: base paths are ignored, prepended, or all but their first part."""
    if option == "ignore" or not base:
        return path
    before = base if option == "prepend" else "/" + base.strip("/").partition("/")[2]
    return f"{before.rstrip('/')}/{path.lstrip('/')}".rstrip("/") or "/"
