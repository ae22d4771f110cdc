"""Whose key is it: the folder's root key, or a worker's session key that opens with its token."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

from alight.calls import Principal
from alight.credentials import Credentials, SessionClaims, open_session
from alight.gateway.signature import Key
from alight.names import ACCOUNT

ROOT = Principal("root", f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)


#: Session keys of workers that are kept open; more than that and all are opened anew.
REMEMBERED = 1_024


@dataclass(frozen=True, slots=True)
class Keyring:
    """The gateway's look-up of access keys. A token that was opened once is known: a worker sends it with each call."""

    credentials: Credentials
    _opened: dict[tuple[str, str], Key] = field(default_factory=dict)

    def __call__(self, access_key_id: str, token: str | None) -> Key | None:
        """None where the key is not ours, or the token does not belong to it."""
        if token is None:
            known = access_key_id == self.credentials.access_key_id
            return Key(self.credentials.secret_access_key, ROOT) if known else None
        place = (access_key_id, token)
        if place in self._opened:
            return self._opened[place]
        opened = open_session(self.credentials, token)
        if opened is None or opened[0].access_key_id != access_key_id:
            return None
        claims, secret = opened
        if len(self._opened) >= REMEMBERED:
            self._opened.clear()
        key = self._opened[place] = Key(secret, _role(claims), claims.expires)
        return key


def _role(claims: SessionClaims) -> Principal:
    return replace(assumed(claims.role, claims.session), worker=claims.worker)


def assumed(role: str, session: str) -> Principal:
    """Somebody who has taken a role, under the name of a session."""
    role_id = "AROA" + hashlib.sha256(role.encode()).hexdigest()[:16].upper()
    return Principal(
        kind="role",
        arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{session}",
        user_id=f"{role_id}:{session}",
        role=role,
    )
