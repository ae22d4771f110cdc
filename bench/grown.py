"""What it costs that much is stored: a folder with a million events, objects and log lines beside one with a thousand.

    .venv/bin/python -m bench.grown [--count 1000000] [--rounds 5] [--seconds 2]

The rows are written by SQL into the folder of an instance that is stopped, spread over the last day. Then both run, and
are asked in turn: PUT with an event, an HTTP API, a list in the bucket that is full, its log, and one picture from its
PUT to its message. Medians, and the grown one's ratio to the small one within each round, of what a client waits (p50)
and of the processor's time for one piece; wanted: at most 1.2. Needs `wrk`; filling takes a minute or two.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path

from alight.store.connections import open_writer
from bench import ours, wrk
from bench.case import Measure, Size, Work
from bench.cases import api, put
from bench.pipeline.case import pictures
from bench.pipeline.load import single
from bench.pipeline.ours import subscribed
from bench.pipeline.receiver import Receiver
from bench.rounds import Figures, measured
from bench.table import OURS, versions

DAY = 86_400
#: In the folder that is measured beside.
FEW = 1_000
NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)"
#: One row each second of the day for a million of them; `:step` is what lies between two.
JOURNAL = (
    f"""{NUMBERS}, e AS (SELECT 'grown-' || i AS id, :start + i * :step AS accepted,
        :start + i * :step + 21600 AS expires, json_object('bucket', 'things', 'key', 'old/' || i) AS source FROM n)
    INSERT INTO events (id, function, payload, source, state, attempts, leases, fence, not_before, accepted, expires,
                        retries, finished, result, crc)
    SELECT id, :function, x'7b7d', source, 'succeeded', 1, 1, 1, accepted, accepted, expires, 2, accepted + 0.1,
           x'7b7d', row_crc(id, :function, x'7b7d', source, accepted, expires, 2) FROM e""",
    f"""{NUMBERS} INSERT INTO attempts (event_id, fence, request_id, started, ended, outcome)
    SELECT 'grown-' || i, 1, 'grown-' || i, :start + i * :step, :start + i * :step + 0.1, 'succeeded' FROM n""",
    f"""{NUMBERS}, o AS (SELECT printf('old/%08d', i) AS key, printf('%032x', i) AS version,
        printf('%016X', i) AS sequencer, :start + i * :step AS modified, '[["grown",4,"",true]]' AS segments FROM n)
    INSERT INTO objects (bucket, key, version_id, size, etag, last_modified, sequencer, crc64nvme, segments, info,
                         parts, crc)
    SELECT 'things', key, version, 4, 'e', modified, sequencer, '', segments, '{{}}', '',
           row_crc('things', key, version, 4, 'e', modified, sequencer, '', segments, '{{}}', '') FROM o""",
    "INSERT INTO bodies (id, size, crc64nvme, refs, data) VALUES ('grown', 4, '', :count, x'61626364')",
)
TELEMETRY = (
    f"""{NUMBERS} INSERT INTO log_events (log_group, stream, ts, ingested, message, request_id)
    SELECT '/aws/lambda/grown', 'stream', :start + i * :step, :start + i * :step, 'line ' || i, 'grown-' || i FROM n""",
    f"""{NUMBERS} INSERT INTO invocations
        (request_id, event_id, function, attempt, started, ended, init_ms, outcome, error, max_memory_mb)
    SELECT 'grown-' || i, 'grown-' || i, :function, 1, :start + i * :step, :start + i * :step + 0.1, NULL, 'succeeded',
           '', 50 FROM n""",
    f"""{NUMBERS} INSERT INTO spans (request_id, event_id, name, start, end, attributes)
    SELECT 'grown-' || i, 'grown-' || i, 's3.PutObject', :start + i * :step, :start + i * :step + 0.01, '{{}}'
    FROM n""",
    """INSERT INTO log_streams (log_group, stream, created, first_ts, last_ts, last_ingested, bytes)
    VALUES ('/aws/lambda/grown', 'stream', :start, :start, :start + :count * :step, :start + :count * :step, :count)""",
)


def app(folder: Path) -> Path:
    """The birds, with an API and a bucket beside them."""
    shutil.copytree(ours.BIRDS, folder, ignore=shutil.ignore_patterns("model", ".alight"))
    template = folder / "template.yaml"
    text = template.read_text()
    for more in (api.TEMPLATE, put.TEMPLATE):
        _, _, resources = more.partition("Resources:\n")
        resources, _, outputs = resources.partition("Outputs:\n")
        text = text.replace("\nResources:\n", f"\nResources:\n{resources}", 1)
        text = text.replace("\nOutputs:\n", f"\nOutputs:\n{outputs}", 1)
    template.write_text(text)
    return folder


def fill(data: Path, count: int) -> None:
    """As if all had been handled during the last day."""
    function = "arn:aws:lambda:us-east-1:000000000000:function:grown"
    given = {"count": count, "start": time.time() - DAY, "step": (DAY - 60) / count, "function": function}
    for name, statements in (("alight.db", JOURNAL), ("telemetry.db", TELEMETRY)):
        connection = open_writer(data / name)
        for statement in statements:
            connection.execute(statement, {word: value for word, value in given.items() if f":{word}" in statement})
        connection.close()


def loads(instance: ours.Instance, folder: Path, size: Size, receiver: Receiver) -> Work:
    """What both are asked."""
    show = subscribed(instance, receiver)
    nothing = b""
    listing = "/things?list-type=2&max-keys=100&prefix=old%2F00000"
    query = json.dumps(
        {"logGroupName": "/aws/lambda/grown", "limit": 100, "startTime": int(time.time() - DAY / 2) * 1000}
    )
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "Logs_20140328.FilterLogEvents"}
    body = query.encode()
    head = instance.signed("POST", "/", "logs", body, **headers, **{"X-Amz-Content-SHA256": sha256(body).hexdigest()})

    def asking(requests: wrk.Requests, clients: int, url: str = instance.url) -> Measure:
        return lambda number: wrk.load(url, requests, clients, size.seconds)

    def putting(number: int) -> Measure:
        return asking(put.puts(instance.url, instance.env, put.SMALL, number, size.seconds)[0], 16)

    api_url = instance.outputs["ApiUrl"]
    return Work(
        {
            "PUT of 1 KB with an event, 16 clients": lambda number: putting(number)(number),
            "HTTP API, 16 clients": asking(api.asking(api_url), 16, api_url),
            "HTTP API, 1 client": asking(api.asking(api_url), 1, api_url),
            "ListObjectsV2, 100 keys": asking(wrk.Requests([instance.signed("GET", listing, "s3", nothing)]), 1),
            "FilterLogEvents, 100 lines": asking(wrk.Requests([head], [body]), 1),
            "one picture, PUT to message": lambda number: single(
                show, receiver, pictures(), size.singles, f"g{number}"
            ),
        },
        (instance.pid,),
    )


def line(load: str, small: Sequence[Figures], grown: Sequence[Figures]) -> str:
    def waited(one: Figures) -> float:
        return one.counted.p50

    def used(one: Figures) -> float:
        return sum(one.processor_ms.values())

    def pair(value: Callable[[Figures], float]) -> str:
        before, after = (statistics.median(map(value, found)) for found in (small, grown))
        ratio = statistics.median(value(two) / value(one) for one, two in zip(small, grown, strict=True) if value(one))
        return f"{before:.2f} → {after:.2f} | {ratio:.2f}"

    return f"| {load} | {pair(waited)} | {pair(used)} |"


def main(words: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--singles", type=int, default=20)
    given = parser.parse_args(words)
    size = replace(Size(), seconds=given.seconds, singles=given.singles)
    found: dict[str, dict[str, list[Figures]]] = {}
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        works, ready = {}, {}
        for kind in ("small", "grown"):
            folder = Path(name, kind)
            folder.mkdir()
            with ours.running(folder, app(folder / "app"), ALIGHT_WEBHOOK_ALLOW="127.0.0.1"):
                """Its tables are there, and its bucket."""
            fill(folder / "data", given.count if kind == "grown" else min(given.count, FEW))
            begun = time.perf_counter()
            running = ours.running(folder, folder / "app", ALIGHT_WEBHOOK_ALLOW="127.0.0.1")
            instance, receiver = stack.enter_context(running), Receiver()
            ready[kind] = time.perf_counter() - begun
            stack.callback(receiver.close)
            works[kind] = loads(instance, folder, size, receiver)
        for number in range(given.rounds + 1):
            for load in works["small"].loads:
                for kind, work in works.items():
                    one = measured(partial(work.loads[load]), number, work.pids)
                    print(f"{load}: {kind}: {one}", file=sys.stderr)
                    # The first round warms up.
                    if number:
                        found.setdefault(load, {}).setdefault(kind, []).append(one)
    print(
        f"{given.count:,} of each, {given.rounds} rounds; ready after {ready['small']:.2f} and {ready['grown']:.2f} s."
    )
    print(f"{', '.join(versions(OURS))}.\n")
    print("| work | p50 ms, small → grown | ratio | processor ms, small → grown | ratio |\n|---|---|---|---|---|")
    print("\n".join(line(load, kinds["small"], kinds["grown"]) for load, kinds in found.items()))


if __name__ == "__main__":
    main(sys.argv[1:])
