"""Event streams as botocore reads them: frames, the first one's members, exceptions as last words."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from botocore.eventstream import EventStreamBuffer

from alight.calls import Members
from alight.errors.gateway import InvalidArgument
from alight.errors.logs import SessionTimeoutException
from alight.errors.sagemaker import ModelStreamError
from alight.gateway.eventstream import frame, frames, payload_frames
from alight.gateway.models import load_service

TAIL = load_service("logs").model.operation_model("StartLiveTail")


def read(data: bytes) -> list[tuple[dict[str, str], bytes]]:
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    return [(dict(event.headers), event.payload) for event in buffer]


def test_a_frame_is_what_botocore_reads() -> None:
    headers = {":message-type": "event", "größe": "ä" * 300}
    assert read(frame(headers, b"payload") + frame({}, b"")) == [(headers, b"payload"), ({}, b"")]


async def test_a_fault_of_the_stream_is_its_last_event_and_no_other_is() -> None:
    closed = []

    async def events(fault: Exception) -> AsyncIterator[Members]:
        try:
            yield {"sessionUpdate": {"sessionResults": [{"message": "ä", "timestamp": 1}], "none": None}}
            raise fault
        finally:
            closed.append(True)

    sent = b"".join([piece async for piece in frames(TAIL, {"responseStream": events(SessionTimeoutException())})])
    assert read(sent) == [
        ({":message-type": "event", ":event-type": "initial-response", ":content-type": "application/json"}, b"{}"),
        (
            {":message-type": "event", ":event-type": "sessionUpdate", ":content-type": "application/json"},
            '{"sessionResults":[{"message":"ä","timestamp":1}]}'.encode(),
        ),
        (
            {
                ":message-type": "exception",
                ":exception-type": "SessionTimeoutException",
                ":content-type": "application/json",
            },
            b'{"message":"The session has timed out."}',
        ),
    ]
    with pytest.raises(InvalidArgument):
        [piece async for piece in frames(TAIL, {"responseStream": events(InvalidArgument())})]
    assert closed == [True, True]


async def test_events_of_bytes_travel_as_they_are() -> None:
    operation = load_service("sagemaker-runtime").model.operation_model("InvokeEndpointWithResponseStream")

    async def events() -> AsyncIterator[Members]:
        yield {"PayloadPart": {"Bytes": b"\x00one"}}
        raise ModelStreamError("broken", ErrorCode="StreamBroken")

    sent = b"".join([piece async for piece in payload_frames(operation.get_event_stream_output(), events())])
    [(first, body), (last, said)] = read(sent)
    assert (first[":event-type"], first[":content-type"], body) == (
        "PayloadPart",
        "application/octet-stream",
        b"\x00one",
    )
    assert (last[":message-type"], last[":exception-type"]) == ("exception", "ModelStreamError")
    assert said == b'{"Message":"broken","ErrorCode":"StreamBroken"}'
