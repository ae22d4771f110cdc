"""Reviews through the public API, measured: how many a second, and how long one takes.

    .venv/bin/python bench/http     # [--rounds 2] [--seconds 8] [--no-peer]   about two minutes

`examples/sentiment` on Alight, with its boto3-based handler and its endpoint, beside the bare loop (the handler's words
and the model in one process) and a service written by hand with FastAPI. All serve at the same time and are asked in
turn, so that a noisy machine is noisy for all of them; the visitors are a process of their own. Medians over the
rounds. An answer counts where it is the model's own.

A folder and no file: beside the other benchmarks, a module of this name would hide the standard library's `http`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import peer_fastapi

HERE = Path(__file__).resolve().parent
EXAMPLE = HERE.parents[1] / "examples" / "sentiment"
ALIGHT = Path(sys.executable).parent / "alight"
SEED = 7
REVIEWS = 400
CONNECTIONS = (1, 16, 64)
Measured = dict[str, Any]


def made_reviews() -> list[str]:
    """Reviews of 5 to 60 words, the frequent ones more often."""
    chance = random.Random(SEED)
    words = list(json.loads((EXAMPLE / "src" / "vocabulary.json").read_text(encoding="utf-8")))
    return [
        " ".join(words[int(len(words) * chance.random() ** 3)] for _ in range(chance.randint(5, 60)))
        for _ in range(REVIEWS)
    ]


@contextmanager
def alight(folder: Path) -> Iterator[str]:
    """`alight up examples/sentiment` on a fresh folder; the address of its API."""
    data = folder / "data"
    with (folder / "alight.log").open("w") as log:
        process = subprocess.Popen(
            [ALIGHT, "up", EXAMPLE, "--port", "0", "--data", data],
            stdout=subprocess.PIPE, stderr=log, text=True, env={"PATH": "/usr/bin:/bin"},
        )  # fmt: skip
    assert process.stdout is not None
    with process.stdout:
        try:
            for line in process.stdout:
                if line.startswith("Alight ready at"):
                    break
            else:
                raise RuntimeError((folder / "alight.log").read_text()[-2000:])
            outputs = subprocess.run([ALIGHT, "outputs", "--json", "--data", data], check=True, capture_output=True)
            yield json.loads(outputs.stdout)["ApiUrl"]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def told(script: str, *words: object) -> Any:
    """What one of the scripts beside this one prints, from a process of its own."""
    command = [sys.executable, str(HERE / script), *map(str, words)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def measure(url: str, reviews: Path, connections: int, seconds: float) -> Measured:
    found: Measured = told("load.py", url, reviews, "--connections", connections, "--seconds", seconds)
    return found


def line(name: str, connections: object, runs: list[Measured], limit: float) -> str:
    def median(key: str) -> float:
        return statistics.median(run[key] for run in runs)

    errors = sum(sum(run["errors"].values()) for run in runs)
    kinds = sorted({kind for run in runs for kind in run["errors"]})
    return (
        f"| {name} | {connections} | {median('per_second'):.0f} | {median('p50'):.2f} / {median('p99'):.2f} "
        f"| {median('per_second') / limit:.2f} | {errors}{' (' + ', '.join(kinds) + ')' if kinds else ''} |"
    )


def report(services: dict[str, str], runs: dict[tuple[str, object], list[Measured]], given: Any) -> str:
    names = ("xgboost-cpu", "numpy", "boto3", "uvicorn")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    limit = statistics.median(run["per_second"] for run in runs["bare", ""])
    return "\n".join(
        [
            f"Python {platform.python_version()}, {versions}, {os.cpu_count()} cores",
            f"{REVIEWS} reviews with seed {SEED}, {given.rounds} rounds of {given.seconds:g} s, medians",
            "",
            "| service | connections | reviews/s | p50 / p99 ms | ratio to bare | errors |",
            "|---|---|---|---|---|---|",
            line("bare loop, 1 process", "", runs["bare", ""], limit),
            *(line(name, number, runs[name, number], limit) for name in services for number in CONNECTIONS),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--no-alight", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    runs: dict[tuple[str, object], list[Measured]] = {}

    def keep(name: str, connections: object, found: Measured) -> None:
        runs.setdefault((name, connections), []).append(found)
        print(f"{name} {connections}: {found}", file=sys.stderr)

    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        reviews, texts = folder / "reviews.json", folder / "texts.json"
        texts.write_text(json.dumps(made_reviews()))
        reviews.write_text(json.dumps(told("bare.py", texts, "--answers")))
        starts: dict[str, Callable[[Path], Any]] = {} if given.no_alight else {"Alight": alight}
        if not given.no_peer:
            peer_fastapi.install()
            starts[f"FastAPI {peer_fastapi.version()}"] = peer_fastapi.running
        services = {service: stack.enter_context(start(folder)) for service, start in starts.items()}
        for url in services.values():
            measure(url, reviews, max(CONNECTIONS), min(given.seconds, 2.0))
        for _ in range(given.rounds):
            keep("bare", "", told("bare.py", reviews, min(given.seconds, 3.0)))
            for connections in CONNECTIONS:
                for service, url in services.items():
                    keep(service, connections, measure(url, reviews, connections, given.seconds))
    print(report(services, runs, given))


if __name__ == "__main__":
    main()
