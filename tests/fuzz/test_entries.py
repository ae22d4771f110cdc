"""Each parser is given some hundred bytes that are nearly right; `python -m tests.fuzz` does it as long as asked."""

from __future__ import annotations

import os
import random

import pytest

from tests.fuzz.entries import Entry, entry, names
from tests.fuzz.running import run

COUNT = int(os.environ.get("ALIGHT_CHAOS_FUZZED", "500"))


@pytest.mark.timeout(120 + COUNT // 100)
@pytest.mark.parametrize("name", names())
def test_nothing_crashes(name: str) -> None:
    seed = int(os.environ.get("ALIGHT_TEST_SEED") or random.randrange(1 << 32))
    try:
        run(entry(name), random.Random(seed), lambda count: count >= COUNT)
    except Exception as error:
        error.add_note(f"ALIGHT_TEST_SEED={seed}")
        raise


def test_a_crash_is_told_with_its_bytes() -> None:
    def take(data: bytes) -> None:
        if b"<" in data:
            raise KeyError("no refusal")

    with pytest.raises(KeyError) as caught:
        run(Entry(take, (b"good",)), random.Random(1), lambda count: count > 10_000)
    assert "the bytes: b'" in caught.value.__notes__[0]
    assert "<" in caught.value.__notes__[0]
