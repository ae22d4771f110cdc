"""watchdog + Celery + Redis: a folder is watched, and a task for each picture goes through Redis to a process a core.

Redis keeps its tasks in memory, and Celery takes a task as done when it begins it: what is being worked at is lost with
its worker.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bench.pipeline.load import Put, Send
from bench.pipeline.receiver import Receiver
from bench.servers import connected, free_port, server
from bench.venvs import CELERY

PEERS = Path(__file__).resolve().parents[1] / "peers"


def said(log: Path, word: str) -> Callable[[], bool]:
    return lambda: word in log.read_text()


@contextmanager
def running(
    folder: Path, model: Path, receiver: Receiver, more: Mapping[str, str]
) -> Iterator[tuple[int, int, int, Put]]:
    """Redis, Celery and the watcher; a picture is put by giving it its name."""
    port, pictures = free_port(), folder / "pictures"
    pictures.mkdir()
    environment = {"MODEL": str(model), "TELL": receiver.url, "BROKER": f"redis://127.0.0.1:{port}/0", **more}
    redis: list[str | Path] = [
        str(shutil.which("redis-server")),
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--dir",
        str(folder),
    ]
    celery: list[str | Path] = [
        CELERY.bin / "celery",
        "-A",
        "celery_app",
        "worker",
        "-c",
        str(os.cpu_count() or 1),
        "-l",
        "info",
    ]
    celery += ["--without-gossip", "--without-mingle"]
    watch: list[str | Path] = [CELERY.python, "-u", "celery_watch.py", pictures]
    told, seen = folder / "celery.log", folder / "watch.log"

    def put(key: str, body: bytes) -> Send:
        unfinished = folder / key.replace("/", "_")

        def send() -> None:
            unfinished.write_bytes(body)
            unfinished.rename(pictures / unfinished.name)

        return send

    with (
        server(redis, folder / "redis.log", connected(port)) as one,
        server(celery, told, said(told, " ready."), cwd=PEERS, env=environment) as two,
        server(watch, seen, said(seen, "ready"), cwd=PEERS, env=environment) as three,
    ):
        yield one, two, three, put
