"""Ids are UUIDs, and never the same twice; addresses are shown without their passwords."""

from __future__ import annotations

import uuid

import pytest

from alight.names import new_request_id, without_password


def test_a_request_id_is_a_random_uuid() -> None:
    made = {new_request_id() for _ in range(2_000)}
    assert len(made) == 2_000
    for text in made:
        read = uuid.UUID(text)
        assert (read.version, read.variant, str(read)) == (4, uuid.RFC_4122, text)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://people:secret@example.org:8443/x?y=1", "https://people:****@example.org:8443/x?y=1"),
        ("http://people:a@b:c@example.org", "http://people:****@example.org"),
        ("http://:secret@example.org/", "http://:****@example.org/"),
        ("http://people@example.org/", "http://people@example.org/"),
        ("https://example.org/a:b@c", "https://example.org/a:b@c"),
        ("a@example.org", "a@example.org"),
        ("+4915112345678", "+4915112345678"),
        ("arn:aws:sqs:us-east-1:000000000000:q", "arn:aws:sqs:us-east-1:000000000000:q"),
    ],
)
def test_a_password_is_not_shown(address: str, shown: str) -> None:
    assert without_password(address) == shown
