"""Where webhooks may not go, in whatever spelling (J5)."""

from __future__ import annotations

import socket
from collections.abc import Sequence

import pytest

from alight.clock import SystemClock
from alight.errors import AlightError
from alight.notifications.channels.addresses import Gate, GatedResolver, look_up
from alight.notifications.channels.posting import Posts
from alight.notifications.policy import Failed
from tests.unit.notifications.conftest import OpenHouse
from tests.unit.notifications.receiver import receiver
from tests.unit.notifications.room import Gateways

LITERALS = """
127.0.0.1 127.1.2.3 127.255.255.255 0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1
192.168.255.255 169.254.0.1 169.254.169.254 169.254.170.2 100.64.0.1 100.100.100.200 100.127.255.255 192.0.0.1
192.0.2.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
[::] [::1] [fe80::1] [fc00::1] [fd00:ec2::254] [ff02::1] [fec0::1] [2001:db8::1] [100::1]
[::ffff:127.0.0.1] [::ffff:7f00:1] [::ffff:10.0.0.1] [::ffff:169.254.169.254] [::127.0.0.1] [::7f00:1]
[64:ff9b::127.0.0.1] [64:ff9b::a9fe:a9fe] [64:ff9b:1::1] [2002:7f00:1::] [2002:a00:1::1] [2002:a9fe:a9fe::]
[2001:0:4136:e378:8000:63bf:80ff:fffe]
"""

# Spellings that no parser of addresses takes, but the system's resolver does.
NAMES = """
localhost LOCALHOST 127.1 127.0.1 2130706433 0x7f000001 0x7f.0.0.1 0177.0.0.1 017700000001 0 0x0 127.0.0.1.
"""


@pytest.mark.parametrize("host", LITERALS.split())
def test_addresses_that_are_refused(host: str) -> None:
    with pytest.raises(Failed) as caught:
        Gate().check_url(f"http://{host}/")
    assert caught.value.permanent


@pytest.mark.parametrize("host", NAMES.split())
async def test_names_that_lead_to_a_refused_address(host: str) -> None:
    gate = Gate()

    async def reach() -> None:
        url = gate.check_url(f"http://{host}/")
        assert url.host is not None
        await GatedResolver(gate).resolve(url.host, 80)

    with pytest.raises(Failed):
        await reach()


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_public_addresses_may_be_reached(address: str) -> None:
    assert str(Gate().check(address, 443))


@pytest.mark.parametrize(
    ("port", "allowed"), [(80, True), (443, True), (8443, True), (22, False), (25, False), (0, False)]
)
def test_ports_of_public_addresses(port: int, allowed: bool) -> None:
    if allowed:
        Gate().check("8.8.8.8", port)
        return
    with pytest.raises(Failed, match="port"):
        Gate().check("8.8.8.8", port)


def test_private_addresses_can_be_allowed_by_address_and_network() -> None:
    gate = Gate(("127.0.0.1", "10.1.0.0/16", "::1"))
    for address in ("127.0.0.1", "10.1.2.3", "::1", "::ffff:127.0.0.1"):
        gate.check(address, 22)
    for address in ("127.0.0.2", "10.2.0.1", "169.254.169.254"):
        with pytest.raises(Failed, match="ALIGHT_WEBHOOK_ALLOW"):
            gate.check(address, 80)


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "gopher://x/", "http:///x", "//x", "x", "http://", "http://x:99999/", "javascript:1", ""],
)
def test_only_web_urls_are_taken(url: str) -> None:
    with pytest.raises(Failed):
        Gate().check_url(url)


def test_a_setting_that_is_no_address_is_refused_in_words() -> None:
    with pytest.raises(AlightError, match="ALIGHT_WEBHOOK_ALLOW"):
        Gate(("localhost",))


async def test_one_private_answer_among_public_ones_is_enough_to_refuse() -> None:
    async def answers(host: str, port: int) -> Sequence[str]:
        return ["8.8.8.8", "10.0.0.1"]

    with pytest.raises(Failed):
        await Gate(lookup=answers).resolve("mixed.example", 80)


async def test_names_that_are_not_known_are_worth_another_try() -> None:
    async def unknown(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(Failed) as caught:
        await Gate(lookup=unknown).resolve("nowhere.example", 80)
    assert not caught.value.permanent


async def test_the_system_resolver_is_asked_off_the_loop() -> None:
    assert "127.0.0.1" in await look_up("localhost", 80)


async def test_a_rebinding_name_is_looked_up_once_and_connected_where_it_was_checked() -> None:
    """The first answer is allowed, every later one is not: a second look-up would fail here."""
    lookups: list[str] = []

    async def rebinding(host: str, port: int) -> Sequence[str]:
        lookups.append(host)
        return ["127.0.0.1"] if len(lookups) == 1 else ["169.254.169.254"]

    posts = Posts(Gate(("127.0.0.1",), rebinding), SystemClock())
    async with receiver() as got:
        place = posts.place(f"http://rebinding.example:{got.port}/")
        answer = await posts.post(place, place.begin + b"Content-Length: 1\r\n\r\nx", 10)
        assert (answer.status, lookups) == (200, ["rebinding.example"])
        posts.close()


async def test_a_name_that_leads_home_kills_the_delivery(open_house: OpenHouse) -> None:
    house = await open_house(Gateways())
    async with receiver() as got:
        topic = await house.topic()
        await house.subscribe(topic, "http", f"http://localhost:{got.port}/hook")
        (delivery,) = await house.until_state("dead")
        assert "ALIGHT_WEBHOOK_ALLOW" in delivery.last_error
        assert (delivery.attempts, got.requests) == (1, [])
