"""Getting in: a one-time link from the terminal becomes a session cookie, and a session has a token for its forms.

Nothing is stored but the links that were not used yet: a cookie says when it ends and is sealed with the folder's
session secret, so that it outlives a restart and nobody else can make one.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field

from alight.clock import Clock

COOKIE = "alight_console"
#: Seconds that a link may be used, and that a session lasts.
LINK_SECONDS = 900.0
SESSION_SECONDS = 12 * 3600.0
#: Links that were not used yet; older ones go first.
MOST_LINKS = 32


@dataclass(frozen=True, slots=True)
class Session:
    """Who got in. `id` is random, `token` is what each form of this session carries."""

    id: str
    expires: float
    token: str


@dataclass(slots=True)
class Entry:
    """Links and sessions of one instance; `secret` is known to nobody else."""

    secret: bytes
    clock: Clock
    _links: dict[str, float] = field(default_factory=dict)

    def link(self) -> str:
        """A new token for a link, good once."""
        made = secrets.token_urlsafe(32)
        now = self.clock.now()
        kept = [(token, ends) for token, ends in self._links.items() if ends > now][-(MOST_LINKS - 1) :]
        self._links = dict(kept) | {made: now + LINK_SECONDS}
        return made

    def knows(self, token: str) -> bool:
        """Whether a link could be used now; it stays good."""
        return self._links.get(token, 0.0) > self.clock.now()

    def enter(self, token: str) -> str | None:
        """The value of a session cookie for a link's token, which is used up; None where it is no good."""
        ends = self._links.pop(token, 0.0)
        if ends <= self.clock.now():
            return None
        claim = f"{int(self.clock.now() + SESSION_SECONDS)}.{secrets.token_urlsafe(16)}"
        return f"{claim}.{self._seal('session', claim)}"

    def session(self, cookie: str) -> Session | None:
        """The session behind a cookie, or None where we did not make it or it is over."""
        claim, _, seal = cookie.rpartition(".")
        if not claim or not hmac.compare_digest(seal.encode(), self._seal("session", claim).encode()):
            return None
        expires, _, id = claim.partition(".")
        if float(expires) <= self.clock.now():
            return None
        return Session(id, float(expires), self._seal("form", claim))

    def _seal(self, purpose: str, text: str) -> str:
        return hmac.new(self.secret, f"console-{purpose}:{text}".encode(), hashlib.sha256).hexdigest()


def admits(session: Session, token: str) -> bool:
    """Whether a form carries the session's own token."""
    return hmac.compare_digest(session.token.encode(), token.encode())
