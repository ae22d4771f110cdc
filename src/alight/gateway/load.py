"""How much is taken on at a time: requests under way, and bytes of bodies that are held whole.

What is beyond is refused at once, in a few bytes, and told when to come again: so a runtime that is asked for ten times
what it can serve stays as large as it was. Streamed bodies (objects) hold no more than their connection's buffers.
"""

from __future__ import annotations

from alight.errors.gateway import SlowDown

#: Requests under way at a time. Who waits for a worker, a replica or a queue's message is one.
REQUESTS = 1_024
#: Bytes of whole bodies under way at a time. A single body is let in whatever its size, as each has a limit of its own.
HELD = 96 * 1024 * 1024


class Load:
    """What is under way now. Used on the event loop alone."""

    def __init__(self, requests: int = REQUESTS, held: int = HELD) -> None:
        self._most_requests, self._most_held = requests, held
        self.requests = 0
        self.held = 0

    def _begin(self, own: bool) -> None:
        if self.requests >= self._most_requests * (1 + own):
            raise SlowDown
        self.requests += 1

    def _hold(self, size: int) -> None:
        if self.held and self.held + size > self._most_held:
            raise SlowDown
        self.held += size


class Share:
    """One request's part of the load; `end` gives all of it back."""

    __slots__ = ("_begun", "_held", "_load")

    def __init__(self, load: Load) -> None:
        self._load = load
        self._begun = False
        self._held = 0

    def begin(self, own: bool = False) -> None:
        """It is under way. `own`: a worker asks, on whose answer somebody waits already, so there is room for as many
        again. Raises `SlowDown`."""
        self._load._begin(own)
        self._begun = True

    def hold(self, size: int) -> None:
        """So many bytes are about to be read and held. Raises `SlowDown`."""
        self._load._hold(size)
        self._held += size

    def end(self) -> None:
        self._load.requests -= self._begun
        self._load.held -= self._held
        self._begun, self._held = False, 0
