"""The way of one answer out: uvicorn's cycle of a request, with fewer steps for each header and each piece, and head
and first piece in one write where they come together: whoever waits for them is woken once.

What an answer may be, and what is raised where it is not that, is as uvicorn has it.
"""

from __future__ import annotations

import asyncio
import re
from functools import lru_cache
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

_BAD_NAME = re.compile(rb'[\x00-\x1f\x7f()<>@,;:\[\]={} \t\\"]')
#: Bytes that no value may have: a tab may stand in one.
_BAD = bytes({*range(32), 127} - {9})
#: Headers that say how the answer's end is found.
_FRAMING = frozenset({b"content-length", b"transfer-encoding", b"connection"})
_BODILESS = (204, 304)
#: A first piece of up to this many bytes is copied behind the head.
_JOINED = 64 * 1024


class Cycle(RequestResponseCycle):
    """One request and its answer."""

    #: The head, until the turn of the loop is over in which it was given.
    _held = b""
    #: What has come of the body and nobody has asked for yet.
    _came: bytes | bytearray = b""

    def take_in(self, piece: bytes) -> int:
        """A piece of the body has come; how many bytes wait now. One that is alone is not copied."""
        if not self._came:
            self._came = piece
        else:
            if isinstance(self._came, bytes):
                self._came = bytearray(self._came)
            self._came += piece
        return len(self._came)

    async def receive(self) -> Any:
        """uvicorn's own, without a wait where the body came with the head."""
        if self.waiting_for_100_continue and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.waiting_for_100_continue = False
        if not self.disconnected and not self.response_complete:
            self.flow.resume_reading()
            if not self.message_event.is_set():
                await self.message_event.wait()
            self.message_event.clear()
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        body, self._came = bytes(self._came), b""
        return {"type": "http.request", "body": body, "more_body": self.more_body}

    async def send(self, message: Any) -> None:
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        kind = message["type"]
        if not self.response_started and kind == "http.response.start":
            self._start(message["status"], message.get("headers", ()))
        elif self.response_started and not self.response_complete and kind == "http.response.body":
            self._continue(message.get("body", b""), message.get("more_body", False))
        else:
            # Out of order: uvicorn says in which way.
            await super().send(message)

    def _start(self, status: int, headers: Any) -> None:
        self.response_started = True
        self.waiting_for_100_continue = False
        names, values = zip(*headers, strict=True) if headers else ((), ())
        names, framing = _checked(names)
        told = b"".join(values)
        if len(told.translate(None, _BAD)) != len(told):
            raise RuntimeError("Invalid HTTP header value.")
        closes = False
        for place in framing:
            closes = self._framed(names[place], values[place]) or closes
        lines = [*map(b": ".join, self.default_headers), *map(b": ".join, zip(names, values, strict=True))]
        if not self.keep_alive and not closes:
            lines.append(b"connection: close")
        if self.chunked_encoding is None and self.scope["method"] != "HEAD" and status not in _BODILESS:
            self.chunked_encoding = True
            lines.append(b"transfer-encoding: chunked")
        self._held = STATUS_LINE[status] + b"\r\n".join([*lines, b"", b""])
        asyncio.get_running_loop().call_soon(self._write_held)

    def _framed(self, name: bytes, value: bytes) -> bool:
        """Take note of a header; True where it says that the connection ends."""
        if name == b"content-length":
            if self.chunked_encoding is None:
                self.expected_content_length = int(value)
                self.chunked_encoding = False
        elif name == b"transfer-encoding":
            if value.lower() == b"chunked":
                self.expected_content_length = 0
                self.chunked_encoding = True
        elif b"close" in [token.strip() for token in value.lower().split(b",")]:
            self.keep_alive = False
            return True
        return False

    def _continue(self, body: bytes, more_body: bool) -> None:
        if self.scope["method"] == "HEAD":
            self.expected_content_length = 0
        elif self.chunked_encoding:
            piece = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            self._write(piece if more_body else piece + b"0\r\n\r\n")
        else:
            self.expected_content_length -= len(body)
            if self.expected_content_length < 0:
                raise RuntimeError("Response content longer than Content-Length")
            self._write(body)
        if more_body:
            return
        self._write_held()
        if self.expected_content_length != 0:
            raise RuntimeError("Response content shorter than Content-Length")
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()

    def _write(self, piece: bytes) -> None:
        if len(piece) <= _JOINED:
            piece, self._held = self._held + piece, b""
        else:
            self._write_held()
        self.transport.write(piece)

    def _write_held(self) -> None:
        if self._held and not self.transport.is_closing():
            self.transport.write(self._held)
        self._held = b""


@lru_cache(maxsize=1_024)
def _checked(names: tuple[bytes, ...]) -> tuple[tuple[bytes, ...], tuple[int, ...]]:
    """The names of an answer's headers in lower case, and the places of those that frame it: one operation's answers
    have the same names again and again."""
    if any(map(_BAD_NAME.search, names)):
        raise RuntimeError("Invalid HTTP header name.")
    lowered = tuple(name.lower() for name in names)
    return lowered, tuple(place for place, name in enumerate(lowered) if name in _FRAMING)
