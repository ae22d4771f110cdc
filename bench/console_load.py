"""What an open console costs: the birds example at a steady rate, with nobody looking and with *Now* open in a browser.

    .venv/bin/python bench/console_load.py [--rate 50] [--seconds 20] [--rounds 2]

Pictures are put at the rate that is asked for; printed is how many events a second were handled, from the first PUT to
the last success, and by how much the page slowed that. Rounds are interleaved; medians are printed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from playwright.sync_api import sync_playwright

from tests.support import Instance, find_tool, start_alight, sweep

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "birds"
PUTTERS = 8


@contextmanager
def page_open(instance: Instance) -> Iterator[None]:
    """*Now* in a browser of its own, connected to the stream."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_tool("chromium"), args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(instance.json("console")["url"])
        page.wait_for_selector("#line[data-state=open]")
        yield
        browser.close()


def handled(instance: Instance) -> int:
    return int(instance.json("status")["books"]["succeeded"])


def load(instance: Instance, rate: int, seconds: int) -> float:
    """Events handled a second."""
    s3, bucket = instance.client("s3", max_pool_connections=PUTTERS), instance.json("outputs")["BucketName"]
    pictures = [path.read_bytes() for path in sorted((EXAMPLE / "pictures").glob("*.jpg"))]
    before, count = handled(instance), rate * seconds
    started = time.perf_counter()

    def put(number: int) -> None:
        due = started + number / rate
        time.sleep(max(0.0, due - time.perf_counter()))
        s3.put_object(Bucket=bucket, Key=f"birds/{started}-{number}.jpg", Body=pictures[number % len(pictures)])

    with ThreadPoolExecutor(PUTTERS) as putters:
        list(putters.map(put, range(count)))
    while handled(instance) < before + count:
        time.sleep(0.2)
    return count / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=50)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    alone, watched = [], []
    with tempfile.TemporaryDirectory() as folder:
        instance = start_alight(Path(folder) / "data", EXAMPLE, timeout=90)
        try:
            load(instance, given.rate, 3)
            for _ in range(given.rounds):
                for results, looking in ((alone, nullcontext()), (watched, page_open(instance))):
                    with looking:
                        results.append(load(instance, given.rate, given.seconds))
        finally:
            instance.stop()
            sweep(instance.process)
    without, with_page = statistics.median(alone), statistics.median(watched)
    print(f"nobody looks   {without:6.1f} events/s of {given.rate}")
    print(f"Now is open    {with_page:6.1f} events/s, {100 * (1 - with_page / without):.1f} % less")


if __name__ == "__main__":
    main()
