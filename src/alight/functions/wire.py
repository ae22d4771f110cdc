"""HTTP/1.1 requests out of bytes: just what a Runtime API client sends, within strict bounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

LINE_LIMIT = 8 * 1024
#: Heads (without the request line), and requests, that one reader knows by heart: a client says the same each time.
KNOWN_HEADS = 16
#: awslambdaric sends up to 1 MiB of stack in one header.
HEAD_LIMIT = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """`headers` have lower-case names. Where `too_large`, the body was read and thrown away."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes | bytearray
    too_large: bool = False


class RequestReader:
    """Feed it bytes, get requests. `admit` is asked about the target before anything else is kept in memory.

    Raises `PermissionError` where `admit` says no, `ValueError` for what is not HTTP.
    """

    def __init__(self, *, limit: int, admit: Callable[[str], bool]) -> None:
        self._limit = limit
        self._admit = admit
        self._buffer = bytearray()
        self._line: tuple[str, str] | None = None
        self._head: _Head | None = None
        self._known: dict[bytes, Mapping[str, str]] = {}
        #: Whole requests without a body: who asks for work does it in the same words each time.
        self._asked: dict[bytes, Request] = {}

    def feed(self, data: bytes, send_continue: Callable[[], None]) -> list[Request]:
        found: list[Request] = []
        if not self._buffer and self._line is None and self._head is None:
            data = self._read_whole(data, found)
            if not data:
                return found
        self._buffer += data
        while True:
            if self._head is None and not self._read_head(send_continue):
                return found
            request = self._read_body()
            if request is None:
                return found
            found.append(request)

    def _read_whole(self, data: bytes, found: list[Request]) -> bytes:
        """Add the requests that came in one piece; what is left of `data`."""
        while data:
            known = self._asked.get(data)
            if known is not None:
                found.append(known)
                return b""
            end = self._at_once(data, found)
            if not end:
                break
            data = data[end:]
        return data

    def _at_once(self, data: bytes, found: list[Request]) -> int:
        """Add a request that came in one piece and asks for nothing special, as nearly all do, and say where it ends; 0
        for any other, which is then read, or refused, step by step."""
        end, first = data.find(b"\r\n\r\n"), data.find(b"\r\n")
        if not 0 < first <= end <= LINE_LIMIT:
            return 0
        parts = data[:first].decode("latin-1").split(" ")
        if len(parts) != 3 or not parts[2].startswith("HTTP/1.") or not self._admit(parts[1]):
            return 0
        head = data[first:end]
        headers = self._known.get(head)
        if headers is None:
            headers = _headers(head)
            if len(self._known) >= KNOWN_HEADS:
                self._known.clear()
            self._known[head] = headers
        if "transfer-encoding" in headers or "expect" in headers:
            return 0
        length = headers.get("content-length", "0")
        size = int(length) if length.isdecimal() else -1
        end += 4
        if not 0 <= size <= self._limit or len(data) < end + size:
            return 0
        request = Request(parts[0], parts[1], headers, data[end : end + size])
        found.append(request)
        if len(data) == end and len(self._asked) < KNOWN_HEADS:
            self._asked[data] = request
        return end + size

    def _read_head(self, send_continue: Callable[[], None]) -> bool:
        if self._line is None:
            end = self._buffer.find(b"\r\n", 0, LINE_LIMIT + 2)
            if end < 0:
                if len(self._buffer) > LINE_LIMIT:
                    raise ValueError("request line too long")
                return False
            parts = self._buffer[:end].decode("latin-1").split(" ")
            if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
                raise ValueError("not an HTTP/1.1 request")
            if not self._admit(parts[1]):
                raise PermissionError(parts[1])
            self._line = (parts[0], parts[1])
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > HEAD_LIMIT:
                raise ValueError("headers too long")
            return False
        self._head = _Head(*self._line, _headers(bytes(self._buffer[:end])))
        del self._buffer[: end + 4]
        self._line = None
        if self._head.headers.get("expect", "").lower() == "100-continue":
            send_continue()
        return True

    def _read_body(self) -> Request | None:
        head = self._head
        assert head is not None
        done = head.take_chunks(self._buffer, self._limit) if head.chunked else head.take(self._buffer, self._limit)
        if not done:
            return None
        self._head = None
        return Request(head.method, head.target, head.headers, head.body, head.too_large)


class _Head:
    """A request whose body is still coming. What exceeds the limit is counted, not kept."""

    def __init__(self, method: str, target: str, headers: Mapping[str, str]) -> None:
        self.method, self.target, self.headers = method, target, headers
        self.chunked = "chunked" in headers.get("transfer-encoding", "").lower()
        self.body = bytearray()
        self.too_large = False
        self._left = 0 if self.chunked else int(headers.get("content-length") or 0)
        if self._left < 0:
            raise ValueError("negative length")

    def take(self, buffer: bytearray, limit: int) -> bool:
        part = buffer[: self._left]
        del buffer[: len(part)]
        self._left -= len(part)
        self._keep(part, limit)
        return self._left == 0

    def take_chunks(self, buffer: bytearray, limit: int) -> bool:
        while True:
            if self._left and not self.take(buffer, limit):
                return False
            end = buffer.find(b"\r\n")
            if end < 0:
                if len(buffer) > LINE_LIMIT:
                    raise ValueError("chunk line too long")
                return False
            line = bytes(buffer[:end]).split(b";")[0].strip()
            if line == b"":  # the break after a chunk
                del buffer[: end + 2]
                continue
            size = int(line, 16)
            if size < 0:
                raise ValueError("negative chunk")
            if size == 0:
                closing = buffer.find(b"\r\n\r\n", end)
                if closing < 0:
                    return False
                del buffer[: closing + 4]
                return True
            del buffer[: end + 2]
            self._left = size

    def _keep(self, part: bytearray, limit: int) -> None:
        if self.too_large or len(self.body) + len(part) > limit:
            self.too_large = True
            self.body = bytearray()
        else:
            self.body += part


def _headers(head: bytes) -> dict[str, str]:
    found = {}
    for line in head.decode("latin-1").split("\r\n")[1:]:
        name, separator, value = line.partition(":")
        if not separator:
            raise ValueError("header without a colon")
        found[name.strip().lower()] = value.strip()
    return found
