"""Answers that are streams of events: each event is a frame of its own (`application/vnd.amazon.eventstream`).

A frame is: its length and that of its headers (four bytes each), a CRC-32 of these, the headers (name, type, value),
the payload, and a CRC-32 of all before. In the JSON protocol the first frame holds the members outside the stream.
"""

from __future__ import annotations

import binascii
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

from botocore.model import OperationModel, Shape, StructureShape

from alight.calls import Members
from alight.errors import Fault
from alight.gateway.encode_json import write_json

CONTENT_TYPE = b"application/vnd.amazon.eventstream"
#: The type of a header whose value is text.
_TEXT = 7


def frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One event."""
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    written = b"".join(
        struct.pack("!B", len(name)) + name + struct.pack("!BH", _TEXT, len(value)) + value for name, value in encoded
    )
    prelude = struct.pack("!II", len(written) + len(payload) + 16, len(written))
    message = prelude + struct.pack("!I", binascii.crc32(prelude)) + written + payload
    return message + struct.pack("!I", binascii.crc32(message))


def is_stream(model: OperationModel) -> bool:
    return bool(model.has_event_stream_output)


async def frames(model: OperationModel, reply: Members) -> AsyncGenerator[bytes]:
    """The reply's stream: an iterator of `{event: members}`. A `Fault` that the stream knows is its last event."""
    shape = model.output_shape
    assert shape is not None
    stream: StructureShape = model.get_event_stream_output()
    name = shape.event_stream_name
    events: AsyncIterator[Members] = reply[name]
    first = {member: value for member, value in reply.items() if member != name}
    yield _event("initial-response", write_json(shape, first), "application/json")
    async for piece in payload_frames(stream, events):
        yield piece


async def payload_frames(stream: StructureShape, events: AsyncIterator[Members]) -> AsyncGenerator[bytes]:
    """The events alone, as REST protocols send them: what is beside the stream travels in headers there."""
    try:
        async for event in events:
            for kind, members in event.items():
                yield _written(kind, stream.members[kind], members)
    except Fault as fault:
        if fault.code not in stream.members:
            raise
        headers = {":message-type": "exception", ":exception-type": fault.code, ":content-type": "application/json"}
        yield frame(headers, _last_words(stream.members[fault.code], fault))
    finally:
        if isinstance(events, AsyncGenerator):
            await events.aclose()


def _last_words(shape: StructureShape, fault: Fault) -> bytes:
    """The message, under whichever spelling the model has for it, and the fault's own members."""
    said = next((name for name in shape.members if name.lower() == "message"), "message")
    return write_json(shape, {said: fault.message, **fault.members})


def _written(kind: str, shape: Shape, members: Any) -> bytes:
    """Bytes where the model has a payload of bytes, else JSON."""
    for name, member in shape.members.items():
        if member.serialization.get("eventpayload") and member.type_name == "blob":
            return _event(kind, bytes(members[name]), "application/octet-stream")
    return _event(kind, write_json(shape, members), "application/json")


def _event(kind: str, payload: bytes, content_type: str) -> bytes:
    return frame({":message-type": "event", ":event-type": kind, ":content-type": content_type}, payload)
