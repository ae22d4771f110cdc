"""Give an entry bytes that are nearly right, at random, until it is enough."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.fuzz.entries import Entry
from tests.fuzz.mangling import mangled


def run(entry: Entry, chance: random.Random, enough: Callable[[int], bool]) -> int:
    """How many were taken. What the entry raises goes on, with the bytes that did it."""
    known, count = list(entry.seeds), 0
    while not enough(count):
        data = mangled(chance, chance.choice(known))
        _take(entry, data)
        count += 1
        # Changes add up: what was reached is a start for what lies behind it.
        if chance.random() < 0.05 and len(data) < 10_000:
            known.append(data)
    return count


def _take(entry: Entry, data: bytes) -> None:
    try:
        entry.take(data)
    except BaseException as error:
        error.add_note(f"the bytes: {data!r}")
        raise
