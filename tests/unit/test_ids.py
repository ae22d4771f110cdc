"""Ids are UUIDs, and never the same twice."""

from __future__ import annotations

import uuid

from alight.names import new_request_id


def test_a_request_id_is_a_random_uuid() -> None:
    made = {new_request_id() for _ in range(2_000)}
    assert len(made) == 2_000
    for text in made:
        read = uuid.UUID(text)
        assert (read.version, read.variant, str(read)) == (4, uuid.RFC_4122, text)
