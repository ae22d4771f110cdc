"""Whether the replicas of a variant answer at all: after a few requests in a row that came to nothing, events leave it
alone.

Closed: everybody may ask. Open: no event's call may, for a while. Then one tries; its answer closes it again, its
failure keeps it open for twice as long. What waits meanwhile uses up no attempt, so an endpoint that is dead for an
hour costs no event. Whoever waits for the answer themselves is always let through, and what they get counts, too.

An answer is whatever the model says, be it an error of its own making: that is the event's failure, as on AWS.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

#: Requests in a row that came to nothing, after which events leave it alone.
FAILURES = 5
#: Seconds before one event tries it again: at first, and at most.
FIRST_WAIT, LONGEST_WAIT = 5.0, 60.0
#: Waits are drawn out by up to this share.
JITTER = 0.2
#: What a server says for one behind it that is not there, or not ready.
NOT_THERE = frozenset({502, 503, 504})


@dataclass(slots=True)
class Standing:
    """Counts only. `chance` draws the waits out, `say` puts a line into the replicas' log."""

    chance: Callable[[], float]
    say: Callable[[str], None]
    failures: int = 0
    wait: float = 0.0
    #: Monotonic time from which one event may try.
    opens: float = 0.0
    #: Whether that one is under way.
    tries: bool = False

    def refuses(self, now: float) -> str:
        """Why no event may ask now; empty where it may."""
        if not self.wait or (not self.tries and self.opens <= now):
            return ""
        then = "one event is trying it now" if self.tries else f"one event tries it in {self.opens - now:.0f} s"
        return f"it has not answered {self.failures} times in a row; {then}"

    def let_in(self) -> bool:
        """An event asks. Whether it is the one that tries."""
        tries = self.tries = bool(self.wait)
        return tries

    def answered(self) -> None:
        if self.wait:
            self.say("The model answers again: events ask it as before.")
        self.failures, self.wait = 0, 0.0

    def failed(self, tried: bool, now: float) -> None:
        """It came to nothing; `tried`: for the one that tries."""
        self.failures += 1
        if not tried and (self.wait or self.failures < FAILURES):
            return
        if not self.wait:
            self.say(f"The model has not answered {self.failures} times in a row: events wait, and lose no attempt.")
        self.wait = min(self.wait * 2 or FIRST_WAIT, LONGEST_WAIT)
        self.opens = now + self.wait * (1 + JITTER * self.chance())
