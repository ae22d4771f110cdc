"""The MD5s that clients check: of a body, and of message attributes in SQS's binary form."""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Mapping

_STRING = b"\x01"
_BINARY = b"\x02"


def md5_of_body(body: str) -> str:
    return hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()


def md5_of_attributes(attributes: Mapping[str, Mapping[str, str]]) -> str:
    """`attributes` as stored: binary values in base64. Names are taken in order."""
    digest = hashlib.md5(usedforsecurity=False)
    for name in sorted(attributes):
        value = attributes[name]
        _add(digest, name.encode())
        _add(digest, value["DataType"].encode())
        if "BinaryValue" in value:
            digest.update(_BINARY)
            _add(digest, base64.b64decode(value["BinaryValue"]))
        else:
            digest.update(_STRING)
            _add(digest, value["StringValue"].encode())
    return digest.hexdigest()


def _add(digest: hashlib._Hash, data: bytes) -> None:
    digest.update(struct.pack(">I", len(data)))
    digest.update(data)
