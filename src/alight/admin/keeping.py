"""Copies of the data folder, and a look at all that is in it, while the instance serves."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import Any

from alight.admin.http import Request
from alight.clock import Clock
from alight.errors import AlightError
from alight.store.backup import MANIFEST, back_up, last_backup
from alight.store.objects import ObjectStore
from alight.store.verify import verify


class Keeping:
    """The handlers of `alight backup` and `alight verify`."""

    def __init__(self, data: Path, objects: ObjectStore, clock: Clock, version: str) -> None:
        self._data = data
        self._objects = objects
        self._clock = clock
        self._version = version

    async def verify(self, request: Request) -> dict[str, Any]:
        """Every row and every byte, as they are while it lasts: nothing is removed meanwhile."""
        with self._objects.kept():
            damage = await asyncio.to_thread(verify, self._data)
        return {"damage": [asdict(finding) for finding in damage]}

    async def back_up(self, request: Request) -> dict[str, Any]:
        """`{"target": absolute path}` on this machine."""
        target = Path(str((request.body or {}).get("target") or ""))
        if not target.is_absolute():
            raise AlightError("The target is not an absolute path.")
        now = self._clock.now()
        with self._objects.kept():
            made = await asyncio.to_thread(back_up, self._data, target, version=self._version, created=now)
        return asdict(made)

    async def last(self) -> dict[str, Any] | None:
        """When and where the last backup was made, and whether it still lies there; None before the first."""

        def look() -> dict[str, Any] | None:
            made = last_backup(self._data)
            if made is None:
                return None
            known = {"created": made.created, "folder": made.folder, "size": made.size, "damage": len(made.damage)}
            return known | {"there": Path(made.folder, MANIFEST).is_file()}

        # Apart from the loop: a stick or a share that is gone may let one wait.
        return await asyncio.to_thread(look)
