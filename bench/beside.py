"""This tree and another one, knocked at in the same moments: the runtime's processor microseconds for each request, and
for each picture of a burst of the birds. InvokeEndpoint is counted with its replicas. With pictures their model does
nothing: what is counted is the way there and back; with rows, reading them and the trees are counted, too.

    .venv/bin/python -m bench.beside OTHER/src [--rounds 6] [--seconds 2]

On a machine that others use, too, the same code takes twice as long from one minute to the next. Asked at the same
time, both suffer alike, so that the ratio holds where the figures themselves do not. Needs `wrk`; on Linux only.
"""

from __future__ import annotations

import argparse
import io
import statistics
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import NamedTuple

from bench import ours, reviews, wrk
from bench.cases import api, image, put, text
from bench.pipeline.case import pictures
from bench.pipeline.load import burst
from bench.pipeline.ours import subscribed
from bench.pipeline.receiver import Receiver
from bench.processes import tree

Ask = Callable[[ours.Instance, int, float], tuple[wrk.Requests, int]]
#: Loads an instance in this round for so many seconds; the runtime's microseconds for each piece of work.
Load = Callable[[int, float], float]
BIRDS = "a picture of a burst, PUT to message"
PICTURES = 60


def puts(title: str) -> Ask:
    return lambda instance, number, seconds: put.puts(instance.url, instance.env, title, number, seconds)


def asks(instance: ours.Instance, number: int, seconds: float) -> tuple[wrk.Requests, int]:
    return api.asking(instance.outputs["ApiUrl"]), 16


def invokes(connections: int) -> Ask:
    return lambda instance, number, seconds: (image.asking(instance), connections)


def rows(instance: ours.Instance, number: int, seconds: float) -> tuple[wrk.Requests, int]:
    return text.asking(instance, reviews.lines(reviews.made(300))), 16


def packed(folder: Path) -> Path:
    """A model that does nothing: every picture gets the same short text."""
    script = (
        b"def model_fn(folder): pass\ndef transform_fn(model, body, kind, accept): return '[0.1]', 'application/json'\n"
    )
    entry = tarfile.TarInfo("code/inference.py")
    entry.size = len(script)
    with tarfile.open(folder / "model.tar.gz", "w:gz") as archive:
        archive.addfile(entry, io.BytesIO(script))
    return folder / "model.tar.gz"


def trees(folder: Path) -> Path:
    model = folder / "xgboost-model"
    model.write_bytes(reviews.train(TREES).save_raw("ubj"))
    return text.archive(model)


class Door(NamedTuple):
    """A template; where it has an endpoint, `model` makes its package in a folder."""

    template: str
    ask: Ask
    model: Callable[[Path], Path] | None = None


ENDPOINT, ENDPOINT_OF_TREES = (ours.ENDPOINT.replace("SERVED_AS", kind) for kind in ("script", "xgboost"))
TREES = 739
DOORS: dict[str, Door] = {
    image.MANY: Door(ENDPOINT, invokes(16), packed),
    image.ONE: Door(ENDPOINT, invokes(1), packed),
    text.MANY: Door(ENDPOINT_OF_TREES, rows, trees),
    put.SMALL: Door(put.TEMPLATE, puts(put.SMALL)),
    put.LARGE: Door(put.TEMPLATE, puts(put.LARGE)),
    api.MANY: Door(api.TEMPLATE, asks),
}


def processor(*pids: int) -> float:
    """Microseconds that the threads of processes have had so far."""
    files = [task / "schedstat" for pid in pids for task in Path(f"/proc/{pid}/task").iterdir()]
    return sum(int(file.read_text().split()[0]) for file in files if file.exists()) / 1000


def measured(instance: ours.Instance, ask: Ask, pids: Sequence[int], number: int, seconds: float) -> float:
    requests, connections = ask(instance, number, seconds)
    before = processor(*pids)
    counted = wrk.load(instance.url, requests, connections, seconds)
    return (processor(*pids) - before) / max(counted.done, 1)


def birds(instance: ours.Instance, exits: ExitStack) -> Load:
    """A burst, whatever it takes."""
    receiver, images = Receiver(), pictures()
    exits.callback(receiver.close)
    put_picture = subscribed(instance, receiver)

    def load(number: int, seconds: float) -> float:
        before = processor(instance.pid)
        counted = burst(put_picture, receiver, images, PICTURES, f"round{number}")
        return (processor(instance.pid) - before) / max(counted.done, 1)

    return load


def beside(other: Path, title: str, rounds: int, seconds: float) -> list[tuple[float, float]]:
    """Of each round, the other tree's figure and ours."""
    found = []
    with tempfile.TemporaryDirectory() as name, ExitStack() as exits, ThreadPoolExecutor(2) as both:
        loads: list[Load] = []
        for place, source in (("other", other), ("own", Path(__file__).resolve().parents[1] / "src")):
            folder = Path(name, place)
            folder.mkdir()
            settings = {"PYTHONPATH": str(source.resolve()), "ALIGHT_WEBHOOK_ALLOW": "127.0.0.1"}
            if title == BIRDS:
                loads.append(birds(exits.enter_context(ours.running(folder, ours.BIRDS, **settings)), exits))
                continue
            door = DOORS[title]
            home = ours.app(folder / "app", door.template, door.model and door.model(folder)) / "template.yaml"
            instance = exits.enter_context(ours.running(folder, home, **settings))
            pids = [int(pid) for pid in tree((instance.pid,))] if door.model else [instance.pid]
            loads.append(partial(measured, instance, door.ask, pids))
        for number in range(-1, rounds):
            asked = [both.submit(load, number, seconds) for load in loads]
            first, second = (one.result() for one in asked)
            # The first round warms up.
            if number >= 0:
                found.append((first, second))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, help="the `src` of another checkout")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=2)
    given = parser.parse_args()
    print("| request | other: lowest, median | own: lowest, median | ratio: median (lowest to highest) |")
    print("|---|---|---|---|")
    for title in (*DOORS, BIRDS):
        found = beside(given.other, title, given.rounds, given.seconds)
        texts = [f"{min(one):.0f}, {statistics.median(one):.0f}" for one in zip(*found, strict=True)]
        ratios = sorted(own / other for other, own in found)
        spread = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        print(f"| {title} | {texts[0]} | {texts[1]} | {spread} |", flush=True)


if __name__ == "__main__":
    main()
