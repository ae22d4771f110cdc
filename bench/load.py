"""Putting pictures and measuring until their messages arrive, the same for every pipeline that is measured."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle, islice

from receiver import Receiver

Put = Callable[[str, bytes], None]

#: Connections that put pictures at the same time in a burst.
PUTTERS = 4


@dataclass(frozen=True)
class Single:
    """Milliseconds from the PUT's answer to the message, one picture at a time."""

    p50: float
    p99: float
    lost: int


@dataclass(frozen=True)
class Burst:
    """Messages per second over a burst, from the first PUT to the last message."""

    per_second: float
    seconds: float
    delivered: int
    duplicates: int
    sent: int


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def single(put: Put, receiver: Receiver, pictures: Sequence[bytes], count: int, tag: str) -> Single:
    """One picture at a time, each begun when the one before has been told."""
    latencies, lost = [], 0
    for number, picture in enumerate(islice(cycle(pictures), count)):
        key = f"birds/{tag}-{number:04d}.jpg"
        put(key, picture)
        answered = time.perf_counter()
        if receiver.wait({key}, timeout=30):
            latencies.append((receiver.arrived[key][0] - answered) * 1000)
        else:
            lost += 1
    return Single(statistics.median(latencies), percentile(latencies, 0.99), lost)


def burst(put: Put, receiver: Receiver, pictures: Sequence[bytes], count: int, tag: str) -> Burst:
    """All pictures as fast as four connections put them."""
    keys = [f"birds/{tag}-{number:04d}.jpg" for number in range(count)]
    start = time.perf_counter()
    with ThreadPoolExecutor(PUTTERS) as pool:
        list(pool.map(put, keys, islice(cycle(pictures), count)))
    receiver.wait(set(keys), timeout=120)
    told = [key for key in keys if key in receiver.arrived]
    end = max((receiver.arrived[key][0] for key in told), default=start)
    duplicates = sum(len(receiver.arrived[key]) - 1 for key in told)
    seconds = end - start
    return Burst(len(told) / seconds if seconds else 0.0, seconds, len(told), duplicates, count)
