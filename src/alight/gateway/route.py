"""Which operation is meant: the service by its signature, target or host; the operation by path, query and headers.

Everything is looked up in tables made from the service models. `Match` is the answer; `Miss` says in which format
a refusal has to be written. Models are read when a service is first asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

from alight.errors import Fault
from alight.errors.common import NotImplemented_
from alight.errors.gateway import InvalidAction, InvalidURI, MethodNotAllowed, UnknownOperation
from alight.gateway.model_files import Models
from alight.gateway.models import Operation, Service, load_service
from alight.gateway.request import Request


class Names(NamedTuple):
    """What tells that a request is for a service, without reading its model."""

    signing: str
    hosts: tuple[str, ...]
    target: str = ""


#: A test holds this table against the models.
SERVICES: dict[str, Names] = {
    "s3": Names("s3", ("s3",)),
    "lambda": Names("lambda", ("lambda",)),
    "sagemaker": Names("sagemaker", ("api.sagemaker",), "SageMaker"),
    "sagemaker-runtime": Names("sagemaker", ("runtime.sagemaker",)),
    "sns": Names("sns", ("sns",)),
    "sqs": Names("sqs", ("sqs",), "AmazonSQS"),
    "logs": Names("logs", ("logs",), "Logs_20140328"),
    "cloudwatch": Names("monitoring", ("monitoring",), "GraniteServiceVersion20100801"),
    "cloudformation": Names("cloudformation", ("cloudformation",)),
    "iam": Names("iam", ("iam",)),
    "sts": Names("sts", ("sts",)),
    # Two services under one name: the paths of the second begin with `/v2/`, which no path of the first does.
    "apigateway": Names("apigateway", ("apigateway",)),
    "apigatewayv2": Names("apigateway", ("apigateway",)),
}

#: Signing names of the services whose REST is XML. All others speak JSON, and a GET does not show it.
_SPEAK_XML = ("s3", "s3-outposts", "s3-object-lambda", "s3express", "cloudfront", "route53")
_SCOPE = re.compile(r"Credential=[^/,\s]+/\d{8}/[^/,\s]*/([^/,\s]+)/aws4_request")


@dataclass(frozen=True, slots=True)
class Match:
    """An operation, the protocol in which it was asked, and what the path says."""

    service: Service
    operation: Operation
    protocol: str
    labels: dict[str, str]
    content_type: str


@dataclass(frozen=True, slots=True)
class Miss:
    """No operation; `fault` has to be written in `protocol`."""

    service: str
    protocol: str
    fault: Fault


@dataclass(frozen=True, slots=True)
class Pending:
    """The query protocol: the operation is named in the body, which has to be read first."""

    service: Service

    def match(self, action: str) -> Match | Miss:
        operation = self.service.operation(action)
        if operation is None:
            fault = InvalidAction(f"{self.service.name} has no action {action}.")
            return Miss(self.service.name, "query", fault)
        return Match(self.service, operation, "query", {}, "text/xml")


@dataclass(slots=True)
class _Node:
    """One step of a path: literal children, one label child, a greedy label's and the path's own operations."""

    literals: dict[str, _Node] = field(default_factory=dict)
    label: _Node | None = None
    greedy: dict[str, _Routes] = field(default_factory=dict)
    routes: dict[str, _Routes] = field(default_factory=dict)


@dataclass(slots=True)
class _Routes:
    """The operations that share method and path: `all`, and those that ask for nothing in the query (`plain`)."""

    all: list[_Route] = field(default_factory=list)
    plain: list[_Route] = field(default_factory=list)

    def add(self, route: _Route) -> None:
        self.all.append(route)
        if not route.literals and not route.query:
            self.plain.append(route)

    def sort(self) -> None:
        """The more an operation asks for, the earlier it is tried."""
        for routes in (self.all, self.plain):
            routes.sort(key=lambda route: (-len(route.literals), -len(route.query), -len(route.headers)))


_NO_ROUTES = _Routes()


@dataclass(frozen=True, slots=True)
class _Route:
    """An operation among those that share method and path, and what sets it apart."""

    operation: Operation
    labels: tuple[str, ...]
    literals: tuple[tuple[str, str | None], ...]
    query: tuple[str, ...]
    headers: frozenset[str]

    def fits(self, parameters: dict[str, str], request: Request) -> bool:
        # Loops and no generators: of an object there are a dozen routes to try.
        for name, value in self.literals:
            if name not in parameters or value not in (None, parameters[name]):
                return False
        for name in self.query:
            if name not in parameters:
                return False
        return request.headers.keys() >= self.headers


class Router:
    """`match(request, bucket)` over the given services (botocore's names)."""

    def __init__(self, services: Iterable[str] = tuple(SERVICES)) -> None:
        self._names = {name: SERVICES[name] for name in services}
        self._by_signing: dict[str, list[str]] = {}
        for name, names in self._names.items():
            self._by_signing.setdefault(names.signing, []).append(name)
        self._loader = Models(tuple(self._names))
        self._services: dict[str, Service] = {}
        self._trees: dict[str, _Node] = {}

    def service(self, name: str) -> Service:
        """The model of `name`, read now where it was not yet."""
        known = self._services.get(name)
        if known is None:
            known = self._services[name] = load_service(name, self._loader)
        return known

    def warm(self) -> None:
        """Read all models now, which the first request to each service would else wait for (0.2 s in all).

        Meant for a thread; a request that comes meanwhile at worst reads one model a second time.
        """
        for name in self._names:
            service = self.service(name)
            if service.protocol.startswith("rest"):
                self._trees[name] = _tree(service)

    def service_or_s3(self, name: str) -> Service:
        """For refusals: a service that we do not offer is answered in S3's name."""
        return self.service(name if name in self._names else "s3")

    def match(self, request: Request, bucket: str | None = None) -> Match | Pending | Miss:
        """`bucket` is the one in the Host; it goes before the path (on a copy: the signed path stays)."""
        signing = scope_of(request)
        candidates = self._candidates(request, signing)
        if not candidates:
            fault = NotImplemented_(f"Alight does not offer the service {signing}.")
            return Miss(signing or "s3", _spoken(request, signing), fault)
        missed: Miss | None = None
        for name in candidates:
            found = self._in(name, request, bucket)
            if not isinstance(found, Miss):
                return found
            missed = missed or found
        assert missed is not None
        return missed

    def _candidates(self, request: Request, signing: str | None) -> list[str]:
        target = request.headers.get("x-amz-target", "").partition(".")[0]
        if target:
            by_target = [name for name, names in self._names.items() if names.target == target]
            if by_target and signing in (None, self._names[by_target[0]].signing):
                return by_target
        if signing is not None:
            return self._by_signing.get(signing, [])
        by_host = [name for name, names in self._names.items() if _is_service_host(request.host, names.hosts)]
        if by_host:
            return by_host
        action = request.path == "/" and request.parameter("Action")
        if action:
            spoken = [name for name in self._names if "query" in self.service(name).protocols]
            return [name for name in spoken if self.service(name).operation(action)]
        return ["s3"] if "s3" in self._names else []

    def _in(self, name: str, request: Request, bucket: str | None) -> Match | Pending | Miss:
        service = self.service(name)
        if "x-amz-target" in request.headers and "json" in service.protocols:
            return _by_target(service, request)
        if "smithy-protocol" in request.headers:
            fault = NotImplemented_(f"Alight does not speak {request.headers['smithy-protocol']}.")
            return Miss(name, service.protocol, fault)
        if "query" in service.protocols:
            action = request.parameter("Action")
            return Pending(service).match(action) if action else Pending(service)
        if service.protocol == "json":
            return Miss(name, "json", UnknownOperation("The request has no X-Amz-Target."))
        return self._by_path(service, request, bucket)

    def _by_path(self, service: Service, request: Request, bucket: str | None) -> Match | Miss:
        tree = self._trees.get(service.name)
        if tree is None:
            tree = self._trees[service.name] = _tree(service)
        path = request.path
        if service.name == "s3" and bucket is not None:
            path = f"/{bucket}{path}"
        if service.name == "s3" and path.count("/") == 2 and path.endswith("/") and path != "//":
            # `/bucket/` is the bucket; every other slash at the end belongs to a key.
            path = path[:-1]
        found = _walk(tree, path)
        if found is None:
            return Miss(service.name, service.protocol, UnknownOperation())
        routes, values = found
        offered, parameters = routes.get(request.method, _NO_ROUTES), dict(request.parameters)
        for route in offered.all if parameters else offered.plain:
            if route.fits(parameters, request):
                return Match(service, route.operation, service.protocol, _labels(route.labels, values), "")
        fault = MethodNotAllowed() if service.name == "s3" else UnknownOperation()
        return Miss(service.name, service.protocol, fault)


def scope_of(request: Request) -> str | None:
    """The signing name in the credential scope of the header or of a presigned query."""
    authorization = request.headers.get("authorization")
    if authorization is not None:
        return _signing(authorization.rpartition("Signature=")[0]) or _signing(authorization)
    credential = request.parameter("X-Amz-Credential") if request.query else None
    parts = credential.split("/") if credential else []
    return parts[3] if len(parts) == 5 else None


@lru_cache(maxsize=256)
def _signing(authorization: str) -> str | None:
    """The same of a header, mostly without its signature: it is then one that came before."""
    found = _SCOPE.search(authorization)
    return found[1] if found else None


def _spoken(request: Request, signing: str | None) -> str:
    """The protocol of a service of which there is no model here, by what its clients send."""
    if "x-amz-target" in request.headers:
        return "json"
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return "query"
    return "rest-xml" if signing in (None, *_SPEAK_XML) else "rest-json"


def _is_service_host(host: str, prefixes: tuple[str, ...]) -> bool:
    return any(host.startswith(prefix + ".") for prefix in prefixes)


def _by_target(service: Service, request: Request) -> Match | Miss:
    prefix, _, name = request.headers["x-amz-target"].partition(".")
    operation = service.operation(name) if prefix == service.target_prefix else None
    if operation is None:
        return Miss(service.name, "json", UnknownOperation(f"{service.name} has no operation {name or prefix}."))
    content_type = request.headers.get("content-type", "").partition(";")[0].strip()
    if content_type not in ("application/x-amz-json-1.0", "application/x-amz-json-1.1"):
        content_type = f"application/x-amz-json-{service.model.metadata.get('jsonVersion', '1.0')}"
    return Match(service, operation, "json", {}, content_type)


def _tree(service: Service) -> _Node:
    root = _Node()
    for name in service.names():
        operation = service.operation(name)
        if operation is not None and not operation.deprecated:
            _insert(root, operation)
    _sort(root)
    return root


def _insert(root: _Node, operation: Operation) -> None:
    node = root
    labels = []
    routes = None
    for step in operation.path.strip("/").split("/"):
        if step.startswith("{"):
            labels.append(step.strip("{}+"))
            if step.endswith("+}"):
                routes = node.greedy
                break
            node.label = node.label or _Node()
            node = node.label
        elif step:
            node = node.literals.setdefault(step, _Node())
    routes = node.routes if routes is None else routes
    required = operation.required
    routes.setdefault(operation.method, _Routes()).add(
        _Route(
            operation,
            tuple(labels),
            operation.literals,
            tuple(item.name for item in operation.inputs.query if item.member in required),
            frozenset(item.name for item in operation.inputs.headers if item.member in required),
        )
    )


def _sort(node: _Node) -> None:
    for routes in (*node.routes.values(), *node.greedy.values()):
        routes.sort()
    for child in (*node.literals.values(), *([node.label] if node.label else [])):
        _sort(child)


def _walk(root: _Node, path: str) -> tuple[dict[str, _Routes], list[str]] | None:
    """Literal steps win over labels; a greedy label takes the rest of the path as it is, slashes and all."""
    node, rest = root, path[1:]
    values: list[str] = []
    while rest:
        step, slash, after = rest.partition("/")
        if step in node.literals:
            node = node.literals[step]
        elif node.greedy:
            return node.greedy, [*values, rest]
        elif node.label is not None and step:
            node = node.label
            values.append(step)
        else:
            return None
        rest = after
        if slash and not after and node.greedy:
            break
    return node.routes, values


def _labels(names: tuple[str, ...], values: list[str]) -> dict[str, str]:
    try:
        return {
            name: unquote(value, errors="strict") if "%" in value else value
            for name, value in zip(names, values, strict=True)
        }
    except UnicodeDecodeError:
        raise InvalidURI from None
