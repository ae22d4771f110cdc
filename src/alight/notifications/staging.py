"""What a running attempt has published so far, in memory: its fate is the attempt's, and so is its place on the disk.

A message that an attempt has staged leaves in the transaction that records the attempt as the deciding one, and in no
other way. A crash before that ends the attempt, and with it all that it has staged, wherever it lay. So it is written
once, in that transaction, and costs no flush of its own. An attempt that publishes very much stages the rest in rows:
all that comes after, so that it leaves in its order.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from alight.store.outbox import StoredMessage

#: Messages, and bytes of their texts and attributes, that are held in memory for one attempt.
MOST_MESSAGES = 100
MOST_BYTES = 1 << 20

#: The fence of an event's first attempt: there is none before it that may have left something.
FIRST = 1


@dataclass(slots=True)
class Staged:
    """What one attempt has staged, in the order of its publishes. `alone`: no row holds anything for its event. `full`:
    what comes now needs a row."""

    messages: list[StoredMessage] = field(default_factory=list)
    size: int = 0
    alone: bool = False
    full: bool = False


class Staging:
    """Which attempts run, and what each has staged. Asked on the event loop and in the writer's thread."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, int], Staged] = {}
        self._guard = threading.Lock()

    def open(self, event_id: str, fence: int) -> None:
        """An attempt begins."""
        with self._guard:
            self._open[event_id, fence] = Staged(alone=fence == FIRST)

    def add(self, messages: Sequence[StoredMessage]) -> bool:
        """Keep all of them for their one attempt; False, and none is kept, where that has ended, or holds too much:
        then they need rows.

        Raises `UnicodeEncodeError` where no row could hold them: who publishes hears of that, not the decision."""
        size = sum(len("".join(_texts(message)).encode()) for message in messages)
        event_id, fence = messages[0].event_id or "", messages[0].fence
        with self._guard:
            staged = self._open.get((event_id, fence))
            if staged is None:
                return False
            many, much = len(staged.messages) + len(messages), staged.size + size
            staged.full = staged.full or many > MOST_MESSAGES or much > MOST_BYTES
            if staged.full:
                return False
            staged.messages.extend(messages)
            staged.size = much
            return True

    def count(self, event_id: str, fence: int) -> int:
        """How many messages are held for an attempt."""
        with self._guard:
            staged = self._open.get((event_id, fence))
            return len(staged.messages) if staged else 0

    def in_rows(self, event_id: str, fence: int) -> None:
        """Something is staged for it in a row."""
        with self._guard:
            if staged := self._open.get((event_id, fence)):
                staged.alone, staged.full = False, True

    def close(self, event_id: str, fence: int) -> Staged:
        """An attempt ends: what it has staged. What it publishes from here on needs a row, and finds how it ended."""
        with self._guard:
            return self._open.pop((event_id, fence), None) or Staged()

    def reopen(self, event_id: str, fence: int, staged: Staged) -> None:
        """Its end was taken back. Meanwhile something may have found its way into rows."""
        with self._guard:
            staged.alone, staged.full = False, True
            self._open[event_id, fence] = staged


def _texts(message: StoredMessage) -> list[str]:
    given = [part for name, value in message.attributes.items() for part in (name, *value.values())]
    return [message.body, message.subject or "", message.topic, message.target, *given]
