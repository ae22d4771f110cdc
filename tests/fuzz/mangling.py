"""Bytes that are nearly right: what a parser takes is changed in one to four places."""

from __future__ import annotations

import random
from collections.abc import Sequence

PIECES = (
    b"<", b">", b"&", b"%", b"%00", b"..", b"/../", b"//", b"=", b"null", b"[", b"]", b"{", b"}", b"1e999", b'"', b".1",
    b"\\u", b"\\ud800", b"-1", b"NaN", b"\x00", b"\xff", b"\xed\xa0\x80", b"\r\n", b"<!DOCTYPE a>", b"&a;", b"]]>",
    b"9" * 40, b"[" * 200, b'{"a":' * 200, b"$", b"*", b"?", b"arn:aws:", b"true", b"''", b" ", b"\xf0\x9f\xa6\x89",
)  # fmt: skip


def mangled(chance: random.Random, data: bytes, pieces: Sequence[bytes] = PIECES, most: int = 4) -> bytes:
    """One to `most` changes: a byte, a piece more, a stretch less, a stretch twice, the end cut off."""
    for _ in range(chance.randint(1, most)):
        at = chance.randrange(len(data) + 1)
        until = min(len(data), at + chance.randint(1, 30))
        match chance.randrange(6):
            case 0:
                data = data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
            case 1 | 2:
                data = data[:at] + chance.choice(pieces) + data[at:]
            case 3:
                data = data[:at] + data[until:]
            case 4:
                data = data[:until] + data[at:until] + data[until:]
            case 5:
                data = data[: max(1, at)]
    return data
