"""A pipeline written by hand: FastAPI takes the PUT, two threads classify and tell. It keeps nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bench.pipeline.load import Put, over_http
from bench.pipeline.receiver import Receiver
from bench.servers import free_port, heard, server
from bench.venvs import FASTAPI

PEERS = Path(__file__).resolve().parents[1] / "peers"


@contextmanager
def running(folder: Path, model: Path, receiver: Receiver, more: Mapping[str, str]) -> Iterator[tuple[int, Put]]:
    port = free_port()
    (folder / "pictures").mkdir()
    command: list[str | Path] = [
        FASTAPI.bin / "uvicorn",
        "--factory",
        "fastapi_pipeline:service",
        "--port",
        str(port),
        "--no-access-log",
    ]
    environment = {"MODEL": str(model), "FOLDER": str(folder / "pictures"), "TELL": receiver.url, **more}

    def head(key: str, body: bytes) -> bytes:
        return f"PUT /{key} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {len(body)}\r\n\r\n".encode()

    log, answers = folder / "fastapi.log", heard(f"http://127.0.0.1:{port}/")
    with server(command, log, answers, cwd=PEERS, env=environment) as pid:
        yield pid, over_http(f"http://127.0.0.1:{port}", head)
