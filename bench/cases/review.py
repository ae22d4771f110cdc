"""A visitor posts a review, a function asks a model what it is: `examples/sentiment` through its public API."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import ours, reviews, wrk
from bench.case import Case, Contender, Counted, Size, Work
from bench.servers import connected, free_port, heard, server
from bench.venvs import FASTAPI

HERE = Path(__file__).resolve().parent
LIMITS, PEERS = HERE.parent / "limits", HERE.parent / "peers"
MANY, ONE = "a review through an API and a model, 16 clients", "a review through an API and a model, 1 client"


def told(script: str, *words: object) -> Any:
    """What one of the limits prints."""
    command: list[str | Path] = [sys.executable, str(LIMITS / script), *map(str, words)]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def case(size: Size, folder: Path) -> Case:
    file = folder / "reviews.json"
    texts = reviews.made(size.reviews)
    file.write_text(json.dumps(texts))
    right, seconds = [answer.encode() for answer in told("judge.py", file, 0)], min(size.seconds, 3)

    def loads(url: str) -> dict[str, Callable[[int], Counted]]:
        requests = wrk.post(url, [text.encode() for text in texts], "text/plain;charset=UTF-8")
        wrk.answers(url, requests, right)
        wrk.warm(url, requests, size)
        return wrk.many_and_one(url, requests, size, MANY, ONE)

    @contextmanager
    def limit(place: Path) -> Iterator[Work]:
        found = Counted(**told("judge.py", file, seconds))
        yield Work({MANY: lambda number: found, ONE: lambda number: found})

    @contextmanager
    def alight(place: Path) -> Iterator[Work]:
        with ours.running(place, ours.SENTIMENT) as instance:
            yield Work(loads(instance.outputs["ApiUrl"]), (instance.pid,))

    @contextmanager
    def looped(place: Path) -> Iterator[Work]:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        with server([sys.executable, LIMITS / "model.py", str(port)], place / "log", connected(port)):
            found = told("looped.py", url, file, seconds)
        yield Work({MANY: lambda number: Counted(**found["all"]), ONE: lambda number: Counted(**found["one"])})

    @contextmanager
    def fastapi(place: Path) -> Iterator[Work]:
        port, workers = free_port(), str(os.cpu_count() or 1)
        url = f"http://127.0.0.1:{port}/"
        command: list[str | Path] = [
            FASTAPI.bin / "uvicorn",
            "--factory",
            "fastapi_review:service",
            "--port",
            str(port),
        ]
        command += ["--no-access-log", "--workers", workers]
        with server(command, place / "log", heard(url), cwd=PEERS) as pid:
            yield Work(loads(url), (pid,))

    return Case(
        "review",
        Contender("bare words + XGBoost in one process", limit),
        Contender("Alight (boto3 handler, endpoint of its own)", alight, tools=("wrk",)),
        (
            Contender("the same handler looped, a process a core, bare uvicorn + XGBoost behind it", looped),
            Contender("FastAPI, handler and model in one process, a process a core", fastapi, FASTAPI, ("wrk",)),
        ),
    )
