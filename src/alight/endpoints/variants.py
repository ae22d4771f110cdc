"""Which variant answers: the one that is named, or each in turn by its weight.

The turns are spread evenly (smooth weighted round robin), so that ten requests at weights 9 and 1 are nine and
one, where chance would only tend to it.
"""

from __future__ import annotations

from collections.abc import Sequence


class Turns:
    """Give each name its share; a name of weight 0 gets none, unless all are 0: then all are equal."""

    def __init__(self, weights: Sequence[tuple[str, float]]) -> None:
        even = not any(weight for _, weight in weights)
        self._weights = {name: 1.0 if even else weight for name, weight in weights}
        self._credit = dict.fromkeys(self._weights, 0.0)
        self._total = sum(self._weights.values())
        self._only = next(iter(self._weights)) if len(self._weights) == 1 else ""

    def next(self) -> str:
        if self._only:
            return self._only
        for name, weight in self._weights.items():
            self._credit[name] += weight
        chosen = max(self._credit, key=lambda name: self._credit[name])
        self._credit[chosen] -= self._total
        return chosen
