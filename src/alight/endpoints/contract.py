"""What a replica is asked and what it answers: SageMaker's container contract, without the HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

#: Exit status of a replica that cannot serve its model; the last line on stderr says why.
CANNOT_SERVE = 70
#: In the answer to a ping: how many requests the replica takes before it has answered the first; without it, one.
AT_ONCE = "X-Alight-At-Once"
#: Behind an answer that is sent in chunks, where the model failed in its middle: why.
FAILED = "X-Alight-Failed"
CUSTOM_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"


@dataclass(frozen=True, slots=True)
class Request:
    """One POST /invocations. `headers` have the case in which they came."""

    body: bytes
    content_type: str | None
    accept: str | None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    """`headers` go out beside Content-Type and Content-Length."""

    body: bytes
    content_type: str = "application/json"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    #: What follows `body` piece by piece, where the answer is made while it is sent.
    stream: Iterator[bytes] | None = None


class Refusal(Exception):
    """The model cannot answer this request; `status` is what the container contract would say (400, 406, 415, 500)."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        self.message = message
        super().__init__(message)


class CannotServe(Exception):
    """The package cannot be served at all; the text says why and what to do instead."""


#: What became of one request among several.
Outcome = Reply | Exception


class Model(Protocol):
    """A loaded model. Called from one thread only."""

    def answer(self, request: Request) -> Reply:
        """Raises `Refusal`; anything else that it raises is answered as 500."""


@runtime_checkable
class BatchModel(Model, Protocol):
    """A model that answers several requests in one run, bit for bit as one after the other. It is inherited from."""

    #: How many it takes at once; with fewer it does not wait for more.
    at_once: int

    def answer_many(self, requests: Sequence[Request]) -> list[Outcome]:
        """One outcome for each, in their order; an exception is what `answer` raises."""

    def answer(self, request: Request) -> Reply:
        [outcome] = self.answer_many([request])
        if isinstance(outcome, Exception):
            raise outcome
        return outcome
