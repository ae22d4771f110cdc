"""Hosts that have stopped answering: after a few failures in a row nothing goes to them but one delivery at a time.

Closed: everything may start. Open: nothing may, for a while. Then one delivery tries; its success closes the host
again, its failure opens it for twice as long. What waits meanwhile uses up no attempt, so an outage costs no message,
and nobody storms at a host that comes back. All addresses of a host count together; so do mails, which take one server,
and texts.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import urlsplit

log = logging.getLogger(__name__)

#: Failures in a row after which a host is left alone.
FAILURES = 5
#: Seconds before one delivery tries it again: at first, and at most.
FIRST_WAIT, LONGEST_WAIT = 5.0, 60.0
#: Waits are drawn out by up to this share.
JITTER = 0.2

#: Hosts, and refused targets of each, that are remembered.
REMEMBERED = 2_000


@lru_cache(maxsize=2_000)
def host_of(target: str) -> str:
    """Whose failure a target's failure is; empty for what stays in the house."""
    if target.startswith("arn:"):
        return ""
    if target.startswith(("http://", "https://")):
        try:
            address = urlsplit(target)
            port = address.port or (443 if address.scheme == "https" else 80)
            return f"{address.hostname}:{port}"
        except ValueError:
            return target
    return "the mail server" if "@" in target else "the SMS gateway"


@dataclass(slots=True)
class _Host:
    failures: int = 0
    busy: int = 0
    wait: float = 0.0
    #: Monotonic time from which one delivery may try.
    opens: float = 0.0
    #: Whether that one is under way.
    tries: bool = False
    #: Targets that were refused a start since it is open.
    refused: set[str] = field(default_factory=set)

    @property
    def open(self) -> bool:
        return self.wait > 0.0

    def may_start(self, now: float) -> bool:
        # The one that tries is alone: what was under way when the host was opened has ended by then.
        return not self.open or (self.busy == 0 and self.opens <= now)


class Hosts:
    """Counts only, as `Lanes`, which guards it. `chance` draws the waits out."""

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._hosts: dict[str, _Host] = {}

    def may_start(self, target: str, now: float) -> bool:
        host = self._hosts.get(host_of(target))
        if host is None or host.may_start(now):
            return True
        if len(host.refused) < REMEMBERED:
            host.refused.add(target)
        return False

    def refused(self, now: float) -> set[str]:
        """Targets that wanted to start, and still may not."""
        closed = [host.refused for host in self._hosts.values() if host.refused and not host.may_start(now)]
        return set().union(*closed)

    def opens(self, now: float) -> float | None:
        """When the next host may be tried."""
        return min((host.opens for host in self._hosts.values() if host.open and host.opens > now), default=None)

    def start(self, target: str) -> None:
        name = host_of(target)
        if not name:
            return
        host = self._hosts.get(name)
        if host is None:
            host = self._hosts[name] = _Host()
        host.tries = host.open
        host.busy += 1

    def give_back(self, target: str) -> None:
        """What was started says nothing about the host."""
        if host := self._hosts.get(host_of(target)):
            host.busy -= 1
            host.tries = False

    def end(self, target: str, answered: bool, now: float) -> None:
        """Whether the host has answered, be it with a refusal."""
        name = host_of(target)
        host = self._hosts.get(name)
        if host is None:
            return
        tried, host.tries = host.tries, False
        host.busy -= 1
        if answered:
            if host.open:
                log.warning("%s answers again: its deliveries go on", name)
            if host.failures:
                self._hosts[name] = _Host(busy=host.busy)
        else:
            host.failures += 1
            if tried or (host.failures >= FAILURES and not host.open):
                self._leave_alone(name, host, now)
        if len(self._hosts) > REMEMBERED:
            self._hosts = {name: host for name, host in self._hosts.items() if host.busy or host.open}

    def waits(self, target: str, now: float) -> str:
        """Why a delivery to this target waits; empty where its host keeps it from nothing."""
        name = host_of(target)
        host = self._hosts.get(name)
        if host is None or not host.open:
            return ""
        seconds = host.opens - now
        then = "one delivery is trying it now" if host.tries else f"one delivery tries it in {max(seconds, 0):.0f} s"
        return f"{name} has failed {host.failures} times in a row: {then}, the others wait and lose no attempt"

    def silent(self) -> int:
        """How many hosts are left alone."""
        return sum(host.open for host in self._hosts.values())

    def _leave_alone(self, name: str, host: _Host, now: float) -> None:
        if not host.open:
            log.warning("%s has failed %d times in a row: its deliveries wait until it answers", name, host.failures)
        host.wait = min(host.wait * 2 or FIRST_WAIT, LONGEST_WAIT)
        host.opens = now + host.wait * (1 + JITTER * self._chance())
