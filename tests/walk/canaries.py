"""Secrets that are planted, the forms in which they could come to light, and what is searched for them."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus


def forms(secret: str) -> Iterator[bytes]:
    """As it is, as URLs, JSON, Python, hexadecimal and base64 write it (at each of the three offsets)."""
    raw = secret.encode()
    yield raw
    yield quote(secret, safe="").encode()
    yield quote_plus(secret).encode()
    yield json.dumps(secret)[1:-1].encode()
    yield repr(secret)[1:-1].encode()
    yield raw.hex().encode()
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + raw)
        # The letters at either end depend on what stands beside it.
        middle = encoded[4 if offset else 0 : len(encoded) // 4 * 4 - 4]
        yield middle
        yield middle.replace(b"+", b"-").replace(b"/", b"_")


@dataclass
class Search:
    """`planted` by name; `seen` is all that anybody gets to see, by where it was seen."""

    planted: dict[str, str] = field(default_factory=dict)
    seen: dict[str, bytes] = field(default_factory=dict)

    def plant(self, name: str, secret: str) -> str:
        assert len(secret) >= 12, f"{name} is too short to be told from chance"
        self.planted[name] = secret
        return secret

    def look_at(self, where: str, what: bytes | str) -> None:
        """Keep it; several things of one place are kept together."""
        data = what.encode() if isinstance(what, str) else what
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
        self.seen[where] = self.seen.get(where, b"") + b"\n" + data

    def found(self, *names: str) -> list[tuple[str, str]]:
        """Each planted secret (of these names, or of all) with the place where it came to light."""
        wrong = []
        for name in names or self.planted:
            wanted = {form for form in forms(self.planted[name]) if len(form) >= 10}
            wrong += [(name, where) for where, data in self.seen.items() if any(form in data for form in wanted)]
        return wrong
