"""Texts through a real gateway of apprise's kind (its JSON webhook), as phones would get them."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from aiohttp import web

from alight.notifications.channels.heard import Heard
from tests.unit.notifications.authority import Authority
from tests.unit.notifications.conftest import House, OpenHouse
from tests.unit.notifications.receiver import Answer, Receiver, fine, receiver, with_status
from tests.unit.notifications.room import Gateways

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")

PHONE = "+4915123456789"


async def house_with(open_house: OpenHouse, got: Receiver) -> House:
    return await open_house(Gateways(sms_url=f"json://127.0.0.1:{got.port}/text/{{phone}}"))


async def test_a_text_has_the_topics_display_name(open_house: OpenHouse) -> None:
    async with receiver() as got:
        house = await house_with(open_house, got)
        topic = await house.topic(DisplayName="birds")
        await house.subscribe(topic, "sms", "+49 (151) 234-567-89")
        await house.call("Publish", TopicArn=topic, Subject="Hello world", Message="Machine learning is fun!")
        (delivery,) = await house.until_state("sent")
        assert delivery.target == PHONE
        assert json.loads(got.requests[0].body)["message"] == "birds> Machine learning is fun!"


async def test_a_long_display_name_is_cut(open_house: OpenHouse) -> None:
    async with receiver() as got:
        house = await house_with(open_house, got)
        topic = await house.topic(DisplayName="birds of paradise")
        await house.subscribe(topic, "sms", PHONE)
        await house.call("Publish", TopicArn=topic, Message="hello")
        await house.until_state("sent")
        assert json.loads(got.requests[0].body)["message"] == "birds of p> hello"


async def test_a_text_to_a_number_has_no_name(open_house: OpenHouse) -> None:
    async with receiver() as got:
        house = await house_with(open_house, got)
        await house.call("Publish", PhoneNumber=PHONE, Message="hello")
        (delivery,) = await house.until_state("sent")
        assert (delivery.subscription, delivery.target) == ("", PHONE)
        assert json.loads(got.requests[0].body)["message"] == "hello"


async def cut(request: web.Request, number: int) -> web.StreamResponse:
    """Takes the whole text, then the connection is gone."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def cut_within_the_answer(request: web.Request, number: int) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Length": "1000"})
    await answer.prepare(request)
    await answer.write(b"{")
    return await cut(request, number)


async def silent(request: web.Request, number: int) -> web.StreamResponse:
    """Takes the text and answers too late: whoever asked has gone by then."""
    transport = request.transport
    while transport is not None and not transport.is_closing():
        await asyncio.sleep(0.01)
    return web.Response()


@pytest.mark.parametrize(
    ("answer", "uncertain", "said"),
    [
        (cut, True, "(ConnectionError)"),
        (cut_within_the_answer, True, "(ChunkedEncodingError)"),
        (silent, True, "(ReadTimeout)"),
        (with_status(304), True, "error=304."),
        (with_status(403), False, "error=403."),
        (with_status(429), False, "error=429."),
        (with_status(500), False, "error=500."),
    ],
)
async def test_what_a_gateway_may_have_taken_is_tried_again_as_uncertain(
    open_house: OpenHouse, answer: Answer, uncertain: bool, said: str
) -> None:
    async with receiver(answer) as got:
        house = await open_house(Gateways(sms_url=f"json://127.0.0.1:{got.port}/{{phone}}?rto=0.3"))
        await house.call("Publish", PhoneNumber=PHONE, Message="hello")
        await house.until(lambda: house.deliveries()[0].last_error)
        (delivery,) = house.deliveries()
        assert (delivery.state, delivery.attempts, delivery.uncertain) == ("ready", 1, uncertain)
        words = "the SMS gateway may have taken the text: " if uncertain else "the SMS gateway has not taken the text: "
        assert delivery.last_error.startswith(words)
        assert delivery.last_error.endswith(said)
        assert len(got.requests) == 1


@pytest.mark.parametrize("notation", ["json", "jsons"])
async def test_a_gateway_that_was_not_reached_has_taken_nothing(
    open_house: OpenHouse, tmp_path: Path, notation: str
) -> None:
    """A closed port; a server whose certificate is not trusted."""
    async with AsyncExitStack() as stack:
        trusted_by_nobody = Authority().server(tmp_path, "127.0.0.1")
        got = await stack.enter_async_context(receiver(ssl_context=trusted_by_nobody))
        if notation == "json":
            await stack.aclose()
        house = await open_house(Gateways(sms_url=f"{notation}://127.0.0.1:{got.port}/{{phone}}"))
        await house.call("Publish", PhoneNumber=PHONE, Message="hello")
        await house.until(lambda: house.deliveries()[0].last_error)
        (delivery,) = house.deliveries()
        assert (delivery.attempts, delivery.uncertain, got.requests) == (1, False, [])
        assert delivery.last_error.startswith("the SMS gateway has not taken the text: A Connection error occurred")


def log_within(heard: Heard, error: Exception | None, text: str) -> None:
    """What a plugin does that has caught this error, or none."""
    if error is None:
        heard.logger.warning(text)
        return
    try:
        raise error
    except Exception:
        heard.logger.warning(text)


@pytest.mark.parametrize(
    ("attempts", "uncertain"),
    [
        ([], True),
        ([(socket.gaierror(-2, "Name or service not known"), "Failed.")], False),
        ([(None, "Failed to send to +49: Invalid number, error=21211.")], False),
        ([(None, "Failed to send.")], True),
        ([(ConnectionResetError(), "Failed."), (None, "error=500.")], True),
    ],
    ids=["says nothing", "no such name", "its own number", "no status", "one of two"],
)
def test_only_a_clear_no_to_every_attempt_is_certain(
    attempts: list[tuple[Exception | None, str]], uncertain: bool
) -> None:
    heard = Heard()
    for error, text in attempts:
        log_within(heard, error, text)
    assert heard.failure().uncertain is uncertain


async def test_a_text_that_is_too_long_is_a_dead_letter(open_house: OpenHouse) -> None:
    async with receiver(fine) as got:
        house = await house_with(open_house, got)
        topic = await house.topic()
        await house.subscribe(topic, "sms", PHONE)
        await house.call("Publish", TopicArn=topic, Message="x" * 1601)
        (delivery,) = await house.until_state("dead")
        assert (delivery.last_error, got.requests) == ("longer than 1600 letters", [])
