"""Read everything that was promised and name what is damaged; changes nothing, and needs no running instance."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw

from alight.errors.store import Damaged, Torn
from alight.seal import seal_of
from alight.store.checksums import ALGORITHMS, encode
from alight.store.connections import open_reader
from alight.store.ground import BODIES, FILE_NAME
from alight.store.packs import PACKS, Packed
from alight.store.reading import CHUNK_SIZE
from alight.store.rows import Reader, Row
from alight.store.statements import load_statements

#: Folder of functions' code.
FUNCTIONS = "functions"
_TABLES = (
    "records", "buckets", "objects", "versions", "uploads", "parts", "events", "attempts", "messages", "deliveries",
    "queue_messages", "counters",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Finding:
    """`what` is damaged, `key` says which one."""

    what: str
    key: str


def verify(folder: Path) -> list[Finding]:
    """All damage in a data folder (blocks, as long as reading all of it takes)."""
    connection = open_reader(folder / FILE_NAME)
    try:
        reader = Reader(connection, load_statements(), _unexpected)
        found = [*_pages(connection), *_rows(reader), *_references(reader), *_bodies(reader, folder)]
        return [*found, *_code(reader, folder / FUNCTIONS)]
    finally:
        connection.close()


def _pages(connection: apsw.Connection) -> Iterator[Finding]:
    for (line,) in connection.execute("PRAGMA integrity_check"):
        if line != "ok":
            yield Finding("database", str(line))


def _rows(reader: Reader) -> Iterator[Finding]:
    for table in _TABLES:
        try:
            for row in reader.all(f"verify.{table}"):
                yield Finding(table, " ".join(str(value) for value in row.values()))
        except Torn as damage:
            yield Finding(table, damage.key)


def _references(reader: Reader) -> Iterator[Finding]:
    for row in reader.all("verify.references"):
        if row["refs"] is None:
            yield Finding("missing body", row["id"])
        else:
            yield Finding("body count", f"{row['id']}: {row['refs']} instead of {row['times']}")


def _bodies(reader: Reader, folder: Path) -> Iterator[Finding]:
    after = ""
    while rows := reader.all("verify.bodies", after=after):
        for row in rows:
            if not _sound(row, folder):
                yield Finding("body", row["id"])
        after = rows[-1]["id"]


def _code(reader: Reader, folder: Path) -> Iterator[Finding]:
    """Folders of functions and layers that are not as their records sealed them. What was changed or removed while they
    were read is left out."""
    broken = [
        (row, place) for row in reader.all("verify.code") for place in _sealed(row) if not _as_sealed(folder, place)
    ]
    if broken:
        now = {(row["kind"], row["name"]): row["body"] for row in reader.all("verify.code")}
    for row, place in broken:
        if now.get((row["kind"], row["name"])) == row["body"]:
            yield Finding("code", f"{row['kind'].partition(':')[2]} {row['name']}: {place['Dir']}")


def _sealed(row: Row) -> Iterator[dict[str, Any]]:
    try:
        body = json.loads(row["body"])
    except ValueError:
        return  # A damaged row, which is found as such.
    yield from (part for part in body.values() if isinstance(part, dict) and part.get("Dir") and part.get("Seal"))


def _as_sealed(folder: Path, place: dict[str, Any]) -> bool:
    try:
        return bool(seal_of(folder / place["Dir"]) == place["Seal"])
    except OSError:
        return False


def _sound(row: Row, folder: Path) -> bool:
    crc = ALGORITHMS["crc64nvme"]()
    size = 0
    try:
        for chunk in _chunks(row, folder):
            size += len(chunk)
            crc.update(chunk)
    except OSError:
        return False
    return bool(size == row["size"] and encode(crc.digest()) == row["crc64nvme"])


def _chunks(row: Row, folder: Path) -> Iterator[bytes]:
    if row["data"] is not None:
        yield row["data"]
        return
    if packed := Packed.of(row["id"]):
        yield packed.read(folder / PACKS)
        return
    descriptor = os.open(folder / BODIES / row["id"][:2] / row["id"], os.O_RDONLY | os.O_NOFOLLOW)
    with open(descriptor, "rb", buffering=0) as file:
        while chunk := file.read(CHUNK_SIZE):
            yield chunk


def _unexpected(damage: Damaged) -> None:
    """The statements used here select damage themselves."""
