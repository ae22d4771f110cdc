"""What packs take of the disk beside what somebody refers to."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from alight.store.connections import open_reader
from alight.store.packs import Packed

#: What a file system counts to a file beside its bytes.
SPARE = 32 << 10


def left_in_packs(data: Path) -> list[str]:
    """What a start should have freed, in words."""
    connection = open_reader(data / "alight.db")
    try:
        ids = [str(id) for (id,) in connection.execute("SELECT id FROM bodies WHERE data IS NULL")]
    finally:
        connection.close()
    wanted: Counter[str] = Counter()
    for place in filter(None, map(Packed.of, ids)):
        wanted[place.pack] += place.end - place.start
    found = {path.name: path.stat().st_blocks * 512 for path in (data / "packs").iterdir()}
    wrong = [f"pack {name} is missing" for name in wanted.keys() - found.keys()]
    wrong += [f"pack {name} was left" for name in found.keys() - wanted.keys()]
    return wrong + [
        f"pack {name} takes {found[name]} bytes for {size}"
        for name, size in wanted.items()
        if found.get(name, 0) > size + SPARE
    ]
