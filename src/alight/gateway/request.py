"""What came in, read once and never rebuilt: path and query stay as they were sent, since they are signed so.

`read_request` turns an ASGI scope into a `Request`. Whatever could be read in two ways (two Host headers, two
signatures, two lengths) is refused here, so that no later step can choose.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_plus

from alight.errors.gateway import InvalidRequest, InvalidURI, MalformedHost

#: Headers of which a second one would make the request ambiguous.
SINGLE = frozenset(
    {
        "authorization",
        "content-length",
        "content-md5",
        "content-type",
        "date",
        "transfer-encoding",
        "x-amz-content-sha256",
        "x-amz-date",
        "x-amz-decoded-content-length",
        "x-amz-security-token",
        "x-amz-target",
    }
)

_HOST = re.compile(r"(?P<name>[a-z0-9](?:[a-z0-9._-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])(?::(?P<port>[0-9]{1,5}))?")
RAW_PATH = re.compile(r"/[!\"$&->@-~]*(?:%[0-9A-Fa-f]{2}[!\"$&->@-~]*)*")
RAW_QUERY = re.compile(r"[!-~]*")


@dataclass(frozen=True, slots=True)
class Request:
    """`path` and `query` are raw (percent-encoded, as signed); `headers` have lower-case names.

    `parameters` are the decoded query pairs in order; `host` is the name without port, `port` None where not given.
    """

    method: str
    path: str
    query: str
    parameters: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    host: str
    port: int | None
    scheme: str
    client: str

    def parameter(self, name: str) -> str | None:
        """The first query value of that name."""
        return next((value for key, value in self.parameters if key == name), None)

    @property
    def base_url(self) -> str:
        return f"{self.scheme}://{self.headers['host']}"


def read_request(scope: Mapping[str, Any]) -> Request:
    """Raises a `Fault` (400) where the request line or a header can be read in more than one way."""
    path = scope["raw_path"].decode("latin-1")
    query = scope["query_string"].decode("latin-1")
    if not RAW_PATH.fullmatch(path) or not RAW_QUERY.fullmatch(query):
        raise InvalidURI
    headers = _headers(scope["headers"])
    host, port = parse_host(headers.get("host", ""))
    client = scope.get("client")
    return Request(
        method=scope["method"],
        path=path,
        query=query,
        parameters=split_query(query) if query else (),
        headers=headers,
        host=host,
        port=port,
        scheme=scope.get("scheme", "http"),
        client=client[0] if client else "",
    )


_LINK_NAMES = frozenset({"X-Amz-Signature", "Signature"})
_AUTHENTICATION = frozenset(
    {
        "x-amz-algorithm",
        "x-amz-content-sha256",
        "x-amz-credential",
        "x-amz-date",
        "x-amz-expires",
        "x-amz-security-token",
        "x-amz-signature",
        "x-amz-signedheaders",
    }
)


def with_hoisted(request: Request) -> Request:
    """A presigned link may carry headers in its query (`x-amz-acl=...`): here they are headers, for whoever acts on
    them. The signature is checked on the request as it was sent."""
    if not request.parameters or not any(name in _LINK_NAMES for name, _ in request.parameters):
        return request
    headers = dict(request.headers)
    for name, value in request.parameters:
        lower = name.lower()
        if (lower.startswith("x-amz-") and lower not in _AUTHENTICATION) or lower in ("content-type", "content-md5"):
            headers.setdefault(lower, value)
    return replace(request, headers=headers)


@lru_cache(maxsize=1_024)
def parse_host(text: str) -> tuple[str, int | None]:
    """`name[:port]` in RFC 3986's grammar for names and addresses, lower-cased. Raises `MalformedHost`."""
    found = _HOST.fullmatch(text.lower())
    if found is None or ".." in text:
        raise MalformedHost
    port = found["port"]
    if port is not None and not 0 < int(port) < 65_536:
        raise MalformedHost
    return found["name"], int(port) if port else None


def split_query(query: str) -> tuple[tuple[str, str], ...]:
    """Decoded pairs; a name without `=` has the empty value."""
    pairs = []
    for part in query.split("&"):
        if part:
            name, _, value = part.partition("=")
            pairs.append((_decode(name), _decode(value)))
    return tuple(pairs)


def _decode(text: str) -> str:
    if "%" not in text and "+" not in text:
        return text
    try:
        return unquote_plus(text, errors="strict")
    except UnicodeDecodeError:
        raise InvalidURI from None


def _headers(pairs: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    headers = {name.decode("latin-1"): value.decode("latin-1").strip(" \t") for name, value in pairs}
    return headers if len(headers) == len(pairs) else _joined(pairs)


def _joined(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers of which some were given twice: one after the other, where a second one says no other thing."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in pairs:
        name = raw_name.decode("latin-1")
        value = raw_value.decode("latin-1").strip(" \t")
        if name not in headers:
            headers[name] = value
        elif name == "host":
            raise MalformedHost
        elif name in SINGLE:
            raise InvalidRequest(f"The header {name} was given twice.")
        else:
            headers[name] += "," + value
    return headers
