"""botocore's service models, read once and turned into what a request needs: one `Operation` per operation.

`Bindings` say where each member of a REST input or output travels (path, query, header, status, payload, body).
Two models get what newer botocore leaves out: SQS's names in the query protocol, still spoken by older clients.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.model import OperationModel, ServiceModel, Shape, StructureShape

from alight.gateway.model_files import Models
from alight.gateway.sqs_query import patch_sqs

#: In the order in which we would rather answer.
PROTOCOLS = ("rest-xml", "rest-json", "json", "query")


@dataclass(frozen=True, slots=True)
class Binding:
    """One member and its name on the wire (a header name, a prefix, a query name ...)."""

    member: str
    name: str
    shape: Shape
    #: A text that travels as it is.
    is_text: bool = field(init=False, compare=False)
    #: `name` as a header's.
    raw_name: bytes = field(init=False, compare=False)

    def __post_init__(self) -> None:
        is_text = self.shape.type_name == "string" and not self.shape.serialization.get("jsonvalue")
        object.__setattr__(self, "is_text", is_text)
        object.__setattr__(self, "raw_name", self.name.encode())


@dataclass(frozen=True, slots=True)
class Bindings:
    """Where the members of one structure travel in the REST protocols."""

    uri: tuple[Binding, ...] = ()
    query: tuple[Binding, ...] = ()
    query_maps: tuple[Binding, ...] = ()
    headers: tuple[Binding, ...] = ()
    header_maps: tuple[Binding, ...] = ()
    status: Binding | None = None
    payload: Binding | None = None
    body: tuple[Binding, ...] = ()
    #: `headers` by name and by member: of an object's forty, a request has a handful.
    by_header: Mapping[str, Binding] = field(default_factory=dict)
    by_member: Mapping[str, Binding] = field(default_factory=dict)
    #: The payload is bytes (or a text), the payload is streamed.
    is_blob: bool = field(init=False)
    is_stream: bool = field(init=False)

    def __post_init__(self) -> None:
        shape = self.payload.shape if self.payload is not None else None
        object.__setattr__(self, "is_blob", shape is not None and shape.type_name in ("blob", "string"))
        object.__setattr__(self, "is_stream", shape is not None and bool(shape.serialization.get("streaming")))


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of one service; `literals` are the query pairs that its URI spells out."""

    service: str
    name: str
    model: OperationModel
    method: str
    path: str
    literals: tuple[tuple[str, str | None], ...]
    inputs: Bindings
    outputs: Bindings
    status: int
    deprecated: bool
    # What each request asks of the model, looked up once.
    place: tuple[str, str] = field(init=False)
    input_shape: StructureShape | None = field(init=False)
    output_shape: StructureShape | None = field(init=False)
    required: tuple[str, ...] = field(init=False)
    is_compressed: bool = field(init=False)

    def __post_init__(self) -> None:
        shape = self.model.input_shape
        known = {
            "place": (self.service, self.name),
            "input_shape": shape,
            "output_shape": self.model.output_shape,
            "required": tuple(shape.required_members) if shape is not None else (),
            "is_compressed": bool(self.model.request_compression),
        }
        for name, value in known.items():
            object.__setattr__(self, name, value)


class Service:
    """One service model: its names on the wire and its operations, each built when first asked for."""

    def __init__(self, name: str, data: dict[str, Any]) -> None:
        metadata = data["metadata"]
        self.name = name
        self.model = ServiceModel(data, name)
        self.protocols = _protocols(metadata)
        self.protocol = self.protocols[0]
        self.signing_name: str = metadata.get("signingName", metadata["endpointPrefix"])
        self.endpoint_prefix: str = metadata["endpointPrefix"]
        self.target_prefix: str = metadata.get("targetPrefix", "")
        self.namespace = _namespace(name, metadata)
        self._operations: dict[str, Operation] = {}

    def names(self) -> list[str]:
        return list(self.model.operation_names)

    def operation(self, name: str) -> Operation | None:
        """None where the model does not have it."""
        known = self._operations.get(name)
        if known is None and name in self.model.operation_names:
            known = self._operations[name] = _operation(self.name, self.model.operation_model(name))
        return known

    def error_shape(self, code: str) -> StructureShape | None:
        """The modelled error of that class name or wire code."""
        by_name = next((shape for shape in self.model.error_shapes if shape.name == code), None)
        return by_name or self.model.shape_for_error_code(code)


def load_service(name: str, loader: Models | None = None) -> Service:
    """Read botocore's model of `name`; raises botocore's UnknownServiceError."""
    data = (loader or Models([name])).load_service_model(name, "service-2")
    if name == "sqs":
        patch_sqs(data)
    return Service(name, data)


def _protocols(metadata: dict[str, Any]) -> tuple[str, ...]:
    spoken = {metadata["protocol"], *metadata.get("protocols", ())}
    if "awsQueryCompatible" in metadata:
        spoken |= {"json", "query"}
    return tuple(protocol for protocol in PROTOCOLS if protocol in spoken)


def _namespace(name: str, metadata: dict[str, Any]) -> str:
    if name == "s3":
        return "http://s3.amazonaws.com/doc/2006-03-01/"
    if name == "sqs":
        return "http://queue.amazonaws.com/doc/2012-11-05/"
    return str(metadata.get("xmlNamespace", ""))


def _operation(service: str, model: OperationModel) -> Operation:
    path, _, query = model.http["requestUri"].partition("?")
    literals = []
    for part in filter(None, query.split("&")):
        name, equals, value = part.partition("=")
        literals.append((name, value if equals else None))
    return Operation(
        service=service,
        name=model.name,
        model=model,
        method=model.http["method"],
        path=path,
        literals=tuple(literals),
        inputs=bind(model.input_shape),
        outputs=bind(model.output_shape),
        status=int(model.http.get("responseCode", 200)),
        deprecated=bool(model.deprecated),
    )


def bind(shape: StructureShape | None) -> Bindings:
    """Sort the members of a structure by where they travel."""
    if shape is None:
        return Bindings()
    payload_name = shape.serialization.get("payload")
    places: dict[str, list[Binding]] = {}
    payload = None
    for member, member_shape in shape.members.items():
        location = member_shape.serialization.get("location")
        binding = Binding(member, member_shape.serialization.get("name", member), member_shape)
        if member == payload_name:
            payload = binding
        else:
            places.setdefault(_place(location, member_shape), []).append(binding)
    headers = tuple(Binding(item.member, item.name.lower(), item.shape) for item in places.get("header", ()))
    return Bindings(
        uri=tuple(places.get("uri", ())),
        query=tuple(places.get("querystring", ())),
        query_maps=tuple(places.get("query_maps", ())),
        headers=headers,
        header_maps=tuple(Binding(item.member, item.name.lower(), item.shape) for item in places.get("headers", ())),
        status=next(iter(places.get("statusCode", ())), None),
        payload=payload,
        body=tuple(places.get("body", ())),
        by_header={item.name: item for item in headers},
        by_member={item.member: item for item in headers},
    )


def _place(location: str | None, shape: Shape) -> str:
    if location == "querystring" and shape.type_name == "map":
        return "query_maps"
    return location or "body"
