"""Addresses of this machine and its networks in every spelling, through every way out that a caller can name an address
for: no connection is tried. What is counted are the calls of `connect` in this process, not only what arrives.

Callers name addresses as subscriptions of topics (their confirmations and messages) and as URIs of HTTP_PROXY. Gateways
for emails and texts are the owner's settings, no caller's.
"""

from __future__ import annotations

import asyncio
import dataclasses
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from alight.apis.upstream import Question, Reach, Unreachable, ask
from alight.assembly.apis import Outward
from alight.clock import SystemClock
from alight.errors.sns import InvalidParameter
from alight.notifications.channels.addresses import Gate, look_up
from alight.notifications.channels.http import HttpChannel
from alight.notifications.outgoing import Outgoing
from alight.notifications.policy import Failed
from tests.unit.notifications.conftest import OpenHouse
from tests.unit.notifications.receiver import receiver, with_status
from tests.unit.notifications.room import Gateways

PUBLIC = "93.184.216.34"

#: Hosts that stand in a URL as they are.
WRITTEN = r"""
127.0.0.1 127.1 127.0.1 127.255.255.254 2130706433 017700000001 0x7f000001 0X7F000001 0x7f.0.0.1 0x7f.1 0177.0.0.1
0177.1 00000177.0.0.1 127.000.000.001 127.0.0.1. 127.0.0.1.. 0 0x0 00 0.0.0.0 0.0.0.0. 0.1.2.3 192.88.99.1 localhost
LOCALHOST localhost. LocalHost.localdomain ip6-localhost 10.0.0.1 167772161 172.16.0.1 192.168.1.1 3232235777 0xc0a80101
169.254.169.254 2852039166 0xa9fea9fe 0251.0376.0251.0376 169.254.43518 169.254.169.254. 192.0.0.192 198.18.0.1
100.64.0.1 224.0.0.1 255.255.255.255 240.0.0.1
[::] [::1] [0:0:0:0:0:0:0:1] [0000::0001] [::ffff:127.0.0.1] [::ffff:7f00:1] [0:0:0:0:0:ffff:7f00:1] [::127.0.0.1]
[::7f00:1] [64:ff9b::127.0.0.1] [64:ff9b::7f00:1] [64:ff9b:1::7f00:1] [2002:7f00:1::] [2002:a9fe:a9fe::1]
[2001:0:4136:e378:8000:63bf:80ff:fffe] [::ffff:169.254.169.254] [::ffff:a9fe:a9fe] [fe80::1] [fe80::1%25lo] [::1%25lo]
[::ffff:127.0.0.1%25lo] [fc00::1] [fd00:ec2::254] [fec0::1] [ff02::1] [ff01::1]
%31%32%37.0.0.1 127%2e0%2e0%2e1 localhost%00.public.example 127.0.0.1%23.public.example
public.example@127.0.0.1 public.example:80@127.0.0.1 user:password@localhost public.example%40127.0.0.1
127.0.0.1\@public.example 127.0.0.1#@public.example 127.0.0.1?@public.example 127.0.0.1;public.example
"""
#: Letters that some resolver or some library takes for those of ASCII: full width, bold, circled, other full stops.
WIDE = {letter: chr(letter + 0xFEE0) for letter in range(0x21, 0x7F)}
BOLD = {ord(digit): chr(0x1D7CE + int(digit)) for digit in "0123456789"}
CIRCLED = {ord("0"): chr(0x24EA)} | {ord(digit): chr(0x2460 + int(digit) - 1) for digit in "123456789"}
SPELT = [
    *(host.translate(WIDE) for host in ("127.0.0.1", "localhost", "169.254.169.254")),
    *("127.0.0.1".translate(letters) for letters in (BOLD, CIRCLED)),
    *("127.0.0.1".replace(".", chr(stop)) for stop in (0x3002, 0xFF0E, 0xFF61)),
    f"loc{chr(0xAD)}alhost",
    f"127.0.0.1{chr(0x200B)}",
]
HOSTS = [*WRITTEN.split(), *SPELT]
#: Names that somebody else's servers answer for.
NAMES: dict[str, Sequence[str]] = {
    "home.example": ["127.0.0.1"],
    "home6.example": ["::1"],
    "mapped.example": ["::ffff:10.0.0.1"],
    "metadata.example": ["169.254.169.254"],
    "zero.example": ["0.0.0.0"],
    "both.example": [PUBLIC, "127.0.0.1"],
    "both-turned.example": ["127.0.0.1", PUBLIC],
    "link.example": ["fe80::1%lo"],
    "127.0.0.1.nip.example": ["127.0.0.1"],
    "canonical.example": ["192.168.0.1"],
}
SCHEMES = ["file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1:25/_x", "dict://127.0.0.1:11211/",
           "unix:///var/run/docker.sock", "http+unix://%2Fvar%2Frun%2Fdocker.sock/", "ws://127.0.0.1/", "//127.0.0.1/",
           "http:127.0.0.1", "http:/127.0.0.1", "http:///127.0.0.1", "http:\\\\127.0.0.1"]  # fmt: skip


class Connections:
    """Who this process tried to connect to while it was watched; nothing leaves the machine."""

    def __init__(self) -> None:
        self.watching = False
        self.tried: list[str] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, given: tuple[Any, ...]) -> None:
        if event == "socket.connect" and self.watching and given[0].family in (socket.AF_INET, socket.AF_INET6):
            self.tried.append(f"{given[1][0]}:{given[1][1]}")
            if not given[1][0].startswith("127."):
                raise ConnectionRefusedError("not from here")

    @contextmanager
    def watched(self) -> Iterator[list[str]]:
        self.watching, self.tried = True, []
        try:
            yield self.tried
        finally:
            self.watching = False


@pytest.fixture(scope="module")
def connections() -> Connections:
    """For the module: a hook cannot be taken away again."""
    return Connections()


async def answers(host: str, port: int) -> Sequence[str]:
    """The table; numbers and this machine's own names are the system's to read, and nobody else is asked."""
    if host in NAMES:
        return NAMES[host]
    if host.lower().startswith("local") or not any(letter.isalpha() for letter in host.lower().replace("x", "")):
        return await look_up(host, port)
    if host.lower().startswith("0x"):
        return await look_up(host, port)
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


#: A way out: takes a URL, returns whether somebody was reached.
Door = Callable[[str], Awaitable[bool]]


@pytest.fixture
async def doors(open_house: OpenHouse) -> AsyncIterator[Callable[[Gate], dict[str, Door]]]:
    """Both ways out over one gate."""
    house = await open_house(Gateways(), start=False)
    topic = await house.topic()
    await house.subscribe(topic, "http", "http://public.example/")
    (delivery,) = house.deliveries()
    message = house.room.store.message(delivery.message_id)
    assert message is not None
    closing: list[Any] = []

    def made(gate: Gate) -> dict[str, Door]:
        webhooks, outward = HttpChannel(house.room.webhooks._envelopes, gate, SystemClock()), Outward(gate)
        closing.extend((webhooks, outward))
        reach = Reach(outward.open, gate.check_url, Failed)

        async def webhook(url: str) -> bool:
            try:
                await webhooks.send(Outgoing(dataclasses.replace(delivery, target=url), message, None, None))
            except Failed as failure:
                return str(failure).startswith("HTTP ")
            return True

        async def proxy(url: str) -> bool:
            try:
                await ask(reach, Question("GET", url, {}), b"")
            except Unreachable:
                return False
            return True

        return {"webhook": webhook, "HTTP_PROXY": proxy}

    yield made
    for one in closing:
        await one.close()


async def test_no_spelling_of_a_private_address_is_connected_to(
    doors: Callable[[Gate], dict[str, Door]], connections: Connections
) -> None:
    reached, tried = [], 0
    async with receiver() as got:
        urls = [f"{scheme}://{host}:{got.port}/" for host in [*HOSTS, *NAMES] for scheme in ("http", "https")]
        urls += [f"http://{host}/" for host in [*HOSTS, *NAMES]] + SCHEMES
        for name, door in doors(Gate(lookup=answers)).items():
            for url in urls:
                with connections.watched() as made:
                    said = await door(url)
                tried += 1
                if said or made:
                    reached.append((name, url, made))
        # The controls: the same doors, where the owner allows it, and the same counter.
        for name, door in doors(Gate(("127.0.0.1",), answers)).items():
            with connections.watched() as made:
                assert await door(f"http://home.example:{got.port}/"), name
            assert made == [f"127.0.0.1:{got.port}"]
        assert len(got.requests) == 2
    spellings = len({*HOSTS, *NAMES})
    print(f"\n{spellings} spellings and names, {len(SCHEMES)} schemes, {tried} URLs through 2 doors: "
          f"{len(reached)} connections")  # fmt: skip
    assert spellings >= 60
    assert reached == []


async def test_a_subscription_to_a_private_address_is_refused_or_dies(
    open_house: OpenHouse, connections: Connections
) -> None:
    """All the way: Subscribe, the confirmation, the message."""
    house = await open_house(Gateways(), start=False)
    topic = await house.topic()
    refused = 0
    with connections.watched() as made:
        for host in HOSTS:
            try:
                await house.subscribe(topic, "http", f"http://{host}/hook")
            except InvalidParameter:
                refused += 1
        left = house.deliveries()
        # Names that are not known here are asked for again later, so what was not refused is tried by hand.
        for delivery in left:
            message = house.room.store.message(delivery.message_id)
            assert message is not None
            channel = HttpChannel(house.room.webhooks._envelopes, Gate(lookup=answers), SystemClock())
            with pytest.raises(Failed):
                await channel.send(Outgoing(delivery, message, None, None))
            await channel.close()
    print(f"\n{len(HOSTS)} subscriptions: {refused} refused at once, {len(left)} when sent, {len(made)} connections")
    assert made == []
    assert refused >= 50


@pytest.mark.parametrize("door", ["webhook", "HTTP_PROXY"])
async def test_a_name_that_changes_its_answer(
    door: str, doors: Callable[[Gate], dict[str, Door]], connections: Connections
) -> None:
    """One look-up for each connection, which goes to the address that was looked at and to no other."""
    asked: list[str] = []

    async def rebinding(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return [PUBLIC] if len(asked) % 2 else ["127.0.0.1"]

    out = doors(Gate(lookup=rebinding))[door]
    async with receiver() as got:
        for turn in range(6):
            with connections.watched() as made:
                await out(f"http://rebinding.example:{got.port}/")
            assert made == ([f"{PUBLIC}:{got.port}"] if turn % 2 == 0 else [])
        assert got.requests == []
    assert len(asked) == 6


@pytest.mark.parametrize("status", [300, 301, 302, 303, 305, 307, 308])
@pytest.mark.parametrize("door", ["webhook", "HTTP_PROXY"])
async def test_redirects_are_not_followed(
    door: str, status: int, doors: Callable[[Gate], dict[str, Door]], connections: Connections
) -> None:
    async with receiver() as secret:
        answer = with_status(status, Location=secret.url, Refresh=f"0;url={secret.url}")
        async with receiver(answer) as got:
            with connections.watched() as made:
                assert await doors(Gate(("127.0.0.1",)))[door](got.url)
            assert made == [f"127.0.0.1:{got.port}"]
        assert secret.requests == []


async def test_ports_of_the_house_are_not_the_webs(
    doors: Callable[[Gate], dict[str, Door]], connections: Connections
) -> None:
    async def public(host: str, port: int) -> Sequence[str]:
        return [PUBLIC]

    for out in doors(Gate(lookup=public)).values():
        with connections.watched() as made:
            for port in (1, 22, 23, 25, 53, 110, 143, 389, 445, 465, 587, 993):
                await out(f"http://public.example:{port}/")
                await out(f"http://{PUBLIC}:{port}/")
        assert made == []
        with connections.watched() as made:
            await asyncio.wait_for(out("http://public.example/"), 10)
        assert made == [f"{PUBLIC}:80"]
