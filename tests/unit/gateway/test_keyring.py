"""Keys that were opened once: the same key again, and for nobody else."""

from __future__ import annotations

from alight.credentials import Credentials, mint_session
from alight.gateway.authorize import principal_context
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


def test_conditions_see_the_role_with_its_path() -> None:
    """On AWS `aws:PrincipalArn` is the role, at its path, although the caller's own ARN has none."""
    one = mint_session(KEYS, role="birds", session="f", worker="w", expires=2_000, role_id="AROA", path="/app/")
    key = Keyring(KEYS)(one.access_key_id, one.session_token)
    assert key is not None
    assert key.principal.arn == "arn:aws:sts::000000000000:assumed-role/birds/f"
    assert principal_context(key.principal)["aws:PrincipalArn"] == "arn:aws:iam::000000000000:role/app/birds"


def test_a_worker_lives_on_where_the_clock_is_set_forward() -> None:
    worker = mint_session(KEYS, role="birds", session="f", worker="w", issued=1_000, expires=2_000)
    taken = mint_session(KEYS, role="birds", session="f", worker="", issued=1_000, expires=2_000)
    keyring = Keyring(KEYS, lost_since=lambda moment: 500.0 if moment <= 1_500 else 0.0)
    key, other = (keyring(one.access_key_id, one.session_token) for one in (worker, taken))
    assert key is not None
    assert other is not None
    assert (key.expires, other.expires) == (2_500, 2_000)
