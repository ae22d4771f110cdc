"""What is measured: a case is one kind of work; its contenders do it one after the other, round after round.

The limit does the bare work with nothing around it; Alight is one contender, peers are the others. Each is started
anew for each round, with an empty folder, and is alone on the machine while it is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from bench.venvs import Venv

SEED = 7


@dataclass(frozen=True)
class Size:
    """How much of everything; the tests of the house take next to nothing."""

    seconds: float = 4
    pictures: int = 300
    singles: int = 50
    trees: int = 739
    reviews: int = 400
    clients: int = 16
    warm: float = 1

    @classmethod
    def tiny(cls) -> Size:
        return cls(0.2, 4, 2, 3, 20, 2, 0)


@dataclass(frozen=True)
class Counted:
    """What the client saw: pieces of work a second, milliseconds for one, and what went wrong, by its name."""

    per_second: float
    p50: float
    p99: float
    done: int
    wrong: Mapping[str, int] = field(default_factory=dict)
    #: Of the processor for one piece, where the work knows it itself.
    processor_ms: float | None = None


#: Does the work of one load once; the number of the round keeps keys apart.
Measure = Callable[[int], Counted]


@dataclass(frozen=True)
class Work:
    """A contender that runs: its processes (whatever they start counts too), and the loads it can be put under."""

    loads: Mapping[str, Measure]
    pids: tuple[int, ...] = ()


@dataclass(frozen=True)
class Contender:
    """Who does the work. What it needs is installed into a venv of its own, or has to be on the PATH."""

    name: str
    start: Callable[[Path], AbstractContextManager[Work]]
    venv: Venv | None = None
    tools: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """One kind of work, by the word that chooses it."""

    word: str
    limit: Contender
    ours: Contender
    others: tuple[Contender, ...] = ()
