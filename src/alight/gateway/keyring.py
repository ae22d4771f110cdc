"""Whose key is it: the folder's root key, a user's access key, or temporary credentials that open with their token."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from alight.calls import Principal, Session
from alight.credentials import Credentials, SessionClaims, derived_secret, open_session
from alight.gateway.signature import Key
from alight.names import ACCOUNT, user_arn

ROOT = Principal("root", f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)


#: Temporary credentials that are kept open; more than that and all are opened anew.
REMEMBERED = 1_024


def _no_users(key: str) -> Principal | None:
    return None


def _nothing_lost(moment: float) -> float:
    return 0.0


@dataclass(frozen=True, slots=True)
class Keyring:
    """The gateway's look-up of access keys. A token that was opened once is known: a worker sends it with each call.

    `user_of(access key id)` gives the user of an active key, `user_called(name)` a user by name, `lost_since(moment)`
    the seconds that a clock which was set forward has skipped: a worker's keys live as long as their worker.
    """

    credentials: Credentials
    user_of: Callable[[str], Principal | None] = _no_users
    user_called: Callable[[str], Principal | None] = _no_users
    lost_since: Callable[[float], float] = _nothing_lost
    _opened: dict[tuple[str, str], tuple[Key, SessionClaims]] = field(default_factory=dict)

    def __call__(self, access_key_id: str, token: str | None) -> Key | None:
        """None where the key is not ours (any more), or the token does not belong to it."""
        if token is None:
            return self._long_lived(access_key_id)
        place = (access_key_id, token)
        if place not in self._opened:
            opened = open_session(self.credentials, token)
            if opened is None or opened[0].access_key_id != access_key_id:
                return None
            claims, secret = opened
            if len(self._opened) >= REMEMBERED:
                self._opened.clear()
            self._opened[place] = Key(secret, _principal(claims), claims.expires), claims
        key, claims = self._opened[place]
        if claims.worker and (lost := self.lost_since(claims.issued)):
            return replace(key, expires=claims.expires + lost)
        if claims.kind != "user":
            return key
        user = self.user_called(claims.user)
        if user is None or user.user_id != claims.id:
            # Theirs has gone; one who came later under the same name is somebody else.
            return None
        return replace(key, principal=replace(user, session=key.principal.session))

    def _long_lived(self, access_key_id: str) -> Key | None:
        if access_key_id == self.credentials.access_key_id:
            return Key(self.credentials.secret_access_key, ROOT)
        user = self.user_of(access_key_id)
        return None if user is None else Key(derived_secret(self.credentials, access_key_id), user)


def _principal(claims: SessionClaims) -> Principal:
    session = Session(claims.issued, claims.policies, claims.policy_arns)
    match claims.kind:
        case "root":
            return replace(ROOT, session=session)
        case "user":
            return Principal("user", user_arn(claims.user), claims.id, user=claims.user, session=session)
    taken = assumed(claims.role, claims.session, claims.id, claims.path)
    return replace(taken, worker=claims.worker or None, session=session)


def assumed(role: str, session: str, role_id: str = "", path: str = "/") -> Principal:
    """Somebody who has taken a role, under the name of a session."""
    role_id = role_id or "AROA" + hashlib.sha256(role.encode()).hexdigest()[:16].upper()
    return Principal(
        kind="role",
        arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{session}",
        user_id=f"{role_id}:{session}",
        role=role,
        path=path,
    )
