"""A data folder from a database of an earlier version."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tests.schemas.make import CODE, LARGE

HERE = Path(__file__).parent


def versions(name: str) -> list[int]:
    """Those of which there is a database; `name` is `journal` or `telemetry`."""
    return sorted(int(path.stem.rpartition("-")[2]) for path in HERE.glob(f"{name}-*.sql"))


def lay(data: Path, journal: int, telemetry: int) -> None:
    """`data` as an Alight of that time has left it when it was killed."""
    data.mkdir()
    for file, name in (("alight.db", f"journal-{journal}"), ("telemetry.db", f"telemetry-{telemetry}")):
        connection = sqlite3.connect(data / file)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript((HERE / f"{name}.sql").read_text())
        if file == "alight.db":
            [(body,)] = connection.execute("SELECT id FROM bodies WHERE data IS NULL").fetchall()
            [(code,)] = connection.execute(
                "SELECT json_extract(body, '$.Code.Dir') FROM records WHERE kind = 'lambda:function'"
            ).fetchall()
        connection.close()
    # From version 8 on it is the first one in a pack.
    place = data / "packs" / body[1:13] if body.startswith("p") else data / "bodies" / body[:2] / body
    place.parent.mkdir(parents=True)
    place.write_bytes(LARGE)
    (data / "functions" / code).mkdir(parents=True)
    (data / "functions" / code / "app.py").write_text(CODE)
