"""What happened in one simulation, as seen from outside of the process that dies: attempts, publishes, sends, arrivals.

Some rules are broken in the moment, and raise there; `audit` (beside this file) compares the rest at the end.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from alight.notifications.hosts import FAILURES, FIRST_WAIT, JITTER, LONGEST_WAIT
from alight.store.journal import Event
from alight.store.outbox import Delivery

#: What a free function or target may let a due row wait: commits and steps (seconds).
PROMPT = 5.0
#: Clocks are read a step or two apart, and a wall clock of today counts in quarters of a microsecond.
SLACK = 0.01


class Broken(AssertionError):
    """A rule does not hold."""


@dataclass(frozen=True, slots=True)
class Publish:
    """One that was answered: by which attempt, and what it said."""

    event: str
    fence: int
    message: str
    text: str
    staged: bool


@dataclass
class Host:
    """What a target's host has seen of one life, as it may be asked."""

    failures: int = 0
    busy: int = 0
    #: Since when it is left alone, and for how long; whether one delivery is trying it.
    opened: float | None = None
    wait: float = 0.0
    tried: bool = False


@dataclass
class Ledger:
    """Survives each crash of a simulation."""

    #: Ids of events whose acceptance was answered.
    answered: set[str] = field(default_factory=set)
    #: (event, fence) of each attempt that began.
    began: set[tuple[str, int]] = field(default_factory=set)
    publishes: list[Publish] = field(default_factory=list)
    #: (delivery, fence) of each send that began.
    sends: set[tuple[int, int]] = field(default_factory=set)
    #: How often each message came to each target.
    arrivals: Counter[tuple[str, str]] = field(default_factory=Counter)
    #: Monotonic moment before which a delivery may not be tried again.
    not_before: dict[int, float] = field(default_factory=dict)
    #: The same for an event's next attempt.
    retry_not_before: dict[str, float] = field(default_factory=dict)
    #: Monotonic moment up to which something kept a function or a target from being prompt.
    disturbed: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    disturbed_all: float = 0.0
    hosts: defaultdict[str, Host] = field(default_factory=lambda: defaultdict(Host))
    probes: int = 0
    crashes: int = 0
    stops: int = 0
    late: int = 0
    steps: int = 0
    jumpy: bool = False
    prompt: int = 0
    _trace: list[str] = field(default_factory=list)

    def note(self, now: float, *what: object) -> None:
        self._trace.append(f"{now:.6f} {' '.join(map(str, what))}")

    @property
    def trace(self) -> str:
        """The same for two runs that went alike."""
        return hashlib.sha256("\n".join(self._trace).encode()).hexdigest()

    def tail(self, lines: int = 40) -> str:
        return "\n".join(self._trace[-lines:])

    def disturb(self, what: str, until: float) -> None:
        self.disturbed[what] = max(self.disturbed[what], until)

    def attempt_begins(self, event: Event, now: float, due: float) -> None:
        """`due` is when its row says that it may run, on the monotonic clock."""
        self.note(now, "attempt", event.id, event.fence)
        if (event.id, event.fence) in self.began:
            raise Broken(f"{event.id} was leased twice under fence {event.fence}")
        if event.attempts > event.retries:
            raise Broken(f"{event.id} is tried again after {event.attempts} attempts, {event.retries} retries")
        early = self.retry_not_before.get(event.id, 0.0) - SLACK - now
        if early > 0 and not self.jumpy:
            raise Broken(f"{event.id} is tried again {early:.3f} s too early")
        self.began.add((event.id, event.fence))
        self._check_prompt(f"event {event.id}", event.function, due, now)

    def send_begins(self, delivery: Delivery, now: float, due: float) -> None:
        self.note(now, "send", delivery.id, delivery.fence)
        if (delivery.id, delivery.fence) in self.sends:
            raise Broken(f"delivery {delivery.id} was leased twice under fence {delivery.fence}")
        if now < self.not_before.get(delivery.id, 0.0) - SLACK and not self.jumpy:
            raise Broken(f"delivery {delivery.id} is sent again {self.not_before[delivery.id] - now:.3f} s too early")
        self.sends.add((delivery.id, delivery.fence))
        self._check_prompt(f"delivery {delivery.id}", delivery.target, due, now)

    def life_begins(self, now: float, found_sending: list[int]) -> None:
        """`found_sending`: deliveries whose last send was not recorded, so that another one may come at once."""
        self.note(now, "life", *found_sending)
        for delivery in found_sending:
            self.not_before.pop(delivery, None)
        # Nor may the end of an attempt have been.
        self.retry_not_before.clear()
        self.disturbed_all = now
        self.hosts.clear()

    def host_begins(self, name: str, now: float) -> None:
        """A delivery takes its place: alone, and not before its time, where the host has failed too often."""
        host = self.hosts[name]
        host.busy += 1
        if host.opened is None:
            return
        self.probes += 1
        host.tried = True
        if host.busy > 1:
            raise Broken(f"{name} is left alone, and {host.busy} deliveries go there at once")
        if now < host.opened + host.wait - SLACK:
            raise Broken(f"{name} is tried again {now - host.opened:.3f} s after it was left alone for {host.wait}")

    def host_ends(self, name: str, answered: bool | None, now: float) -> float:
        """`answered` None: the host was not asked. Returns the moment up to which it may be left alone."""
        host = self.hosts[name]
        tried, host.tried = host.tried, False
        host.busy -= 1
        if answered:
            host.failures, host.opened, host.wait = 0, None, 0.0
        elif answered is False:
            host.failures += 1
            if tried or (host.opened is None and host.failures >= FAILURES):
                host.opened, host.wait = now, min(host.wait * 2 or FIRST_WAIT, LONGEST_WAIT)
        return now if host.opened is None else max(now, host.opened + host.wait * (1 + JITTER))

    def _check_prompt(self, what: str, by: str, due: float, now: float) -> None:
        """What is due begins soon where nothing keeps it: a bell that nobody heard would be an hour."""
        waited = now - max(due, self.disturbed[by], self.disturbed_all)
        if waited > PROMPT and not self.jumpy:
            raise Broken(f"{what} was due, could have begun, and waited {waited:.1f} s")
        self.prompt += 1
