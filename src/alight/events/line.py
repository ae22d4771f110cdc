"""What the dispatcher knows of the events that wait, so that it need not ask the journal for each: when the first of
each function is due, which functions want a free worker, and whether a new event may begin without queueing up.

Whoever queues an event says so, once it is durable; where rows have changed in another way, all is read anew.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from alight.errors.store import Torn
from alight.store import journal
from alight.store.rows import Reader

#: Earlier than any moment.
AT_ONCE = 0.0


class Line:
    """Loop thread only, but for `take` and `keeps`. `free` says how many calls of a function would run at once, were
    they made now, on any thread; 0 where that is not known."""

    def __init__(self, free: Callable[[str], int]) -> None:
        self._free = free
        self._due: dict[str, float] = {}
        #: Whether `_due` is all that waits.
        self._whole = False
        #: Functions for which, at the last look, something was due and no worker free.
        self._starving: set[str] = set()
        #: Whether the last look left nothing behind that may start now.
        self._open = False
        #: Places that new events have taken, whose calls have not begun.
        self._taken = 0
        self._guard = threading.Lock()
        #: Events whose call has ended, and whose worker is kept for the next one of their function.
        self._kept: set[str] = set()

    def forget(self) -> None:
        """Rows have changed: look at all of them."""
        self._whole = self._open = False

    def shut(self) -> None:
        """New events queue up from here on, and nobody waits for a worker."""
        self._open = False
        self._starving.clear()
        self._kept.clear()

    def add(self, function: str, moment: float) -> None:
        """An event of this function waits, until then (seconds since 1970)."""
        self._open = False
        self._due[function] = min(moment, self._due.get(function, moment))

    def set(self, function: str, moment: float | None) -> None:
        """When the first of this function's events is due, as the journal has it; None: none waits."""
        if moment is None:
            self._due.pop(function, None)
        else:
            self._due[function] = moment

    def look(self, reader: Reader) -> dict[str, float]:
        """When the first event of each function that has any is due. A look begins."""
        self._starving.clear()
        self._open = False
        if not self._whole:
            # Before the reads: whoever asks for another look while they last gets it.
            self._whole = True
            try:
                functions = journal.functions_with_work(reader)
            except Torn:
                # It is being mended: then all look again. Until then, what is known here need not wait.
                functions = list(self._due)
                self._whole = False
            found = ((function, journal.next_due(reader, function)) for function in functions)
            self._due = {function: moment for function, moment in found if moment is not None}
        return dict(sorted(self._due.items()))

    def seen(self) -> None:
        """The look has left nothing behind that may start now."""
        self._open = self._whole and not self._starving

    def starve(self, function: str) -> None:
        """Something is due and no worker free."""
        self._starving.add(function)

    def starves(self, function: str = "") -> bool:
        """Whether this function does, or any."""
        return function in self._starving if function else bool(self._starving)

    def starves_alone(self, function: str) -> bool:
        """Whether this function does, and no other."""
        return len(self._starving) == 1 and function in self._starving

    @property
    def kept(self) -> int:
        """Workers that are free and kept."""
        return len(self._kept)

    def keep(self, event_id: str, function: str) -> bool:
        """Keep the worker of a call that has ended for the function's next event, where nobody else wants it."""
        keeps = self.starves_alone(function) and self._free(function) > len(self._kept)
        if keeps:
            self._kept.add(event_id)
        return keeps

    def keeps(self, event_id: str) -> bool:
        """In the writer's thread: whether the worker of this call is kept."""
        return event_id in self._kept

    def let_go(self, event_id: str) -> bool:
        """Its worker is not kept any more; False where it was not."""
        known = event_id in self._kept
        self._kept.discard(event_id)
        return known

    def take(self, function: str, now: float) -> bool:
        """In the writer's thread: a worker for a new event, where nothing that is due waits for one."""
        with self._guard:
            if not self._open or self._due.get(function, now + 1) <= now or self._free(function) <= self._taken:
                return False
            self._taken += 1
            return True

    def give_back(self) -> None:
        """It is not taken any more, or the call has begun, so that the worker is not free."""
        with self._guard:
            self._taken -= 1
