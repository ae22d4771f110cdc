"""Several requests, one run of the model: read each, put those together that fit, run, give each its own part.

Everything here is pure: what reads, runs and writes is handed in. A request that cannot be read fails alone; where a
joint run fails, each of its requests is run alone, so that the one at fault gets the error and the others their answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from alight.endpoints.contract import Outcome, Reply, Request

Array = NDArray[Any]
T = TypeVar("T")


def gather(first: T, more: Callable[[], T | None], size: Callable[[T], int], most: int, most_bytes: int) -> list[T]:
    """What is there already, up to `most` requests, and no further once they have `most_bytes`; never waits."""
    taken, total = [first], size(first)
    while len(taken) < most and total < most_bytes and (following := more()) is not None:
        taken.append(following)
        total += size(following)
    return taken


def answer(
    requests: Sequence[Request],
    read: Callable[[Request], Any],
    run: Callable[[Any], Any],
    write: Callable[[Request, Any], Reply],
) -> list[Outcome]:
    """One outcome per request, in order. What `read` gives as a `Reply` is the answer; arrays are joined by rows."""
    outcomes: list[Outcome] = [RuntimeError("the request was not answered")] * len(requests)
    waiting: list[tuple[int, Any]] = []
    for index, request in enumerate(requests):
        found = attempt(read, request)
        if isinstance(found, Reply | Exception):
            outcomes[index] = found
        else:
            waiting.append((index, found))
    for members in alike([value for _, value in waiting]):
        parts = run_together([waiting[member][1] for member in members], run)
        for member, part in zip(members, parts, strict=True):
            index = waiting[member][0]
            outcomes[index] = part if isinstance(part, Exception) else attempt(write, requests[index], part)
    return outcomes


def alike(values: Sequence[Any]) -> Iterator[list[int]]:
    """The places of those that can be joined: arrays of one type and width. Anything else stays alone."""
    groups: dict[Any, list[int]] = {}
    for place, value in enumerate(values):
        joins = isinstance(value, np.ndarray) and value.ndim > 0
        groups.setdefault((value.dtype.str, value.shape[1:]) if joins else place, []).append(place)
    yield from groups.values()


def run_together(values: Sequence[Any], run: Callable[[Any], Any]) -> list[Any]:
    """The part of each, or the exception that it gets."""
    if len(values) == 1:
        return [attempt(run, values[0])]
    sizes = [len(value) for value in values]
    found = attempt(run, np.concatenate(values))
    if isinstance(found, np.ndarray) and found.ndim > 0 and len(found) == sum(sizes):
        return split(found, sizes)
    return [attempt(run, value) for value in values]


def split(joined: Array, sizes: Sequence[int]) -> list[Array]:
    """The rows of each, in order."""
    return np.split(joined, np.cumsum(sizes)[:-1])


def attempt(function: Callable[..., Any], *given: Any) -> Any:
    """What it returns, or the exception that it raised."""
    try:
        return function(*given)
    except Exception as error:
        return error
