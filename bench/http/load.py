"""The visitors, in a process of their own: so many connections, each posting one review after the other.

    python bench/http/load.py URL REVIEWS --connections 16 --seconds 8

REVIEWS is a JSON file with pairs of review and right answer. Connections stay open; a request is written as a browser
would, and what comes back is read by hand, so that the measuring costs little of what is measured. Prints a line of
JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit


@dataclass
class Tally:
    """Milliseconds of every right answer; everything else is an error, by its kind."""

    latencies: list[float] = field(default_factory=list)
    errors: dict[str, int] = field(default_factory=dict)

    def failed(self, kind: str) -> None:
        self.errors[kind] = self.errors.get(kind, 0) + 1


@dataclass(frozen=True)
class Target:
    host: str
    port: int
    requests: list[tuple[bytes, bytes]]


def target(url: str, reviews: list[tuple[str, str]]) -> Target:
    address = urlsplit(url)
    assert address.hostname is not None
    requests = []
    for review, answer in reviews:
        body = review.encode()
        head = (
            f"POST {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\nOrigin: http://{address.netloc}\r\n"
            f"Content-Type: text/plain;charset=UTF-8\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        requests.append((head.encode() + body, answer.encode()))
    return Target(address.hostname, address.port or 80, requests)


async def visit(to: Target, numbers: count[int], until: float, tally: Tally) -> None:
    """One connection, until the time is over; it is opened again where the other side closes it."""
    reader = writer = None
    while time.perf_counter() < until:
        request, expected = to.requests[next(numbers) % len(to.requests)]
        begun = time.perf_counter()
        try:
            if writer is None or reader is None:
                reader, writer = await asyncio.open_connection(to.host, to.port)
            writer.write(request)
            status, body = await answer(reader)
        except (OSError, asyncio.IncompleteReadError, ValueError) as error:
            tally.failed(type(error).__name__)
            if writer is not None:
                writer.close()
            reader = writer = None
            continue
        if status == 200 and body == expected:
            tally.latencies.append((time.perf_counter() - begun) * 1000)
        else:
            tally.failed(f"status {status}" if status != 200 else "wrong answer")
    if writer is not None:
        writer.close()


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head[1:] if b": " in line)
    return int(head[0].split(b" ")[1]), await reader.readexactly(int(fields[b"content-length"]))


async def run(to: Target, connections: int, seconds: float) -> dict[str, object]:
    tally, numbers = Tally(), count()
    begun = time.perf_counter()
    await asyncio.gather(*(visit(to, numbers, begun + seconds, tally) for _ in range(connections)))
    took = time.perf_counter() - begun
    ordered = sorted(tally.latencies) or [0.0]
    return {
        "per_second": len(tally.latencies) / took,
        "p50": statistics.median(ordered),
        "p99": ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))],
        "errors": tally.errors,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("reviews", type=Path)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=8)
    given = parser.parse_args()
    to = target(given.url, json.loads(given.reviews.read_text()))
    print(json.dumps(asyncio.run(run(to, given.connections, given.seconds))))


if __name__ == "__main__":
    main()
