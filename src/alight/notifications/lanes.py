"""Who may send now: a few deliveries at a time for each target, so that a dead one does not slow the others.

A target that nobody knows yet gets one delivery at a time; each success doubles that, a failure takes it back to one.
Targets whose last attempt failed share at most half of all places; together with those that have not answered yet,
three quarters: whoever is known to answer finds a place, however many black holes there are. Hosts that fail again and
again are left alone for a while (`hosts.py`).
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from alight.notifications.hosts import Hosts

#: Targets that are remembered while nothing goes on with them.
REMEMBERED = 2_000


class Ending(Enum):
    """How an attempt ended, as far as the target is concerned."""

    SENT = auto()  # the target has it
    REFUSED = auto()  # the target does not want it, and has said so
    FAILED = auto()  # it may be tried again
    OURS = auto()  # nobody was asked: something is wrong in this house


@dataclass(slots=True)
class _Lane:
    width: int = 1
    busy: int = 0
    failing: bool = False
    #: Whether its last attempt succeeded.
    proven: bool = False
    throttled: bool = False
    #: Monotonic time before which nothing may start (throttle).
    not_before: float = 0.0


class Lanes:
    """Counts only; the caller says when a delivery starts and how it ends. May be asked by more than one thread."""

    def __init__(self, places: int = 256, widest: int = 8, chance: Callable[[], float] = random.random) -> None:
        self._places = places
        self._risks = places - places // 4
        self._widest = widest
        self._lanes: dict[str, _Lane] = {}
        self._busy = 0
        self._failing = 0
        #: Places of targets that are not known to answer.
        self._unproven = 0
        self._hosts = Hosts(chance)
        self._guard = threading.RLock()

    @property
    def free(self) -> int:
        return self._places - self._busy

    @property
    def busy(self) -> int:
        return self._busy

    def take(self, target: str, now: float) -> bool:
        """Start where that may be; False where it may not."""
        with self._guard:
            if not self.may_start(target, now):
                return False
            self.start(target)
            return True

    def give_back(self, target: str) -> None:
        """What was started did not begin after all, and says nothing about the target."""
        with self._guard:
            lane = self._lanes[target]
            lane.busy -= 1
            self._busy -= 1
            self._failing -= lane.failing
            self._unproven -= not lane.proven
            self._hosts.give_back(target)

    def may_start(self, target: str, now: float) -> bool:
        with self._guard:
            return self._has_place(target, now) and self._hosts.may_start(target, now)

    def _has_place(self, target: str, now: float) -> bool:
        lane = self._lanes.get(target)
        if self.free <= 0:
            return False
        if (lane is None or not lane.proven) and self._unproven >= self._risks:
            return False
        if lane is None:
            return True
        if lane.failing and self._failing >= self._places // 2:
            return False
        width = 1 if lane.throttled else lane.width
        return lane.busy < width and lane.not_before <= now

    def blocked(self, now: float) -> list[str]:
        """The targets that may not start anything now."""
        with self._guard:
            blocked = {target for target in self._lanes if not self.may_start(target, now)}
            return sorted(blocked | self._hosts.refused(now))

    def opens(self, now: float) -> float | None:
        """When the next throttled target, or host that was left alone, may go on."""
        with self._guard:
            waits = [lane.not_before for lane in self._lanes.values() if lane.not_before > now]
            host = self._hosts.opens(now)
        return min(waits if host is None else [*waits, host], default=None)

    def waits(self, target: str, now: float) -> str:
        """Why a delivery to this target waits, in words; empty where its host answers."""
        with self._guard:
            return self._hosts.waits(target, now)

    def silent(self) -> int:
        """How many hosts are left alone."""
        with self._guard:
            return self._hosts.silent()

    def start(self, target: str) -> None:
        with self._guard:
            lane = self._lanes.get(target)
            if lane is None:
                lane = self._lanes[target] = _Lane()
            lane.busy += 1
            self._busy += 1
            self._failing += lane.failing
            self._unproven += not lane.proven
            self._hosts.start(target)

    def end(self, target: str, ending: Ending, now: float) -> None:
        with self._guard:
            succeeded = ending is Ending.SENT
            if ending is Ending.OURS:
                self._hosts.give_back(target)
            else:
                self._hosts.end(target, ending is not Ending.FAILED, now)
            lane = self._lanes[target]
            lane.busy -= 1
            self._busy -= 1
            if lane.failing:
                self._failing -= 1
            if not lane.proven:
                self._unproven -= 1
            if lane.proven != succeeded:
                self._unproven += -lane.busy if succeeded else lane.busy
            lane.proven = succeeded
            if succeeded:
                self._failing -= lane.busy if lane.failing else 0
                lane.width = min(lane.width * 2, self._widest)
            else:
                self._failing += lane.busy if not lane.failing else 0
                lane.width = 1
            lane.failing = not succeeded
            if len(self._lanes) > REMEMBERED:
                self._forget()

    def hold_back(self, target: str, until: float) -> None:
        """Start nothing for this target before `until`, and from now on one at a time."""
        with self._guard:
            lane = self._lanes.setdefault(target, _Lane())
            lane.not_before = until
            lane.throttled = True

    def _forget(self) -> None:
        self._lanes = {target: lane for target, lane in self._lanes.items() if lane.busy}
