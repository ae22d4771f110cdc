"""Keys that were opened once: the same key again, and for nobody else."""

from __future__ import annotations

from alight.credentials import Credentials, mint_session
from alight.gateway.keyring import Keyring

KEYS = Credentials("AKIAROOT", "root-secret", "admin", "ab" * 32)


def test_a_known_token_opens_for_its_own_access_key_only() -> None:
    keyring = Keyring(KEYS)
    one, other = (mint_session(KEYS, role="birds", session="f", worker=name, expires=2_000) for name in ("a", "b"))
    for _ in range(2):
        key = keyring(one.access_key_id, one.session_token)
        assert key is not None
        assert (key.secret, key.principal.worker, key.expires) == (one.secret_access_key, "a", 2_000)
        assert keyring(other.access_key_id, one.session_token) is None
        assert keyring(one.access_key_id, other.session_token) is None
        assert keyring(one.access_key_id, one.session_token + "x") is None
        assert keyring(one.access_key_id, None) is None
