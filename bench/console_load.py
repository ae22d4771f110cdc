"""What an open console costs: an example at a steady rate, with nobody looking and with *Now* open in a browser.

    .venv/bin/python bench/console_load.py [--rate 50] [--seconds 20] [--rounds 2] [--frames] [--example hello]

Pictures are put at the rate that is asked for. For each way of looking, printed are the events handled a second, from
the first PUT to the last success, and the processor milliseconds that each of them took, by process: on a machine that
others use, those are the figures to go by. "Niced" is a browser with the lowest priority: a visitor's browser stands on
a machine of its own as a rule, here it shares the processors with the runtime. With `--frames` the page counts its own
frames in one more round. Rounds are interleaved; medians are printed.

`--example hello` asks no model: a machine whose models cannot answer so often still shows what the page costs.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from playwright.sync_api import Page, sync_playwright

from alight.store.connections import open_reader
from bench.processes import processor_time, spent
from tests.support import Instance, find_tool, start_alight, sweep

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
PUTTERS = 8
#: The parts in the order of the table; a browser's are apart from what Alight itself needs.
OURS = ("runtime", "thumbnails", "workers", "replicas")
BROWSERS = ("renderer", "painter", "browser")
#: Counts frames, the longest gaps between them and the tasks that held the page up.
COUNT = """() => {
    const seen = window.seen = { gaps: [], long: [] };
    let last = performance.now();
    const frame = (now) => { seen.gaps.push(now - last); last = now; requestAnimationFrame(frame); };
    requestAnimationFrame(frame);
    new PerformanceObserver((list) => seen.long.push(...list.getEntries().map((one) => one.duration)))
        .observe({ type: "longtask" });
}"""


@dataclass(frozen=True, slots=True)
class Result:
    """One round. `cost` is in processor milliseconds an event, by part."""

    per_second: float
    cost: dict[str, float]


@contextmanager
def page_open(instance: Instance, folder: Path, *, niced: bool = False) -> Iterator[Page]:
    """*Now* in a browser of its own, connected to the stream."""
    chromium = find_tool("chromium")
    if niced:
        wrapped = folder / "niced-chromium"
        wrapped.write_text(f'#!/bin/sh\nexec nice -n 19 {chromium} "$@"\n')
        wrapped.chmod(0o700)
        chromium = str(wrapped)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(instance.json("console")["url"])
        page.wait_for_selector("#line[data-state=open]")
        yield page
        browser.close()


def handled(instance: Instance) -> int:
    """How many events succeeded, read without a process of its own."""
    connection = open_reader(instance.data / "alight.db")
    try:
        return int(connection.execute("SELECT count(*) FROM events WHERE state = 'succeeded'").get)
    finally:
        connection.close()


def load(instance: Instance, rate: int, seconds: int) -> Result:
    """So many pictures a second, until all are handled."""
    s3, bucket = instance.client("s3", max_pool_connections=PUTTERS), instance.json("outputs")["BucketName"]
    pictures = [path.read_bytes() for path in sorted((EXAMPLES / "birds" / "pictures").glob("*.jpg"))]
    before, count = handled(instance), rate * seconds
    used, started = processor_time(), time.perf_counter()

    def put(number: int) -> None:
        due = started + number / rate
        time.sleep(max(0.0, due - time.perf_counter()))
        s3.put_object(Bucket=bucket, Key=f"birds/{started}-{number}.jpg", Body=pictures[number % len(pictures)])

    with ThreadPoolExecutor(PUTTERS) as putters:
        list(putters.map(put, range(count)))
    while handled(instance) < before + count:
        time.sleep(0.05)
    took = time.perf_counter() - started
    return Result(count / took, spent(used, processor_time(), count))


def report(name: str, results: list[Result], alone: float | None) -> float:
    """One line of the table; the events a second."""
    speed = statistics.median(one.per_second for one in results)
    parts = {part: statistics.median(one.cost.get(part, 0.0) for one in results) for part in (*OURS, *BROWSERS)}
    ours, theirs = (sum(parts[part] for part in group) for group in (OURS, BROWSERS))
    less = "" if alone is None else f"{100 * (1 - speed / alone):5.1f} % less"
    print(f"{name:22}{speed:6.1f}/s {less:12}" + "".join(f"{parts[part]:11.2f}" for part in parts), end="")
    print(f"{ours:11.2f}{theirs:11.2f}")
    return speed


def count_frames(instance: Instance, folder: Path, rate: int, seconds: int) -> None:
    """How smooth the page is while it is told of so many stories."""
    with page_open(instance, folder) as page:
        page.evaluate(COUNT)
        load(instance, rate, seconds)
        seen = page.evaluate("window.seen")
        rows = page.locator("li.story").count()
    gaps, long = sorted(seen["gaps"][5:]), seen["long"]
    print(f"frames: {len(gaps)}, gap median {statistics.median(gaps):.1f} ms, ", end="")
    print(f"99 % {gaps[int(len(gaps) * 0.99)]:.1f} ms, longest {gaps[-1]:.1f} ms; ", end="")
    print(f"{len(long)} tasks over 50 ms, longest {max(long, default=0):.0f} ms; {rows} rows")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=50)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--frames", action="store_true")
    parser.add_argument("--example", choices=("birds", "hello"), default="birds")
    given = parser.parse_args()
    rounds: dict[str, list[Result]] = {"nobody looks": [], "Now is open": [], "open, browser niced": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        instance = start_alight(folder / "data", EXAMPLES / given.example, timeout=90)
        try:
            load(instance, given.rate, 3)
            for _ in range(given.rounds):
                looks: tuple[AbstractContextManager[Page | None], ...] = (
                    nullcontext(), page_open(instance, folder), page_open(instance, folder, niced=True)
                )  # fmt: skip
                for results, looking in zip(rounds.values(), looks, strict=True):
                    with looking:
                        results.append(load(instance, given.rate, given.seconds))
            if given.frames:
                count_frames(instance, folder, given.rate, given.seconds)
        finally:
            instance.stop()
            sweep(instance.process)
    print(
        f"{f'{given.rate} events/s asked for':41}"
        + "".join(f"{part:>11}" for part in (*OURS, *BROWSERS, "Alight", "browser's"))
    )
    alone: float | None = None
    for title, results in rounds.items():
        speed = report(title, results, alone)
        alone = alone or speed


if __name__ == "__main__":
    main()
