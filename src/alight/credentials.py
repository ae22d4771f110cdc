"""Keys of one data folder: made at random on first start, kept in a 0600 file, never defaulted.

The root key signs what the owner's people and scripts send. A temporary key is not stored anywhere: its secret is
derived from the folder's session secret and the token that travels with each request, so a link that a worker
signed stays valid for its stated time after the worker has gone and after a restart. Secrets of users' access keys are
derived too.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

from alight.errors import AlightError

FILE_NAME = "credentials.json"


@dataclass(frozen=True, slots=True)
class Credentials:
    """`admin_token` opens `/_alight/api`; `session_secret` derives the keys of workers."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    admin_token: str = field(repr=False)
    session_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SessionClaims:
    """What a session token says. `expires` and `issued` are in seconds since 1970. `kind` is role, user or root; of a
    user `user`, of a role `role`, `session` and (where it is a function's) `worker` are given; `id` is IAM's id of
    either, `path` a role's. `policies` are the texts and `policy_arns` the ARNs of what narrows the session."""

    access_key_id: str
    role: str
    session: str
    worker: str
    expires: int
    kind: str = "role"
    user: str = ""
    id: str = ""
    path: str = "/"
    issued: int = 0
    policies: tuple[str, ...] = ()
    policy_arns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SessionKey:
    """The three values that make temporary credentials."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)


def load_or_create(folder: Path) -> Credentials:
    """Read the folder's keys, or make them (file mode 0600, flushed to disk before use)."""
    path = folder / FILE_NAME
    if path.exists():
        return load(folder)
    made = Credentials(
        access_key_id="AKIA" + _base32(10),
        secret_access_key=secrets.token_urlsafe(30),
        admin_token=secrets.token_urlsafe(32),
        session_secret=secrets.token_hex(32),
    )
    temporary = path.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(asdict(made), file)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
    # What is signed with these keys from now on must be theirs after a power cut too.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return made


def load(folder: Path) -> Credentials:
    """Raises `AlightError` where there is no such file or others may read it."""
    path = folder / FILE_NAME
    try:
        mode = path.stat().st_mode
        values = json.loads(path.read_text())
    except FileNotFoundError:
        raise AlightError(f"No credentials in {folder}.", "Start Alight there first: alight up --data DIR.") from None
    if mode & 0o077:
        raise AlightError(f"{path} can be read by others.", f"Close it: chmod 600 {path}.")
    return Credentials(**values)


def mint_session(
    keys: Credentials,
    *,
    role: str,
    session: str,
    worker: str,
    expires: int,
    issued: int = 0,
    role_id: str = "",
    path: str = "/",
) -> SessionKey:
    """A session key for one worker of one role."""
    return mint(
        keys, SessionClaims(new_session_id(), role, session, worker, expires, id=role_id, path=path, issued=issued)
    )


def new_session_id() -> str:
    """The access key id of new temporary credentials."""
    return "ASIA" + _base32(10)


def mint(keys: Credentials, claims: SessionClaims) -> SessionKey:
    """Temporary credentials that say `claims`."""
    body = base64.urlsafe_b64encode(json.dumps(asdict(claims), separators=(",", ":")).encode()).decode()
    token = f"{body}.{_seal(keys, 'token', body)}"
    return SessionKey(claims.access_key_id, _seal(keys, "secret", body), token)


def open_session(keys: Credentials, token: str) -> tuple[SessionClaims, str] | None:
    """The claims and the secret key behind a token, or None where we did not issue it. Expiry is the caller's."""
    body, _, seal = token.partition(".")
    if not hmac.compare_digest(seal.encode(), _seal(keys, "token", body).encode()):
        return None
    said = json.loads(base64.urlsafe_b64decode(body))
    narrowed = {name: tuple(said.get(name, ())) for name in ("policies", "policy_arns")}
    return SessionClaims(**said | narrowed), _seal(keys, "secret", body)


def derived_secret(keys: Credentials, access_key_id: str) -> str:
    """The secret (40 characters) of a user's access key. It follows from the key's id and the folder's session secret,
    so that no database and no backup of one holds it."""
    return _seal(keys, "user", access_key_id)[:40]


def _seal(keys: Credentials, purpose: str, body: str) -> str:
    digest = hmac.new(bytes.fromhex(keys.session_secret), f"{purpose}:{body}".encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _base32(size: int) -> str:
    return base64.b32encode(secrets.token_bytes(size)).decode()
