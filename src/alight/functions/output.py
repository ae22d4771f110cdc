"""What a worker prints: read without ever making it wait, split into lines, tied to the request it belongs to.

stdout and stderr share one pipe. The child's loop flushes before it answers, so what stands in the pipe when the
answer arrives belongs to that request; `drain` takes it out then. Of each invocation 1 MiB is kept; the rest is
read, counted and dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator, Sequence

#: Bytes and lines kept of one invocation, bytes of one log event, bytes of the tail that Invoke can return.
KEEP_BYTES = 1024 * 1024
KEEP_LINES = 10_000
EVENT_BYTES = 256 * 1024
TAIL_BYTES = 4 * 1024

_READ = 64 * 1024
_READS_PER_TURN = 4
_READS_PER_DRAIN = 64
_PIPE_BYTES = 1024 * 1024
_F_SETPIPE_SZ = 1031

#: Called with messages that came together (no line break at their ends) and the request they belong to ("" for none).
Emit = Callable[[Sequence[str], str], None]


class Output:
    """The read end of one worker's pipe."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._loop = asyncio.get_running_loop()
        self._reader, self.writer = os.pipe()
        os.set_blocking(self._reader, False)
        with contextlib.suppress(OSError):
            fcntl.fcntl(self._reader, _F_SETPIPE_SZ, _PIPE_BYTES)
        self._loop.add_reader(self._reader, self._readable)
        self._open = True
        self._request_id = ""
        self._partial = b""
        self._tail = b""
        self._used = False
        self._kept = self._lines = self._dropped = 0

    def close_writer(self) -> None:
        """Once the child has its own copy."""
        if self.writer >= 0:
            os.close(self.writer)
            self.writer = -1

    def close(self) -> None:
        self.close_writer()
        if self._open:
            self._open = False
            self._loop.remove_reader(self._reader)
            os.close(self._reader)

    def begin(self, request_id: str) -> None:
        """From here on, output belongs to this request; what came since the last `end` belongs to none."""
        self.drain()
        self._flush()
        if self._used:
            self._tail = b""
        self._request_id = request_id
        self._kept = self._lines = self._dropped = 0

    def end(self, *lines: str) -> bytes:
        """Close the request with our own `lines`; returns the last 4 KB of its log. What the child has said to it was
        drained with its answer, or at its end."""
        self._flush()
        if self._dropped:
            self.line(f"{self._dropped} further bytes of output were dropped (1 MiB is kept of one invocation)")
        self._remember("".join([f"{line}\n" for line in lines]).encode())
        self._emit(lines, self._request_id)
        tail, self._tail = self._tail, b""
        self._used = True
        self._request_id = ""
        self._kept = self._lines = self._dropped = 0
        return tail

    def line(self, text: str) -> None:
        """A line of the platform, not of the child."""
        self._remember(text.encode() + b"\n")
        self._emit((text,), self._request_id)

    def drain(self) -> None:
        """Take what is there now; a child that writes faster than this reads is left to the loop."""
        for _ in range(_READS_PER_DRAIN):
            if not self._read():
                return

    def _readable(self) -> None:
        for _ in range(_READS_PER_TURN):
            if not self._read():
                return

    def _read(self) -> bool:
        """Whether there may be more."""
        if not self._open:
            return False
        try:
            data = os.read(self._reader, _READ)
        except BlockingIOError:
            return False
        if not data:
            self.close()
            return False
        self._take(data)
        return len(data) == _READ

    def _take(self, data: bytes) -> None:
        room = KEEP_BYTES - self._kept if self._lines < KEEP_LINES else 0
        kept = data[: max(room, 0)]
        self._dropped += len(data) - len(kept)
        if not kept:
            return
        self._kept += len(kept)
        self._remember(kept.replace(b"\r", b"\n"))
        *lines, self._partial = (self._partial + kept).split(b"\n")
        said: list[str] = []
        for index, line in enumerate(lines):
            if self._lines + len(said) >= KEEP_LINES:
                self._dropped += sum(len(more) + 1 for more in lines[index:]) + len(self._partial)
                self._partial = b""
                break
            said += _messages(line)
        self._say(said)
        if len(self._partial) >= EVENT_BYTES:
            self._flush()

    def _flush(self) -> None:
        partial, self._partial = self._partial, b""
        if partial:
            self._say([*_messages(partial)])

    def _say(self, messages: Sequence[str]) -> None:
        self._lines += len(messages)
        if messages:
            self._emit(messages, self._request_id)

    def _remember(self, data: bytes) -> None:
        self._tail = (self._tail + data)[-TAIL_BYTES:]


def _messages(line: bytes) -> Iterator[str]:
    """A line as log events: none where it is empty, several where it is long."""
    for start in range(0, len(line), EVENT_BYTES):
        # awslambdaric writes a traceback as one line, with carriage returns for breaks.
        text = line[start : start + EVENT_BYTES].decode("utf-8", "replace").rstrip("\r").replace("\r", "\n")
        if text:
            yield text
