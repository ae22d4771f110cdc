"""The console's first page on a journal with many stories, measured; and what a browser loads for it.

    .venv/bin/python bench/console.py [--events 100000]

Events and predictions are written by SQL into the folder of an instance that is stopped. Then the page is asked for as
a browser does it, with filters and far back in time: median and worst of 20, in ms of the client's clock.
"""

from __future__ import annotations

import argparse
import gzip
import re
import statistics
import sys
import tempfile
import time
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from alight.store.connections import open_writer
from tests.support import Instance, start_alight, sweep

HOME = "/_alight/console"
TIMES = 20
EVENTS = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count),
e AS (SELECT 'bench-' || i AS id, json_object('bucket', 'pictures', 'key', 'birds/' || i || '.txt') AS source,
             :start + i AS accepted, :start + i + 21600 AS expires, :function || iif(i = 7, '-rare', '') AS name FROM n)
INSERT INTO events (id, function, payload, source, state, attempts, leases, fence, not_before, accepted, expires,
                    retries, finished, result, crc)
SELECT id, name, x'7b7d', source, 'succeeded', 1, 1, 1, accepted, accepted, expires, 2, accepted + 0.1, x'7b7d',
       row_crc(id, name, x'7b7d', source, accepted, expires, 2) FROM e
"""
PREDICTIONS = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)
INSERT INTO predictions (request_id, event_id, endpoint, variant, ts, duration, content_type, request, answer, label,
                         confidence, guesses)
SELECT 'bench-' || i, 'bench-' || i, 'species', 'AllTraffic', :start + i, 0.02, 'image/jpeg', '', '[0.9]',
       CASE i % 50 WHEN 0 THEN 'Toucan' ELSE 'Drake' END, 0.9, '[["Drake", 0.9]]' FROM n
"""


def fill(data: Path, count: int) -> None:
    """One story a second, all but one of one function; neither is there any more."""
    given = {
        "count": count,
        "start": time.time() - count - 60,
        "function": "arn:aws:lambda:us-east-1:000000000000:function:b",
    }
    for name, statement in (("alight.db", EVENTS), ("telemetry.db", PREDICTIONS)):
        connection = open_writer(data / name)
        wanted = {word: value for word, value in given.items() if f":{word}" in statement}
        connection.execute(statement, wanted)
        connection.close()


def enter(instance: Instance) -> urllib.request.OpenerDirector:
    """A client that is logged in as a browser is."""
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    url = instance.json("console")["url"]
    token = url.partition("token=")[2]
    opener.open(f"{instance.url}{HOME}/login", f"token={token}".encode()).read()
    return opener


def measure(opener: urllib.request.OpenerDirector, url: str) -> tuple[float, float, bytes]:
    """Median and worst in ms, and the page."""
    took = []
    for _ in range(TIMES):
        started = time.perf_counter()
        with opener.open(url) as answer:
            page = answer.read()
        took.append((time.perf_counter() - started) * 1000)
    return statistics.median(took), max(took), page


def weight(opener: urllib.request.OpenerDirector, base: str, page: bytes) -> int:
    """Bytes, compressed, of the page and what its head names."""
    parts = [page]
    for path in set(re.findall(rf'(?:src|href)="({HOME}/static/[^"]+)"', page.decode())):
        with opener.open(base + path) as answer:
            parts.append(answer.read())
    return sum(len(gzip.compress(part)) for part in parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=100_000)
    count = parser.parse_args().events
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        first = start_alight(data)
        first.stop()
        sweep(first.process)
        fill(data, count)
        instance = start_alight(data, timeout=120)
        try:
            opener = enter(instance)
            back = time.time() - count / 2
            queries = (
                "", "?outcome=succeeded", "?outcome=dead", "?function=b", "?function=b-rare", "?function=nobody",
                "?function=b-rare&outcome=dead", "?function=b&outcome=dead", "?label=Toucan", "?label=nobody",
                "?least=50", "?least=95", "?label=Drake&least=95", "?function=b-rare&label=Drake", f"?before={back}",
            )  # fmt: skip
            for query in queries:
                median, worst, page = measure(opener, f"{instance.url}{HOME}/{query}")
                rows = page.count(b'class="story')
                print(f"{query[:27] or 'first page':27} {median:7.1f} ms, worst {worst:7.1f} ms, {rows} stories")
                if not query:
                    print(f"{'in all, compressed':27} {weight(opener, instance.url, page) / 1000:7.1f} KB")
        except Exception:
            print(instance.stderr.read_text()[-1500:])
            raise
        finally:
            instance.stop()
            sweep(instance.process)


if __name__ == "__main__":
    main()
