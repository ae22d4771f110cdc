"""Code that was stored before there were seals gets one at the first look: what is changed from then on is noticed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from alight.seal import seal_of
from alight.services.lambda_.catalogue import FUNCTION, VERSION
from alight.services.lambda_.layers import KIND as LAYER
from alight.store.database import Database
from alight.store.records import Record, Records

log = logging.getLogger(__name__)

#: Members of a record that say where code lies.
PLACES = ("Code", "Opt")


async def seal_what_is_not(database: Database, records: Records, folder: Path) -> None:
    """Before anybody runs. `folder` is that of all functions."""
    for kind in (FUNCTION, VERSION, LAYER):
        for record in records.list(kind, limit=100_000):
            await _seal(database, records, kind, record, folder)


async def _seal(database: Database, records: Records, kind: str, record: Record, folder: Path) -> None:
    seals: dict[str, Mapping[str, Any]] = {}
    for name in PLACES:
        place = record.body.get(name)
        if place and place.get("Dir") and not place.get("Seal"):
            try:
                seals[name] = {**place, "Seal": await asyncio.to_thread(seal_of, folder / place["Dir"])}
            except OSError as error:
                log.warning("the code of %s was not looked at: %s", record.name, error)
    if seals:
        await database.insist(lambda tx: records.put(tx, kind, record.name, record.body | seals))
