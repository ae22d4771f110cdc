"""Certificates of webhooks: checked against a list of authorities, and never waved through (F16)."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

import pytest

from alight.clock import SystemClock
from alight.notifications.channels.addresses import Gate
from alight.notifications.channels.http import HttpChannel
from alight.notifications.message import Protocol
from tests.unit.notifications.authority import DAY, Authority
from tests.unit.notifications.conftest import House, OpenHouse
from tests.unit.notifications.receiver import receiver


async def told(house: House, channel: HttpChannel, server: ssl.SSLContext) -> tuple[str, str, int]:
    """Publish to one https webhook: the delivery's state, its last error, the requests that arrived."""
    house.room.channels[Protocol.HTTPS] = channel
    await house.room.start()
    async with receiver(ssl_context=server) as got:
        topic = await house.topic()
        await house.subscribe(topic, "https", got.url)
        await house.until(lambda: house.deliveries()[0].state in ("sent", "dead"))
        (delivery,) = house.deliveries()
        return delivery.state.value, delivery.last_error, len(got.requests)


@pytest.mark.parametrize(
    ("address", "lifetime", "trusted", "state"),
    [
        ("127.0.0.1", DAY, True, "sent"),
        ("127.0.0.1", -DAY, True, "dead"),  # expired
        ("127.0.0.2", DAY, True, "dead"),  # another host's
        ("127.0.0.1", DAY, False, "dead"),  # by an authority that nobody knows
    ],
)
async def test_certificates(
    open_house: OpenHouse, tmp_path: Path, address: str, lifetime: datetime.timedelta, trusted: bool, state: str
) -> None:
    authority = Authority()
    house = await open_house(start=False)
    trust = authority.trust() if trusted else None
    channel = HttpChannel(house.room.webhooks._envelopes, Gate(("127.0.0.1",)), SystemClock(), trust=trust)
    try:
        found, error, requests = await told(house, channel, authority.server(tmp_path, address, lifetime))
    finally:
        await channel.close()
    assert (found, requests) == (state, 1 if state == "sent" else 0)
    assert ("certificate refused" in error) == (state == "dead")
