"""Data made harmless for a terminal and for a log: an object's key may hold anything, also line breaks and escape
sequences. The walk passes here wherever something that somebody stored is shown to somebody else as text."""

from __future__ import annotations

_UNSAFE = (
    *range(0x20),
    *range(0x7F, 0xA0),
    0x061C,
    *range(0x200E, 0x2010),
    *range(0x2028, 0x202F),
    *range(0x2066, 0x206A),
)
_LINE = {code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" for code in _UNSAFE}
_TEXT = {code: shown for code, shown in _LINE.items() if code not in (0x09, 0x0A)}


def line(value: object) -> str:
    """`value` on one line: every control and direction-changing character is shown, not obeyed."""
    return str(value).translate(_LINE).encode("utf-8", "backslashreplace").decode()


def text(value: object) -> str:
    """As `line`, but line breaks and tabs stay."""
    return str(value).replace("\r\n", "\n").translate(_TEXT).encode("utf-8", "backslashreplace").decode()
