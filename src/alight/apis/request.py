"""What came in, read once from the ASGI scope: everything that events, authorizers and other servers are told.

Header names are kept as they were spelled (`gateway/server.py` notes them), since a REST API hands them on so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, TypeVar, overload
from urllib.parse import unquote_plus

#: Where the server notes how header names were spelled, in the order of the scope's headers.
SPELLING = "alight.spelling"

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


T = TypeVar("T")


class Once(Generic[T]):
    """A property that is worked out when it is first asked for. `functools.cached_property` takes a lock for it, which
    costs more than what is worked out here; a request has one reader."""

    def __init__(self, work: Callable[[Incoming], T]) -> None:
        self._work = work
        self._name = work.__name__
        self.__doc__ = work.__doc__

    @overload
    def __get__(self, request: None, owner: type[Incoming]) -> Once[T]: ...

    @overload
    def __get__(self, request: Incoming, owner: type[Incoming]) -> T: ...

    def __get__(self, request: Incoming | None, owner: type[Incoming]) -> Once[T] | T:
        if request is None:
            return self
        made = request.__dict__[self._name] = self._work(request)
        return made


@dataclass(frozen=True)
class Incoming:
    """One request to one stage. `path` is below the stage and, like `query`, as it was sent; `headers` are (lower-case
    name, name as spelled, value); `request_id` is a UUID, `moment` in seconds since 1970."""

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str, str], ...]
    domain: str
    scheme: str
    port: int
    source_ip: str
    protocol: str
    request_id: str
    moment: float

    def header(self, name: str) -> str | None:
        """The last value of a header, by its lower-case name."""
        return self.single.get(name)

    @Once
    def single(self) -> Mapping[str, str]:
        """The last value of each header, by lower-case name."""
        return {lower: value for lower, _, value in self.headers}

    @Once
    def parameters(self) -> tuple[tuple[str, str], ...]:
        """The query's pairs, decoded; a name without `=` has the empty value."""
        return tuple(_pair(part) for part in self.query.split("&") if part) if self.query else ()

    @Once
    def trace(self) -> str:
        """X-Ray's header: the caller's, or a new root."""
        given = self.header("x-amzn-trace-id")
        return given or f"Root=1-{int(self.moment):08x}-{self.request_id.replace('-', '')[:24]}"

    @Once
    def forwarded(self) -> tuple[tuple[str, str], ...]:
        """What API Gateway adds to every request."""
        before = self.header("x-forwarded-for")
        return (
            ("X-Amzn-Trace-Id", self.trace),
            ("X-Forwarded-For", f"{before}, {self.source_ip}" if before else self.source_ip),
            ("X-Forwarded-Port", str(self.port)),
            ("X-Forwarded-Proto", self.scheme),
        )

    @property
    def time(self) -> str:
        """`04/Mar/2020:19:15:17 +0000`."""
        return _written(int(self.moment))

    @property
    def time_epoch(self) -> int:
        return int(self.moment * 1000)


@lru_cache(maxsize=8)
def _written(second: int) -> str:
    at = time.gmtime(second)
    month = _MONTHS[at.tm_mon - 1]
    return f"{at.tm_mday:02}/{month}/{at.tm_year}:{at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02} +0000"


def read_incoming(scope: Mapping[str, Any], path: str, domain: str, request_id: str, moment: float) -> Incoming:
    """`path` below the stage, `domain` by which the API calls itself."""
    pairs = scope["headers"]
    spelled = (scope.get("extensions") or {}).get(SPELLING, {}).get("headers", pairs)
    client, server = scope.get("client"), scope.get("server")
    return Incoming(
        method=scope["method"],
        path=path,
        query=scope["query_string"].decode("latin-1"),
        headers=tuple(
            (name.decode("latin-1"), spelling.decode("latin-1"), value.decode("latin-1").strip(" \t"))
            for (name, value), (spelling, _) in zip(pairs, spelled, strict=True)
        ),
        domain=domain,
        scheme=scope.get("scheme", "http"),
        port=(server[1] if server else None) or 80,
        source_ip=client[0] if client else "127.0.0.1",
        protocol=f"HTTP/{scope.get('http_version', '1.1')}",
        request_id=request_id,
        moment=moment,
    )


def _pair(part: str) -> tuple[str, str]:
    name, _, value = part.partition("=")
    return unquote_plus(name), unquote_plus(value)
