"""What a model's answer says, for people: its likeliest classes, or its number. Pure; what it does not know it leaves.

Models answer in many shapes. Read are the usual ones: a JSON list of probabilities (or one such list for one row),
JSON objects with `predictions`, `probabilities`, `scores` or `label`, and numbers as CSV or plain text.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from alight.parsed import parsed

#: Bytes of the longest answer that is looked into.
LONGEST = 64 << 10
_NUMBERS = {int, float}
_LISTS = ("probabilities", "predictions", "scores", "outputs", "prediction")


@dataclass(frozen=True, slots=True)
class Guess:
    """A class and how sure the model is of it, from 0 to 1; a number that is no probability has no confidence."""

    label: str
    confidence: float | None


def read_answer(body: bytes, labels: Sequence[str] = (), most: int = 5) -> tuple[Guess, ...]:
    """The likeliest classes first; a single number stands for itself. Nothing where the answer is of no known shape."""
    if len(body) > LONGEST:
        return ()
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return ()
    try:
        found = parsed(text)
    except ValueError:
        found = _numbers(text)
    return _guesses(found, labels, most)


def _guesses(found: Any, labels: Sequence[str], most: int) -> tuple[Guess, ...]:
    if isinstance(found, list):
        return _of_list(found, labels, most)
    if isinstance(found, dict):
        return _of_object(found, labels, most)
    if _is_number(found):
        return _of_numbers([float(found)], labels, most)
    if isinstance(found, str) and len(found) <= 200:
        return (Guess(_text(found), None),)
    return ()


def _of_list(found: list[Any], labels: Sequence[str], most: int) -> tuple[Guess, ...]:
    kinds = set(map(type, found))
    if len(found) == 1 and kinds <= {list, dict}:
        return _guesses(found[0], labels, most)
    if kinds == {dict}:
        return tuple(guess for one in found[:most] for guess in _of_object(one, labels, 1))
    if found and kinds <= _NUMBERS and all(map(_is_finite, found)):
        return _of_numbers(list(map(float, found)), labels, most)
    return ()


def _of_object(found: dict[str, Any], labels: Sequence[str], most: int) -> tuple[Guess, ...]:
    label = found.get("label", found.get("predicted_label"))
    if isinstance(label, str | int | float):
        score = found.get("score", found.get("confidence", found.get("probability")))
        return (Guess(_text(label), float(str(score)) if _is_number(score) else None),)
    for name in _LISTS:
        if name in found:
            return _guesses(found[name], labels, most)
    return ()


def _of_numbers(values: list[float], labels: Sequence[str], most: int) -> tuple[Guess, ...]:
    if len(values) == 1:
        return (Guess(f"{values[0]:g}", None),)
    sure = min(values) >= 0 and max(values) <= 1
    order = sorted(range(len(values)), key=values.__getitem__, reverse=True)[:most]
    has_names = len(labels) == len(values)
    return tuple([Guess(labels[at] if has_names else f"class {at}", values[at] if sure else None) for at in order])


def _numbers(text: str) -> Any:
    try:
        return [float(part) for part in text.replace("\n", ",").strip(" ,\r").split(",")]
    except ValueError:
        return text.strip() or None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and _is_finite(value)


def _is_finite(value: float) -> bool:
    """Not what is too much for a `float` either, which JSON may well say."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _text(label: str | float) -> str:
    """A label that can be kept: JSON's half of a pair (`\\ud83d`) is no text."""
    return str(label).encode("utf-8", "replace").decode()
