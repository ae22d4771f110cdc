"""Data made harmless for a terminal: an object's key or a log line may hold anything, also escape sequences."""

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


def brief(value: object, length: int = 160) -> str:
    """The first line of `value`, cut where it is longer than `length`."""
    first = line(str(value).strip().partition("\n")[0])
    return first if len(first) <= length else first[: length - 3] + "..."
