"""A picture is put, a model answers, somebody is told: one picture at a time, and as many as go in.

Every PUT to Alight is flushed before its answer; the others keep nothing, or keep it in memory.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from bench.case import Case, Contender, Counted, Size, Work
from bench.ours import BIRDS
from bench.pipeline import celery, fastapi, ministack, ours
from bench.pipeline.load import Put, burst, single
from bench.pipeline.receiver import Receiver
from bench.venvs import CELERY, FASTAPI, MINISTACK, Venv

LIMIT = Path(__file__).resolve().parents[1] / "limits" / "pictures.py"
ONE = "pipeline, one picture at a time"
#: How a peer decodes: as one would write it, and as Alight and the bare loop do.
DECODES: Mapping[str, Mapping[str, str]] = {"": {}, ", scaled decode": {"SCALED": "1"}}
PEERS: tuple[tuple[str, Callable[..., AbstractContextManager[Any]], Venv, tuple[str, ...]], ...] = (
    ("FastAPI + threads, by hand (keeps nothing)", fastapi.running, FASTAPI, ()),
    ("watchdog + Celery + Redis", celery.running, CELERY, ("redis-server",)),
    ("ministack (in memory, model in the handler)", ministack.running, MINISTACK, ()),
)
#: What starts one: its process ids, and at last what puts a picture.
Start = Callable[[Path, Path, Receiver], AbstractContextManager[tuple[Any, ...]]]


def pictures() -> list[bytes]:
    return [path.read_bytes() for path in sorted((BIRDS / "pictures").glob("*.jpg"))]


def unpacked(folder: Path) -> Path:
    """The model of the birds."""
    with tarfile.open(BIRDS / "model.tar.gz") as tar:
        tar.extractall(folder / "model", filter="data")
    return folder / "model"


def bare(folder: Path, count: int) -> dict[str, float]:
    command: list[str | Path] = [sys.executable, LIMIT, unpacked(folder), BIRDS / "pictures", str(count)]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return found


def both(found: dict[str, float]) -> tuple[Counted, Counted]:
    """Of the bare loop: one picture alone, and all processes together."""
    one, slow, cpu, done = found["one_ms"], found["one_p99_ms"], found["cpu_ms"], int(found["done"])
    return Counted(1000 / one, one, slow, done), Counted(found["per_second"], one, slow, done, processor_ms=cpu)


def case(size: Size, folder: Path) -> Case:
    many = f"pipeline, {size.pictures} pictures at once"

    @contextmanager
    def limit(place: Path) -> Iterator[Work]:
        one, all_ = both(bare(place, size.pictures))
        yield Work({ONE: lambda number: one, many: lambda number: all_})

    def pipeline(start: Start) -> Callable[[Path], AbstractContextManager[Work]]:
        @contextmanager
        def begun(place: Path) -> Iterator[Work]:
            receiver, images = Receiver(), pictures()
            try:
                with start(place, unpacked(place), receiver) as (*pids, put):
                    burst(put, receiver, images, min(20, size.pictures), "warm")
                    yield Work(loads(put, receiver, images), tuple(pids))
            finally:
                receiver.close()

        return begun

    def loads(put: Put, receiver: Receiver, images: list[bytes]) -> dict[str, Callable[[int], Counted]]:
        return {
            ONE: lambda number: single(put, receiver, images, size.singles, f"{number}-one"),
            many: lambda number: burst(put, receiver, images, size.pictures, f"{number}-all"),
        }

    return Case(
        "pipeline",
        Contender("bare decode + infer, a process a core", limit),
        Contender("Alight (durable)", pipeline(ours.running)),
        tuple(
            Contender(f"{name}{how}", pipeline(partial(start, more=more)), venv, tools)
            for name, start, venv, tools in PEERS
            for how, more in DECODES.items()
        ),
    )
