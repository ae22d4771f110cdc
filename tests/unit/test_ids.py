"""Ids are UUIDs, and never the same twice; addresses are shown without their passwords."""

from __future__ import annotations

import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from alight.names import new_request_id, new_version_id, without_password

FORKING = """
import os
from alight.names import new_request_id, new_version_id
new_request_id()
if os.fork() == 0:
    print(new_request_id(), new_version_id(), flush=True)
    os._exit(0)
os.wait()
print(new_request_id(), new_version_id())
"""


def test_a_request_id_is_a_random_uuid() -> None:
    made = {new_request_id() for _ in range(2_000)}
    assert len(made) == 2_000
    for text in made:
        read = uuid.UUID(text)
        assert (read.version, read.variant, str(read)) == (4, uuid.RFC_4122, text)


def test_ids_of_several_threads_are_no_others() -> None:
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda _: new_version_id(), range(20_000)))
    assert len(set(made)) == 20_000
    assert {len(text) for text in made} == {32}
    assert set("".join(made)) == set("0123456789abcdef")


def test_a_forked_process_draws_its_own() -> None:
    told = subprocess.run([sys.executable, "-c", FORKING], check=True, capture_output=True, text=True)
    assert len(set(told.stdout.split())) == 4


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
