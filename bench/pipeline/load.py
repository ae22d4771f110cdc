"""Putting pictures and measuring until their messages arrive, the same for every pipeline that is measured.

What is sent is written, and signed, before the clock runs: client and pipeline share the machine.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice

from bench.case import Counted
from bench.pipeline.receiver import Receiver
from bench.raw import Connection

Send = Callable[[], None]
#: Writes what puts this picture under this key; the call that it gives does it.
Put = Callable[[str, bytes], Send]

#: Connections that put pictures at the same time in a burst.
PUTTERS = 4


def over_http(url: str, head: Callable[[str, bytes], bytes]) -> Put:
    """PUTs over connections that stay open, one for each thread; `head` writes what stands before the picture."""
    own = threading.local()

    def put(key: str, body: bytes) -> Send:
        written = head(key, body)

        def send() -> None:
            if not hasattr(own, "connection"):
                own.connection = Connection(url)
            status, answer = own.connection.ask(written, body)
            if status != 200:
                raise RuntimeError(f"{key} was not taken: {status} {answer[:500]!r}")

        return send

    return put


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def single(put: Put, receiver: Receiver, pictures: Sequence[bytes], count: int, tag: str) -> Counted:
    """One picture at a time, each begun when the one before has been told: from the PUT's answer to the message."""
    latencies = []
    for number, picture in enumerate(islice(cycle(pictures), count)):
        key = f"birds/{tag}-{number:04d}.jpg"
        send = put(key, picture)
        send()
        answered = time.perf_counter()
        if receiver.wait({key}, timeout=30):
            latencies.append((receiver.arrived[key][0] - answered) * 1000)
    wrong = {"lost": count - len(latencies)}
    if not latencies:
        raise RuntimeError(f"none of {count} pictures was told of")
    return Counted(1000 / statistics.fmean(latencies), *_middle(latencies), len(latencies), wrong)


def burst(put: Put, receiver: Receiver, pictures: Sequence[bytes], count: int, tag: str) -> Counted:
    """All pictures as fast as four connections put them, from the first PUT to the last message."""
    keys = [f"birds/{tag}-{number:04d}.jpg" for number in range(count)]
    sends = list(map(put, keys, islice(cycle(pictures), count)))
    begun: dict[str, float] = {}

    def timed(key: str, send: Send) -> None:
        send()
        begun[key] = time.perf_counter()

    start = time.perf_counter()
    with ThreadPoolExecutor(PUTTERS) as pool:
        list(pool.map(timed, keys, sends))
    receiver.wait(set(keys), timeout=120)
    told = [key for key in keys if key in receiver.arrived]
    end = max((receiver.arrived[key][0] for key in told), default=start)
    waits = [(receiver.arrived[key][0] - begun[key]) * 1000 for key in told] or [0.0]
    wrong = {"lost": count - len(told), "twice": sum(len(receiver.arrived[key]) - 1 for key in told)}
    return Counted(len(told) / (end - start) if told else 0.0, *_middle(waits), len(told), wrong)


def _middle(times: list[float]) -> tuple[float, float]:
    return statistics.median(times), percentile(times, 0.99)
