"""Texts through a real gateway of apprise's kind (its JSON webhook), as phones would get them."""

from __future__ import annotations

import json

import pytest

from tests.unit.notifications.conftest import House, OpenHouse
from tests.unit.notifications.receiver import Receiver, fine, receiver, with_status
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


async def test_a_gateway_that_refuses_is_tried_again(open_house: OpenHouse) -> None:
    async with receiver(with_status(500)) as got:
        house = await house_with(open_house, got)
        await house.call("Publish", PhoneNumber=PHONE, Message="hello")
        await house.until(lambda: house.deliveries()[0].last_error)
        (delivery,) = house.deliveries()
        assert (delivery.state, delivery.attempts) == ("ready", 1)
        assert delivery.last_error.startswith("the SMS gateway refused: ")


async def test_a_text_that_is_too_long_is_a_dead_letter(open_house: OpenHouse) -> None:
    async with receiver(fine) as got:
        house = await house_with(open_house, got)
        topic = await house.topic()
        await house.subscribe(topic, "sms", PHONE)
        await house.call("Publish", TopicArn=topic, Message="x" * 1601)
        (delivery,) = await house.until_state("dead")
        assert (delivery.last_error, got.requests) == ("longer than 1600 letters", [])
