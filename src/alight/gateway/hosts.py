"""Who may be asked for, and by whom: the Host allow-list and the origin rule, before any routing.

A page in a browser can reach a server on loopback under a name of its own (DNS rebinding), so a request is only
looked at when its Host is a name that this instance is known by. `named` reads virtual-host addressing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from alight.errors.gateway import CrossOriginRequest, MisdirectedRequest
from alight.gateway.request import Request

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})

_S3_HOST = re.compile(r"(?:(?P<bucket>.+)\.)?s3(?:[.-](?:dualstack\.)?[a-z]{2}(?:-[a-z]+)+-\d)?")


@dataclass(frozen=True, slots=True)
class Named:
    """`pics.s3.localhost` has the labels `pics.s3` before our name `localhost`, and stands for the bucket `pics` in
    virtual-host addressing; `bucket` is None for path style."""

    labels: str
    base: str
    bucket: str | None


@dataclass(frozen=True, slots=True)
class Hosts:
    """The names by which this instance is known, besides loopback's (see `configured_hosts`)."""

    configured: tuple[str, ...] = ()

    def check(self, request: Request, port: int | None) -> None:
        """Configured names are let in with any port (a proxy or a port map may stand before us), the loopback
        names only without a port or with ours; `port` None accepts any.

        Raises `MisdirectedRequest` (421) for a name that is not ours.
        """
        host = request.host
        if self.configured and self._is_under(host, self.configured):
            return
        ours = host in LOOPBACK or host.endswith(".localhost")
        if not ours or (port is not None and request.port not in (None, port)):
            raise MisdirectedRequest(f"{request.headers['host']} is not served here.")

    def check_origin(self, request: Request) -> None:
        """Raises `CrossOriginRequest` (403) where a page of another origin sends an unsafe verb."""
        if request.method in SAFE_METHODS:
            return
        site = request.headers.get("sec-fetch-site")
        if site is not None and site not in ("same-origin", "none"):
            raise CrossOriginRequest
        origin = request.headers.get("origin")
        if origin is not None and not self._is_own_origin(origin, request):
            raise CrossOriginRequest

    def named(self, host: str) -> Named:
        """What a Host says beside our own name."""
        return _named(host, self.configured)

    def _is_under(self, host: str, names: tuple[str, ...]) -> bool:
        return any(host == name or host.endswith("." + name) for name in names)

    def _is_own_origin(self, origin: str, request: Request) -> bool:
        parts = urlsplit(origin.lower())
        return parts.scheme in ("http", "https") and parts.netloc == request.headers["host"].lower()


@lru_cache(maxsize=1_024)
def _named(host: str, configured: tuple[str, ...]) -> Named:
    for base in sorted((*configured, *LOOPBACK), key=len, reverse=True):
        if host.endswith("." + base):
            labels = host[: -len(base) - 1]
            found = _S3_HOST.fullmatch(labels)
            return Named(labels, base, found["bucket"] if found else labels)
        if host == base:
            return Named("", base, None)
    return Named("", host, None)


def configured_hosts(names: tuple[str, ...], public_url: str) -> tuple[str, ...]:
    """The settings' names and the public URL's, lower-case and without ports."""
    public = urlsplit(public_url).hostname if public_url else None
    return tuple(name.lower().rsplit(":", 1)[0] if not name.endswith("]") else name.lower() for name in names) + (
        (f"[{public}]" if ":" in public else public,) if public else ()
    )
