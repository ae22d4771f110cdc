"""What a notification costs: from a worker's Publish to the record that the webhook has it.

    .venv/bin/python -m bench.told [OTHER/src] [--rounds 5] [--messages 1000]

The topics and the outbox alone, on a folder of their own, with a webhook in a process of its own: no worker, no model,
no door. One message after the other, and sixteen at a time; with another tree's `src`, both are asked in turn. The
processor's time is that of all threads of the process that tells, the writer's among them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import uvloop

from alight.calls import Attempt
from alight.clock import SystemClock
from alight.notifications.channels.addresses import Gate
from alight.notifications.channels.http import HttpChannel
from alight.notifications.deadletters import DeadLetters
from alight.notifications.envelope import Envelopes
from alight.notifications.message import Message, Protocol, Subscription, SubscriptionState, Topic
from alight.notifications.outbox import Outbox
from alight.notifications.signing import load_signer
from alight.notifications.topics import Topics
from alight.store.database import Database
from alight.store.outbox import OutboxStore
from alight.store.records import Records

ROOT = Path(__file__).resolve().parents[1]
TOPIC = "arn:aws:sns:us-east-1:000000000000:birds"
WIDTHS = (1, 16)
#: Seconds from a worker's publish to its end.
ENDS = 0.001


class Hook(asyncio.Protocol):
    """A webhook that answers everything with 200, and looks only for where a request ends."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, self._read = cast(asyncio.Transport, transport), b""  # uvloop's is not a subclass

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, end, body = self._read.partition(b"\r\n\r\n")
        if not end:
            return
        length = next(
            int(line.partition(b":")[2]) for line in head.split(b"\r\n") if line[:15].lower() == b"content-length:"
        )
        if len(body) >= length:
            self._read = b""
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


async def listen() -> None:
    server = await asyncio.get_running_loop().create_server(Hook, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


class Teller:
    """Publishes so many messages at a time, and knows when all of them are told."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._told: deque[asyncio.Future[None]] = deque()
        self._attempts = 0

    def measure(self, topic: str, name: str, value: float, times: int) -> None:
        if name == "NumberOfNotificationsDelivered":
            self._told.popleft().set_result(None)

    async def tell(self, topics: Topics, width: int) -> None:
        waiting = [asyncio.get_running_loop().create_future() for _ in range(width)]
        self._told.extend(waiting)
        text = json.dumps({"bird": "kingfisher", "score": 0.97, "key": "birds/one-0001.jpg"})
        await asyncio.gather(*(self._attempt(topics, Message(TOPIC, text, "A bird")) for _ in waiting), *waiting)

    async def _attempt(self, topics: Topics, message: Message) -> None:
        """As a worker's: what it publishes is staged, and leaves in the transaction that records its end."""
        self._attempts += 1
        event = f"event-{self._attempts}"
        topics.begin(event, 1)
        topics.stage([message], Attempt("request", "function", event, 1, staged=True))
        await asyncio.sleep(ENDS)
        await self._database.write(lambda tx: topics.release(tx, event, 1))


async def tell(folder: Path, port: int, messages: int) -> None:
    """Prints microseconds of the processor and of the clock for each message, by width."""
    clock = SystemClock()
    database = await Database.open(folder, clock)
    store, records = OutboxStore(database), Records(database)
    envelopes = Envelopes(await load_signer(folder), lambda: "http://127.0.0.1:4566")
    webhooks = HttpChannel(envelopes, Gate(("127.0.0.1",)), clock)
    teller = Teller(database)

    def to_queue(*given: object) -> None:
        """There is none."""

    outbox = Outbox(
        database, store, records, clock, channels={Protocol.HTTP: webhooks}, local={}, held={},
        dead_letters=DeadLetters(envelopes, to_queue), measure=teller.measure,
    )  # fmt: skip
    topics = Topics(store, records, clock, outbox.wake, outbox.place)
    arn, url = f"{TOPIC}:one", f"http://127.0.0.1:{port}/hook"
    hook = Subscription(arn, TOPIC, Protocol.HTTP, url, "", "", SubscriptionState.CONFIRMED)
    await records.save("sns:topic", TOPIC, Topic(TOPIC).body())
    await records.save("sns:subscription", arn, hook.body())
    await outbox.start()
    found = {}
    for width in WIDTHS:
        for _ in range(20):
            await teller.tell(topics, width)
        began, used = time.perf_counter(), time.process_time()
        for _ in range(messages // width):
            await teller.tell(topics, width)
        done = messages // width * width
        found[width] = [(time.process_time() - used) * 1e6 / done, (time.perf_counter() - began) * 1e6 / done]
    await outbox.close()
    await webhooks.close()
    await database.close()
    print(json.dumps(found))


@contextmanager
def webhook() -> Iterator[int]:
    listening = [sys.executable, "-m", "bench.told", "--listen"]
    with subprocess.Popen(listening, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.terminate()


def told(source: Path, port: int, messages: int) -> dict[str, list[float]]:
    with tempfile.TemporaryDirectory() as name:
        words = [sys.executable, "-m", "bench.told", "--tell", name, str(port), "--messages", str(messages)]
        environment = os.environ | {"PYTHONPATH": str(source.resolve())}
        found = subprocess.run(words, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
    figures: dict[str, list[float]] = json.loads(found.stdout)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, nargs="?", help="the `src` of another checkout")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=1000)
    parser.add_argument("--listen", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--tell", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.listen:
        uvloop.run(listen())
    elif given.tell:
        uvloop.run(tell(Path(given.tell[0]), int(given.tell[1]), given.messages))
    else:
        show({"other": given.other} if given.other else {}, given.rounds, given.messages)


def show(others: dict[str, Path], rounds: int, messages: int) -> None:
    sources = others | {"own": ROOT / "src"}
    found: dict[tuple[str, int], list[list[float]]] = {}
    with webhook() as port:
        for _ in range(rounds):
            for name, source in sources.items():
                for width, figures in told(source, port, messages).items():
                    found.setdefault((name, int(width)), []).append(figures)
    print("| tree | at a time | processor µs a message: lowest, median | clock µs a message: lowest, median |")
    print("|---|---|---|---|")
    for (name, wide), rows in sorted(found.items(), key=lambda one: one[0][1]):
        cells = [f"{min(column):.0f}, {statistics.median(column):.0f}" for column in zip(*rows, strict=True)]
        print(f"| {name} | {wide} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
