"""What travels between the gateway and the services: who calls, what they gave, what they get.

The gateway turns bytes into `(Call, Members)` and looks the operation up in one `Operations` table; a service
takes and returns plain dicts in AWS member names. Neither knows the other.

A reply may carry `ResponseMetadata: {"HTTPStatusCode": int, "HTTPHeaders": {name: value}}` where it is not the
status that the service model gives (206, 304 ...), in the shape in which boto3 shows it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Members = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Session:
    """Temporary credentials: when they were given out (seconds since 1970), and the policies, as JSON texts and as
    ARNs, that narrow what they may do."""

    issued: float
    policies: tuple[str, ...] = ()
    policy_arns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Principal:
    """Who signed the request. `user_id` is what S3 events show as `principalId`; `role` (at `path`) and `user` are
    names; `key_id` is the access key of a user who signed with one of their own."""

    kind: Literal["root", "user", "role", "service", "anonymous"]
    arn: str
    user_id: str
    role: str | None = None
    worker: str | None = None
    path: str = "/"
    user: str | None = None
    session: Session | None = None
    key_id: str = ""


ANONYMOUS = Principal("anonymous", "anonymous", "ANONYMOUS")


@dataclass(frozen=True, slots=True)
class Attempt:
    """The invocation on whose behalf a worker calls. `event_id` is None for synchronous invocations.

    `staged` says that publishes wait for the deciding attempt (design, decision 3). Of an invocation without an event,
    `chain` says how often each function was called in the chain up to it (JSON).
    """

    request_id: str
    function_arn: str
    event_id: str | None = None
    fence: int = 0
    staged: bool = False
    chain: str = ""

    @property
    def cause(self) -> str:
        """Of what is done on its behalf: an event's id, or the chain itself."""
        return self.event_id or self.chain


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated request. `headers` have lower-case names; `base_url` is how the client reached us."""

    service: str
    operation: str
    request_id: str
    principal: Principal
    source_ip: str = "127.0.0.1"
    base_url: str = "http://127.0.0.1:4566"
    headers: Mapping[str, str] = field(default_factory=dict)
    attempt: Attempt | None = None


class Stream(Protocol):
    """A request body that is read once, as it arrives, already verified chunk by chunk.

    Iterating raises a `Fault` where the body is shorter, longer or other than was signed; the reader must then
    throw away what it has. `length` is the announced size after removal of aws-chunked framing (None: unknown);
    `trailers` are complete only after the last chunk.
    """

    length: int | None
    trailers: Mapping[str, str]

    def __aiter__(self) -> AsyncIterator[bytes]: ...


async def pieces(body: bytes | AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The body of a reply, which a handler has as bytes or as it comes."""
    if isinstance(body, bytes):
        yield body
        return
    async for piece in body:
        yield piece


Handler = Callable[[Call, Members], Awaitable[Members]]
Operations = Mapping[tuple[str, str], Handler]
