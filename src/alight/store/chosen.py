"""Which events are meant: dead ones by what is known of them, those of a time, the last one of each object."""

from __future__ import annotations

from alight.store import journal
from alight.store.rows import Reader, Row


def dead(
    reader: Reader,
    *,
    function: str = "",
    reason: str = "",
    since: float = 0.0,
    before: float = 0.0,
    bucket: str = "",
    prefix: str = "",
) -> list[str]:
    """The ids of the dead events that fit, oldest first. `since` and `before` are moments at which they were given up,
    `reason` is that, or the error's type; bucket and prefix are spelled as in records.

    Looks at every dead event: call it apart from the loop.
    """
    given = {"function": function, "reason": reason, "since": since, "before": before}
    return [row["id"] for row in reader.all("journal.dead", **given, bucket=bucket, prefix=prefix)]


def seq_before(reader: Reader, moment: float) -> int:
    """The seq behind the last event that was accepted before `moment` (seconds since 1970): a few seeks, as events are
    accepted in the order of time, but for a clock that was set."""
    low, high = 0, journal.last_seq(reader) + 1
    while low < high:
        middle = (low + high) // 2
        found = reader.one("journal.at_or_behind", seq=middle)
        if found is None or found["accepted"] >= moment:
            high = middle
        else:
            low = middle + 1
    return low


def last_of_objects(reader: Reader, bucket: str, prefix: str) -> list[Row]:
    """For each function and key (both as records spell them) the `id` of the last event of an object that was handled.

    Looks at every event: call it apart from the loop.
    """
    return reader.all("journal.last_of_objects", bucket=bucket, prefix=prefix)
