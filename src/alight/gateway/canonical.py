"""The canonical form of Signature Version 4: path and query as they were sent, keys and texts as AWS defines them.

Nothing here decodes: characters that a signature never contains are encoded, what is encoded stays as it is.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import quote

ALGORITHM = "AWS4-HMAC-SHA256"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True)
class Scope:
    """The credential scope: whose key, for which day, region and service."""

    access_key_id: str
    date: str
    region: str
    service: str
    #: As it is signed.
    text: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", f"{self.date}/{self.region}/{self.service}/aws4_request")


@lru_cache(maxsize=256)
def derive_key(secret: str, scope: Scope) -> bytes:
    """The day's signing key."""
    key = hmac.digest(b"AWS4" + secret.encode(), scope.date.encode(), "sha256")
    for part in (scope.region, scope.service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))


@lru_cache(maxsize=256)
def _begun(key: bytes) -> tuple[hashlib._Hash, hashlib._Hash]:
    padded = (key if len(key) <= 64 else hashlib.sha256(key).digest()).ljust(64, b"\0")
    return hashlib.sha256(padded.translate(_INNER)), hashlib.sha256(padded.translate(_OUTER))


def signature_of(key: bytes, text: str) -> str:
    """HMAC-SHA256 in hex, begun once for each key. `hmac.digest` lets other threads run for each few bytes, and the
    loop then waits for its turn."""
    begun, ended = _begun(key)
    inner, outer = begun.copy(), ended.copy()
    inner.update(text.encode("latin-1"))
    outer.update(inner.digest())
    return outer.hexdigest()


def string_to_sign(moment: str, scope: str, canonical: str) -> str:
    hashed = hashlib.sha256(canonical.encode("latin-1")).hexdigest()
    return f"{ALGORITHM}\n{moment}\n{scope}\n{hashed}"


_PLAIN_PATH = re.compile(r"[A-Za-z0-9\-._~/%]*")


def canonical_path(path: str, service: str) -> str:
    """S3 signs the path as sent; the other services take out dot segments and encode once more."""
    if service == "s3":
        return path if _PLAIN_PATH.fullmatch(path) else quote(path, safe="-._~/%")
    if path == "/":
        return path
    kept: list[str] = []
    for step in path.split("/"):
        if step == "..":
            del kept[-1:]
        elif step and step != ".":
            kept.append(step)
    joined = "/" + "/".join(kept) + ("/" if kept and path.endswith("/") else "")
    return quote(joined, safe="-._~/")


def is_plain_path(path: str) -> bool:
    """Whether nothing would be taken out of it (one slash may stand at the end)."""
    return "//" not in path and not _DOTS.search(path)


_DOTS = re.compile(r"/\.\.?(?:/|$)")


def canonical_query(query: str, *, presigned: bool) -> str:
    if not query:
        return ""
    pairs = []
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if part and not (presigned and name == "X-Amz-Signature"):
            pairs.append((_canonical_part(name), _canonical_part(value)))
    pairs.sort()
    return "&".join(f"{name}={value}" for name, value in pairs)


_PLAIN_PART = re.compile(r"[A-Za-z0-9\-._~%]*")


def _canonical_part(text: str) -> str:
    return text if _PLAIN_PART.fullmatch(text) else quote(text, safe="-._~%")
