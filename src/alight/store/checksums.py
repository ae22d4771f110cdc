"""Every checksum algorithm of the S3 model as an incremental hasher; all run in native code.

Names are lower case (`crc64nvme`); the wire's `CRC64NVME` is `name.upper()`. The CRCs are AWS's own library's, which is
loaded when one is first asked for (`CRCS`): it looks at its source of random numbers for 30 ms first.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable
from functools import cache
from typing import Any, Protocol

import xxhash


class Hasher(Protocol):
    """What hashlib gives; `digest` is big-endian, as S3 sends it."""

    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


class Crc:
    """A CRC of `size` bytes from a function `(data, previous) -> value`."""

    __slots__ = ("_function", "_size", "_value")

    def __init__(self, function: Callable[[bytes, int], int], size: int) -> None:
        self._function = function
        self._size = size
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = self._function(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


#: The library of the CRCs.
CRCS = "awscrt.checksums"


@cache
def _crt() -> Any:
    from awscrt import checksums

    return checksums


def _md5() -> Hasher:
    return hashlib.md5(usedforsecurity=False)


def _sha1() -> Hasher:
    return hashlib.sha1(usedforsecurity=False)


ALGORITHMS: dict[str, Callable[[], Hasher]] = {
    "crc32": lambda: Crc(_crt().crc32, 4),
    "crc32c": lambda: Crc(_crt().crc32c, 4),
    "crc64nvme": lambda: Crc(_crt().crc64nvme, 8),
    "sha1": _sha1,
    "sha256": hashlib.sha256,
    "sha512": hashlib.sha512,
    "md5": _md5,
    "xxhash64": xxhash.xxh64,
    "xxhash3": xxhash.xxh3_64,
    "xxhash128": xxhash.xxh3_128,
}

#: Algorithms whose value over a whole follows from the values over its parts, and the bytes of a value.
COMBINE = {"crc32": 4, "crc32c": 4, "crc64nvme": 8}


def combine(algorithm: str, first: str, second: str, second_size: int) -> str:
    """The checksum (base64) of two runs of bytes from the checksum of each; for the algorithms of `COMBINE`."""
    value: int = getattr(_crt(), f"combine_{algorithm}")(_number(first), _number(second), second_size)
    return encode(value.to_bytes(COMBINE[algorithm], "big"))


def checksum(algorithm: str, data: bytes) -> str:
    """The checksum of `data` in base64."""
    if (size := COMBINE.get(algorithm)) is not None:
        value: int = getattr(_crt(), algorithm)(data)
        return encode(value.to_bytes(size, "big"))
    hasher = ALGORITHMS[algorithm]()
    hasher.update(data)
    return encode(hasher.digest())


def encode(digest: bytes) -> str:
    return binascii.b2a_base64(digest, newline=False).decode("ascii")


def _number(text: str) -> int:
    return int.from_bytes(base64.b64decode(text), "big")
