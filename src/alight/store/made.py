"""What was made of a definition, kept for as long as that does not change: a body is read and parsed once, not each
time that somebody asks for it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

#: Things that are kept; more than that and all are made anew.
REMEMBERED = 1_000

T = TypeVar("T")


class Made(Generic[T]):
    """By place, beside the revision that it was made of (`Records.revision`). The event loop and jobs see other
    revisions: who asks from both has a place for each."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, tuple[object, T]] = {}

    def get(
        self, place: Hashable, revision: object, make: Callable[[], T], keep: Callable[[T], bool] = lambda _: True
    ) -> T:
        """Raises what `make` raises."""
        known = self._kept.get(place)
        if known is not None and known[0] is revision:
            return known[1]
        if len(self._kept) >= REMEMBERED:
            self._kept.clear()
        made = make()
        if keep(made):
            self._kept[place] = revision, made
        return made
