"""InvokeEndpoint: from the runtime's members to a replica, and back."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from functools import partial

from alight.calls import Attempt, Call, Members
from alight.clock import Clock
from alight.endpoints.server import Endpoints
from alight.endpoints.spec import Answer, Excuse
from alight.errors.sagemaker import ServiceUnavailable, ValidationError
from alight.names import ACCOUNT
from alight.services.sagemaker.capture import Captures, Seen
from alight.services.sagemaker.deployment import Deployments
from alight.services.sagemaker.ledger import ENDPOINT, Ledger
from alight.store.made import Made
from alight.store.records import Record

#: Seconds that a request waits for an endpoint that served before a restart and is coming back.
RETURN_LIMIT = 60.0


class Invoking:
    """The runtime's handlers."""

    def __init__(
        self,
        ledger: Ledger,
        endpoints: Endpoints,
        deployments: Deployments,
        captures: Captures,
        clock: Clock,
        excuse: Callable[[Attempt, bool], None],
    ) -> None:
        """`excuse` is told of each call of an event's function when it waits for a place, and when it has one."""
        self._ledger = ledger
        self._captures = captures
        self._clock = clock
        self._endpoints = endpoints
        self._deployments = deployments
        self._excuse = excuse
        #: What was read of endpoints: a request reads and changes nothing of it.
        self._read: Made[Record | None] = Made()

    async def invoke_endpoint(self, call: Call, given: Members) -> Members:
        excuse = self._excuse_of(call)
        record = await self.serving(given["EndpointName"], excuse)
        _check_synchronous(record)
        try:
            answer = await self._asked(record, call, given, excuse)
        except ServiceUnavailable:
            _no_place(excuse)
            raise
        self._capture(record, call.request_id, given, answer)
        return _reply(answer.body, answer.content_type, answer.variant, answer.custom_attributes)

    def _asked(self, record: Record, call: Call, given: Members, excuse: Excuse | None) -> Awaitable[Answer]:
        target = given.get("TargetModel") or ""
        return self._endpoints.invoke(
            record.name,
            given.get("Body") or b"",
            content_type=given.get("ContentType"),
            accept=given.get("Accept"),
            custom_attributes=given.get("CustomAttributes") or "",
            request_id=call.request_id,
            target_variant=given.get("TargetVariant") or "",
            target_model=target,
            package=partial(self._deployments.package, record, target) if target else None,
            excuse=excuse,
        )

    def _excuse_of(self, call: Call) -> Excuse | None:
        attempt = call.attempt
        return partial(self._excuse, attempt) if attempt is not None and attempt.event_id else None

    async def invoke_with_response_stream(self, call: Call, given: Members) -> Members:
        excuse = self._excuse_of(call)
        record = await self.serving(given["EndpointName"], excuse)
        _check_synchronous(record)
        try:
            answer = await self._endpoints.stream(
                record.name,
                given.get("Body") or b"",
                content_type=given.get("ContentType"),
                accept=given.get("Accept"),
                custom_attributes=given.get("CustomAttributes") or "",
                request_id=call.request_id,
                target_variant=given.get("TargetVariant") or "",
                excuse=excuse,
            )
        except ServiceUnavailable:
            _no_place(excuse)
            raise
        return _reply(_events(answer.parts), answer.content_type, answer.variant, answer.custom_attributes)

    async def serving(self, name: str, excuse: Excuse | None = None) -> Record:
        """The endpoint's record; waited for where it served before a restart. Raises `ValidationError`."""
        if self._deployments.restoring(name):
            if excuse:
                excuse(True)
            await self._deployments.wait(name, RETURN_LIMIT)
            if excuse:
                excuse(False)
        revision = self._ledger.revision(ENDPOINT, name)
        record = self._read.get(name, revision, lambda: self._ledger.find(ENDPOINT, name), _is_there)
        if revision is None or record is None:
            raise ValidationError(f"Endpoint {name} of account {ACCOUNT} not found.")
        return record

    def _capture(self, record: Record, event_id: str, given: Members, answer: Answer) -> None:
        settings = record.body.get("DataCaptureConfig")
        if not settings:
            return
        seen = Seen(
            event_id=event_id,
            moment=self._clock.now(),
            asked=given.get("Body") or b"",
            asked_type=given.get("ContentType") or "",
            answered=answer.body,
            answered_type=answer.content_type,
            inference_id=given.get("InferenceId") or "",
            custom_attributes=given.get("CustomAttributes") or "",
        )
        self._captures.take(record.name, answer.variant, record.body.get("Role") or "", settings, seen)


def _is_there(record: Record | None) -> bool:
    return record is not None


def _reply(body: object, content_type: str, variant: str, custom_attributes: str) -> Members:
    """What both operations answer."""
    reply: Members = {"Body": body, "ContentType": content_type, "InvokedProductionVariant": variant}
    return {**reply, "CustomAttributes": custom_attributes} if custom_attributes else reply


def _no_place(excuse: Excuse | None) -> None:
    """Where there is none for an event's call, its runner is told."""
    if excuse is not None:
        excuse(True)


def _check_synchronous(record: Record) -> None:
    if record.body.get("AsyncInferenceConfig"):
        raise ValidationError(
            f"Endpoint {record.name} of account {ACCOUNT} is an asynchronous endpoint; use InvokeEndpointAsync."
        )


async def _events(parts: AsyncGenerator[bytes]) -> AsyncGenerator[Members]:
    async with aclosing(parts):
        async for part in parts:
            yield {"PayloadPart": {"Bytes": part}}
