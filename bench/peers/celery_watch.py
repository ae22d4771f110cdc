"""The other side: watches a folder, and asks for a task for every picture that is named there. Says `ready`."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from celery_app import classify
from watchdog.events import DirCreatedEvent, FileCreatedEvent, FileSystemEventHandler
from watchdog.observers import Observer


class Named(FileSystemEventHandler):
    """A picture comes from outside with its name, whole: to the watcher it is created."""

    def on_created(self, event: DirCreatedEvent | FileCreatedEvent) -> None:
        path = Path(str(event.src_path))
        if path.suffix == ".jpg":
            classify.delay(path.name.replace("_", "/", 1), str(path))


observer = Observer()
observer.schedule(Named(), sys.argv[1])
observer.start()
print("ready", flush=True)
threading.Event().wait()
