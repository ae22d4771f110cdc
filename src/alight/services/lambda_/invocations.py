"""Invoke: RequestResponse runs now, Event is queued durably before the 202, DryRun only looks."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable
from typing import Any

from alight.calls import Call, Members
from alight.clock import Clock
from alight.errors.lambda_ import (
    InvalidParameterValueException,
    InvalidRequestContentException,
    RecursiveInvocationException,
    RequestTooLargeException,
)
from alight.events.ended import LOOP
from alight.functions.invocation import Invocation, Outcome
from alight.parsed import parsed
from alight.services.lambda_.catalogue import Catalogue
from alight.services.lambda_.chains import Chains, written
from alight.store.database import Database, Tx
from alight.store.journal import NewEvent

#: Bytes of a payload: synchronous, asynchronous.
SYNCHRONOUS_LIMIT = 6 * 1024 * 1024
ASYNCHRONOUS_LIMIT = 1024 * 1024

Run = Callable[[dict[str, Any], Invocation], Awaitable[Outcome]]


class Queue:
    """Accepts asynchronous invocations, in whatever transaction causes them."""

    def __init__(
        self,
        catalogue: Catalogue,
        clock: Clock,
        *,
        max_age: float,
        accept: Callable[[Tx, NewEvent], None],
        wake: Callable[[], None],
        received: Callable[[str], None] = lambda function: None,
        looped: Callable[[str], None] = lambda function: None,
    ) -> None:
        """`accept` is the dispatcher's. `received` is told of each function whose event is durable, `looped` of each
        that is one too many of a loop."""
        self._catalogue = catalogue
        self._chains = Chains(catalogue)
        self._clock = clock
        self._max_age = max_age
        self._accept = accept
        self.wake = wake
        self._received = received
        self.looped = looped

    def accept(self, tx: Tx, function: str, payload: bytes, *, request_id: str, source: Members) -> None:
        """Queue one event for `function` (name or ARN); it runs once `tx` is durable.

        Where a worker caused it, `source` names in `cause` the event that it worked on.
        """
        settings = self._catalogue.event_settings(function, tx)
        now = self._clock.now()
        event = NewEvent(
            id=request_id,
            function=(arn := self._catalogue.arn(function)),
            payload=payload,
            source=self._in_chain(tx, arn, source),
            accepted=now,
            expires=now + settings.get("MaximumEventAgeInSeconds", self._max_age),
            retries=settings.get("MaximumRetryAttempts", 2),
        )
        self._accept(tx, event)
        tx.after_commit(lambda: self._received(event.function))
        if LOOP in event.source:
            tx.after_commit(lambda: self.looped(event.function))

    def _in_chain(self, tx: Tx, arn: str, source: Members) -> Members:
        """With how often each function has been called in the chain that led here; one too many is a dead letter."""
        if not source.get("cause"):
            return source
        chain, ended = self._chains.with_call(tx, arn, [source["cause"]], tx)
        if source["cause"].startswith("{"):
            # Nothing that has an id.
            source = {name: value for name, value in source.items() if name != "cause"}
        return source | {"chain": chain} | ({LOOP: True} if ended else {})


class Invocations:
    """The Invoke handler."""

    def __init__(self, catalogue: Catalogue, database: Database, queue: Queue, *, run: Run) -> None:
        self._catalogue = catalogue
        self._database = database
        self._queue = queue
        self._run = run
        self._chains = Chains(catalogue)

    async def invoke(self, call: Call, given: Members) -> Members:
        body = self._catalogue.body(given["FunctionName"], given.get("Qualifier"))
        payload = given.get("Payload") or b"{}"
        kind = given.get("InvocationType", "RequestResponse")
        match kind:
            case "DryRun":
                return {"StatusCode": 204}
            case "Event":
                return await self._event(call, given, payload)
            case "RequestResponse":
                return await self._request(call, given, body, payload)
        raise InvalidParameterValueException(f"{kind} is not an invocation type.", Type="User")

    async def _event(self, call: Call, given: Members, payload: bytes) -> Members:
        _check(payload, ASYNCHRONOUS_LIMIT)
        source = {"kind": "invoke", "by": call.principal.arn}
        if call.attempt is not None and call.attempt.cause:
            source["cause"] = call.attempt.cause
        arn = self._catalogue.arn(given["FunctionName"], given.get("Qualifier"))
        await self._database.write(
            lambda tx: self._queue.accept(tx, arn, payload, request_id=call.request_id, source=source)
        )
        return {"StatusCode": 202, "Payload": b""}

    async def _request(self, call: Call, given: Members, body: dict[str, Any], payload: bytes) -> Members:
        _check(payload, SYNCHRONOUS_LIMIT)
        invocation = Invocation(
            request_id=call.request_id,
            payload=payload,
            chain=self._next_in_chain(call, given),
            client_context=_client_context(given.get("ClientContext")),
        )
        outcome = await self._run(body, invocation)
        answer: Members = {"StatusCode": 200, "ExecutedVersion": outcome.version, "Payload": outcome.payload}
        if outcome.function_error:
            answer["FunctionError"] = outcome.function_error
        if given.get("LogType") == "Tail":
            answer["LogResult"] = b64encode(outcome.log_tail).decode()
        return answer

    def _next_in_chain(self, call: Call, given: Members) -> str:
        """The chain of a call that somebody waits for. Raises `RecursiveInvocationException`."""
        arn = self._catalogue.arn(given["FunctionName"], given.get("Qualifier"))
        causes = [call.attempt.cause] if call.attempt is not None and call.attempt.cause else []
        chain, ended = self._chains.with_call(self._database.read(), arn, causes)
        if ended:
            self._queue.looped(arn)
            raise RecursiveInvocationException(
                "Lambda has detected the specified function being invoked in a recursive loop with other Amazon Web "
                "Services resources and stopped your function's invocation.",
                Type="User",
            )
        return written(chain)


def _check(payload: bytes, limit: int) -> None:
    if len(payload) > limit:
        raise RequestTooLargeException(
            f"{len(payload)} byte payload is too large for the invocation type (limit {limit} bytes)", Type="User"
        )
    try:
        json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise InvalidRequestContentException(f"Could not parse request body into json: {error}", Type="User") from None


def _client_context(encoded: str | None) -> str | None:
    """The API takes base64; the runtime gets the plain JSON."""
    if not encoded:
        return None
    try:
        return json.dumps(parsed(b64decode(encoded, validate=True)))
    except ValueError:
        raise InvalidRequestContentException("Client context must be base64-encoded JSON.", Type="User") from None
