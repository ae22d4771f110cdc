"""Filter patterns of the log service: which messages a search wants (pure).

Terms are matched case-sensitively, all must appear; `"several words"` is one term, `-term` must not appear, of
`?term` one is enough. Patterns on fields (`[...]`, `{...}`, `%...%`) are refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from alight.errors.common import NotImplemented_

_TERM = re.compile(r'([-?]?)(?:"((?:[^"\\]|\\.)*)"|(\S+))')


def compile_pattern(pattern: str | None) -> Callable[[str], bool]:
    """A predicate over messages. Raises `NotImplemented_` for patterns on fields."""
    text = (pattern or "").strip()
    if text[:1] in ("[", "{", "%"):
        raise NotImplemented_(f"Alight does not support the filter pattern {text!r}: use terms.")
    wanted: list[str] = []
    unwanted: list[str] = []
    optional: list[str] = []
    for sign, quoted, bare in _TERM.findall(text):
        {"-": unwanted, "?": optional, "": wanted}[sign].append(re.sub(r"\\(.)", r"\1", quoted) or bare)

    def matches(message: str) -> bool:
        return (
            all(term in message for term in wanted)
            and not any(term in message for term in unwanted)
            and (not optional or any(term in message for term in optional))
        )

    return matches
