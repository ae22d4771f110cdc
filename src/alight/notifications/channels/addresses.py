"""Where webhooks may go: public addresses on web ports, and the private ones that were allowed by name.

A name is resolved once, every address of the answer is checked, and the connection goes to a checked address; so an
answer that changes between check and use changes nothing.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from yarl import URL

from alight.errors import AlightError
from alight.notifications.policy import Failed

if TYPE_CHECKING:
    from aiohttp.abc import ResolveResult

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: (host, port) -> addresses as text. Raises `OSError` where the name is not known.
Lookup = Callable[[str, int], Awaitable[Sequence[str]]]

WEB_PORTS = (80, 443)
FIRST_FREE_PORT = 1024

# Networks whose addresses carry an IPv4 address that the packet goes to in the end.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_COMPATIBLE = ipaddress.ip_network("::/96")

# Not on the internet, whatever the address library of this Python says: protocol assignments (192.0.0.192 gives out a
# cloud's credentials), the 6to4 relays of old, local NAT64 prefixes, site-local addresses, examples.
_NEVER = tuple(
    ipaddress.ip_network(text)
    for text in ("192.0.0.0/24", "192.88.99.0/24", "64:ff9b:1::/48", "fec0::/10", "3fff::/20")
)


def is_loopback(host: str) -> bool:
    """Whether nobody else can reach an address; a name other than `localhost` may lead anywhere."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def allowed_networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """Addresses and networks of the setting `webhook_allow`. Raises `AlightError`."""
    try:
        return tuple(ipaddress.ip_network(text, strict=False) for text in texts)
    except ValueError as error:
        hint = "Give addresses (127.0.0.1) or networks (10.1.0.0/16), with commas between them."
        raise AlightError(f"ALIGHT_WEBHOOK_ALLOW: {error}.", hint) from None


def is_public(address: Address) -> bool:
    """Whether an address is on the open internet, whatever it is wrapped in."""
    inner = _inner(address)
    if inner is not None:
        return is_public(inner)
    return address.is_global and not address.is_multicast and not any(address in network for network in _NEVER)


def _inner(address: Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address inside a mapped, compatible, NAT64, 6to4 or Teredo address."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64 or address in _COMPATIBLE:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


class Gate:
    """Decides which addresses may be reached."""

    def __init__(self, allow: Sequence[str] = (), lookup: Lookup | None = None) -> None:
        self._allow = allowed_networks(allow)
        self._lookup = lookup or look_up

    def check(self, text: str, port: int) -> Address:
        """The address, where it may be reached at this port. Raises `Failed` (permanent)."""
        address = ipaddress.ip_address(text)
        if any(address in network for network in self._allow):
            return address
        inner = _inner(address)
        if inner is not None and any(inner in network for network in self._allow):
            return address
        if not is_public(address):
            raise Failed(
                f"{address} is a private address; to let webhooks reach it, add it to ALIGHT_WEBHOOK_ALLOW",
                permanent=True,
            )
        if port not in WEB_PORTS and port < FIRST_FREE_PORT:
            raise Failed(f"port {port} is not one that webhooks may use", permanent=True)
        return address

    def check_url(self, text: str) -> URL:
        """A URL that may be tried: http or https, with a host, and no address that is refused."""
        try:
            url = URL(text)
            port = url.port
        except ValueError:
            raise Failed("not a URL", permanent=True) from None
        if url.scheme not in ("http", "https") or not url.host or port is None:
            raise Failed("not an http or https URL", permanent=True)
        if _is_address(url.host):
            self.check(url.host, port)
        return url

    async def resolve(self, host: str, port: int) -> list[Address]:
        """The checked addresses of a name; of a number, itself. Raises `Failed`: for a name that is not known, it is
        worth another try."""
        if _is_address(host):
            return [self.check(host, port)]
        try:
            answers = await self._lookup(host, port)
        except UnicodeError as error:
            raise Failed(f"{host} is not a host's name", permanent=True) from error
        except OSError as error:
            raise Failed(f"{host} cannot be resolved: {error.strerror or error}") from error
        if not answers:
            raise Failed(f"{host} has no address")
        return [self.check(answer, port) for answer in answers]


class GatedResolver:
    """A resolver as aiohttp asks it (`late`: its class is not loaded yet): it connects to nothing but what the gate
    lets through."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [_result(host, port, address) for address in await self._gate.resolve(host, port)]

    async def close(self) -> None:
        """Nothing to close."""


def _result(host: str, port: int, address: Address) -> ResolveResult:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    return {
        "hostname": host,
        "host": str(address),
        "port": port,
        "family": family,
        "proto": socket.IPPROTO_TCP,
        "flags": socket.AI_NUMERICHOST,
    }


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


async def look_up(host: str, port: int) -> list[str]:
    """The system's resolver, off the event loop."""
    loop = asyncio.get_running_loop()
    answers = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))
