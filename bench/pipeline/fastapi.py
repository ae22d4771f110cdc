"""A pipeline written by hand: FastAPI takes the PUT, two threads classify and tell. It keeps nothing."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.pipeline.load import Put
from bench.pipeline.receiver import Receiver
from bench.servers import free_port, heard, server
from bench.venvs import FASTAPI

PEERS = Path(__file__).resolve().parents[1] / "peers"


@contextmanager
def running(folder: Path, model: Path, receiver: Receiver) -> Iterator[tuple[int, Put]]:
    port, own = free_port(), threading.local()
    (folder / "pictures").mkdir()
    command: list[str | Path] = [
        FASTAPI.bin / "uvicorn",
        "--factory",
        "fastapi_pipeline:service",
        "--port",
        str(port),
        "--no-access-log",
    ]
    environment = {"MODEL": str(model), "FOLDER": str(folder / "pictures"), "TELL": receiver.url}

    def put(key: str, body: bytes) -> None:
        if not hasattr(own, "connection"):
            own.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        own.connection.request("PUT", f"/{key}", body)
        if own.connection.getresponse().read() != b'{"ok":true}':
            raise RuntimeError(f"{key} was not taken")

    log, answers = folder / "fastapi.log", heard(f"http://127.0.0.1:{port}/")
    with server(command, log, answers, cwd=PEERS, env=environment) as pid:
        yield pid, put
