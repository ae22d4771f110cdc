"""Every operation of the coverage table as a request that botocore writes, and where it may be asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import create_request_object, prepare_request_dict
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.serialize import create_serializer

from alight.gateway.route import SERVICES
from tests.laws.coverage import by_service
from tests.unit.gateway.signing import HOST
from tests.wire.inputs import Generator

PORT = HOST.partition(":")[2]


@dataclass(frozen=True)
class Asked:
    """A request that is not signed yet. `signing` is the service's name in a credential scope."""

    service: str
    operation: str
    signing: str
    method: str
    url: str
    headers: dict[str, str]
    body: bytes
    host: str = HOST

    @property
    def name(self) -> str:
        return f"{self.service}:{self.operation} at {self.host}"

    def addresses(self) -> Iterator[Asked]:
        """By path; by a host of the service's own; and, for what is in a bucket, by the bucket's host."""
        yield self
        yield replace(self, host=f"{SERVICES[self.service].hosts[0]}.localhost:{PORT}")
        first, _, rest = self.url.removeprefix("/").partition("/")
        bucket, mark, query = first.partition("?")
        if self.service == "s3" and bucket.startswith("bucket-"):
            for domain in ("s3.localhost", "localhost", "s3.us-east-1.localhost"):
                yield replace(self, host=f"{bucket}.{domain}:{PORT}", url=f"/{rest}{mark}{query}")


@cache
def operations() -> tuple[Asked, ...]:
    """One request for each operation that any service offers: a new operation is among them by itself."""
    return tuple(_asked(service, name) for service, name in _names())


@cache
def _names() -> tuple[tuple[str, str], ...]:
    return tuple((service, name) for service, table in sorted(by_service().items()) for name in sorted(table))


def asked_for(which: int, seed: str) -> Asked:
    """The operation of that number (counted round and round), with members that follow from the seed."""
    return _asked(*_names()[which % len(_names())], seed)


@cache
def _model(service: str) -> ServiceModel:
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


def _asked(service: str, name: str, seed: str = "") -> Asked:
    model = _model(service)
    operation = model.operation_model(name)
    # Of the protocols that a model names first, the one that is not spoken here.
    protocol = {"smithy-rpc-v2-cbor": "json"}.get(model.metadata["protocol"], model.metadata["protocol"])
    given = Generator(name + seed).members(operation.input_shape) if operation.input_shape else {}
    written = create_serializer(protocol, include_validation=False).serialize_to_request(given, operation)
    prepare_request_dict(written, f"http://{HOST}", user_agent="grid")
    prepared = create_request_object(written).prepare()
    parts = urlsplit(prepared.url)
    body: Any = prepared.body or b""
    body = body.read() if hasattr(body, "read") else body
    headers = {key.lower(): _text(value) for key, value in prepared.headers.items()}
    # The first are the signer's, the others would be compared with a body that is made up.
    for unwanted in ("content-length", "transfer-encoding", "x-amz-content-sha256", "authorization", "content-md5",
                     "x-amz-sdk-checksum-algorithm"):  # fmt: skip
        headers.pop(unwanted, None)
    url = parts.path + (f"?{parts.query}" if parts.query else "")
    return Asked(
        service=service,
        operation=name,
        signing=SERVICES[service].signing,
        method=prepared.method,
        url=url,
        headers=headers,
        body=body.encode() if isinstance(body, str) else body,
    )


def _text(value: Any) -> str:
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    return text.encode("ascii", "replace").decode()
