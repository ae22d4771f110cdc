"""Ranges of text in the order of its UTF-8 bytes, which is the order of its code points."""

from __future__ import annotations

#: SQLite sorts every blob after every text, so this bound lies behind all keys.
END: bytes = b""

_LAST = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)


def after(text: str) -> str:
    """The first text behind `text`."""
    return text + "\0"


def behind_prefix(prefix: str) -> str | bytes:
    """The first text behind everything that starts with `prefix` (`END` where there is none)."""
    kept = prefix.rstrip(chr(_LAST))
    if not kept:
        return END
    following = ord(kept[-1]) + 1
    if following in _SURROGATES:
        following = _SURROGATES.stop
    return kept[:-1] + chr(following)
