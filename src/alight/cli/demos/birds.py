"""`alight demo birds`: pictures in, messages out.

Pictures go in by boto3, as any program would put them; messages come out, and as no SMS gateway is configured, the
outbox is the phone that shows them.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alight.cli import plain
from alight.cli.demos.stage import PAUSE, Stage, tell
from alight.cli.instance import Door
from alight.errors import AlightError

MESSAGE_LIMIT = 60.0


@dataclass(slots=True)
class Messages:
    """The deliveries that the outbox shows, each reported once, oldest first."""

    door: Door
    seen: set[Any] = field(default_factory=set)

    def new(self) -> list[str]:
        """Texts of messages that were not reported before."""
        found = []
        for item in reversed(self.door.get("outbox", limit=1000).get("deliveries") or []):
            if item.get("id") not in self.seen:
                self.seen.add(item.get("id"))
                found.append(str(item.get("body") or ""))
        return found


class Birds:
    """Every picture of the example is put, and its message awaited."""

    def __init__(self) -> None:
        self._messages: Messages | None = None

    def check(self, folder: Path) -> None:
        if not _pictures(folder):
            raise AlightError(
                f"The example {folder.name} has no pictures to show.", "Run the one that has: alight demo birds"
            )

    def run(self, stage: Stage) -> bool:
        pictures = _pictures(stage.folder)
        task = stage.progress.add_task("Starting Alight", total=len(pictures))
        door = stage.open()
        tell("")
        messages = self._messages = Messages(door)
        messages.new()
        bucket = str(door.get("outputs")["BucketName"])
        client = stage.client("s3")
        missing = {f"birds/{path.name}": path for path in pictures}
        for key, path in missing.items():
            client.put_object(Bucket=bucket, Key=key, Body=path.read_bytes(), ContentType="image/jpeg")
        stage.progress.update(task, description="Waiting for messages")
        limit = stage.clock.monotonic() + MESSAGE_LIMIT
        while missing and stage.clock.monotonic() < limit and not stage.runtime.has_stopped():
            time.sleep(PAUSE)
            for text in messages.new():
                tell(text)
                missing.pop(_key_in(text), None)
            stage.progress.update(task, completed=len(pictures) - len(missing))
        if missing:
            stage.complain(f"No message came for {', '.join(map(plain.line, missing))}.")
        return not missing

    def stay(self, stage: Stage) -> None:
        """Show further messages, of pictures that somebody else puts there."""
        tell("\nPut a picture of yours under birds/ in the bucket; Ctrl-C stops.")
        while self._messages is not None and not stage.runtime.has_stopped():
            for text in self._messages.new():
                tell(text)
            time.sleep(PAUSE * 10)


def _pictures(folder: Path) -> list[Path]:
    return sorted((folder / "pictures").glob("*.jpg"))


def _key_in(text: str) -> str:
    """The object's key in `Bird [birds/card.jpg] is a: ...`."""
    found = re.search(r"\[([^\]]+)\]", text)
    return found[1] if found else ""
