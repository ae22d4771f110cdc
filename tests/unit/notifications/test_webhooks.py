"""Webhooks: confirmed by their receiver, signed for anybody to check, tried again by policy, never led astray."""

from __future__ import annotations

import asyncio
import json
import re
import time

import aiohttp
import pytest
from aiohttp import web

from alight.errors import Fault
from alight.store.outbox import Delivery
from tests.unit.notifications.conftest import House, OpenHouse
from tests.unit.notifications.receiver import Answer, Receiver, pages, receiver, with_status
from tests.unit.notifications.test_signing import verify

QUICK = json.dumps(
    {"healthyRetryPolicy": {"minDelayTarget": 1, "maxDelayTarget": 1, "numRetries": 2, "numNoDelayRetries": 2}}
)


async def fetch(url: str, **headers: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as response:
        return response.status, await response.text()


async def confirmed(house: House, got: Receiver, topic: str, **attributes: str) -> str:
    """Subscribe, and confirm by the token that the receiver was sent."""
    arn = await house.subscribe(topic, "http", got.url, **attributes)
    await house.until(lambda: got.requests)
    token = json.loads(got.requests[-1].body)["Token"]
    await house.call("ConfirmSubscription", TopicArn=topic, Token=token)
    await house.until_state("sent")
    got.requests.clear()
    return arn


async def test_a_receiver_confirms_by_its_link_and_verifies_what_it_gets(open_house: OpenHouse) -> None:
    house = await open_house()
    async with receiver() as got, pages(house.sns.pages) as base:
        house.base[0] = base
        topic = await house.topic(SignatureVersion="2")

        # Given a subscription that nobody has confirmed: it gets the confirmation alone
        arn = await house.subscribe(topic, "http", got.url)
        await house.call("Publish", TopicArn=topic, Message="too early")
        await house.until(lambda: got.requests)
        asked = json.loads(got.requests[0].body)
        assert got.requests[0].headers["x-amz-sns-message-type"] == "SubscriptionConfirmation"
        assert "x-amz-sns-subscription-arn" not in got.requests[0].headers
        status, certificate = await fetch(asked["SigningCertURL"])
        assert status == 200
        verify(asked, certificate.encode())

        # When the receiver visits the link
        status, answer = await fetch(asked["SubscribeURL"])
        assert (status, arn in answer) == (200, True)

        # Then messages arrive, signed
        published = await house.call("Publish", TopicArn=topic, Message="Bird ✓", Subject="Sighting")
        await house.until(lambda: len(got.requests) == 2)
        message = json.loads(got.requests[1].body)
        verify(message, certificate.encode())
        assert (message["Type"], message["Message"], message["Subject"]) == ("Notification", "Bird ✓", "Sighting")
        headers = got.requests[1].headers
        assert headers["x-amz-sns-message-type"] == "Notification"
        assert headers["x-amz-sns-message-id"] == published["MessageId"] == message["MessageId"]
        assert headers["x-amz-sns-topic-arn"] == topic
        assert headers["x-amz-sns-subscription-arn"] == arn
        assert headers["Content-Type"] == "text/plain; charset=UTF-8"
        assert headers["User-Agent"] == "Amazon Simple Notification Service Agent"

        # And the same link works only once
        assert (await fetch(asked["SubscribeURL"]))[0] == 400


async def test_unsubscribing_by_link_can_be_taken_back(open_house: OpenHouse) -> None:
    house = await open_house()
    async with receiver() as got, pages(house.sns.pages) as base:
        house.base[0] = base
        topic = await house.topic()
        await confirmed(house, got, topic)
        await house.call("Publish", TopicArn=topic, Message="one")
        await house.until(lambda: got.requests)
        link = json.loads(got.requests.pop().body)["UnsubscribeURL"]
        assert "Subscription removed" in (await fetch(link, Accept="text/html"))[1]

        await house.until(lambda: got.requests)
        ended = json.loads(got.requests.pop().body)
        assert ended["Type"] == "UnsubscribeConfirmation"
        await house.call("Publish", TopicArn=topic, Message="nobody hears this")
        assert (await house.call("ListSubscriptions"))["Subscriptions"] == []

        assert (await fetch(ended["SubscribeURL"]))[0] == 200
        await house.call("Publish", TopicArn=topic, Message="two")
        await house.until(lambda: got.requests)
        assert json.loads(got.requests[0].body)["Message"] == "two"


async def test_who_confirmed_by_a_signed_call_can_only_be_ended_by_one(open_house: OpenHouse) -> None:
    house = await open_house()
    async with receiver() as got, pages(house.sns.pages) as base:
        house.base[0] = base
        topic = await house.topic()
        arn = await house.subscribe(topic, "http", got.url)
        await house.until(lambda: got.requests)
        token = json.loads(got.requests[0].body)["Token"]
        await house.call("ConfirmSubscription", TopicArn=topic, Token=token, AuthenticateOnUnsubscribe="true")
        status, text = await fetch(f"{base}/_aws/sns/?Action=Unsubscribe&SubscriptionArn={arn}")
        assert (status, "AuthorizationError" in text) == (403, True)
        assert len((await house.call("ListSubscriptions"))["Subscriptions"]) == 1


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("Action=Publish&Message=x", 403),
        ("", 403),
        ("Action=ConfirmSubscription&TopicArn=x&Token=y", 400),
        ("Action=Unsubscribe&SubscriptionArn=arn:aws:sns:us-east-1:000000000000:birds:none", 404),
    ],
)
async def test_the_pages_do_nothing_else(open_house: OpenHouse, query: str, status: int) -> None:
    house = await open_house()
    async with pages(house.sns.pages) as base:
        assert (await fetch(f"{base}/_aws/sns/?{query}"))[0] == status
        assert (await fetch(f"{base}/_aws/sns/SimpleNotificationService-other.pem"))[0] == 404
        async with aiohttp.ClientSession() as session, session.post(f"{base}/_aws/sns/?{query}") as response:
            assert response.status == 405


async def test_page_text_is_escaped(open_house: OpenHouse) -> None:
    house = await open_house()
    async with pages(house.sns.pages) as base:
        _, text = await fetch(f"{base}/_aws/sns/?Action=Unsubscribe&SubscriptionArn=%3Cscript%3E", Accept="text/html")
        assert "<script>" not in text


async def test_raw_delivery_is_the_bare_message(open_house: OpenHouse) -> None:
    house = await open_house()
    async with receiver() as got:
        topic = await house.topic()
        await confirmed(house, got, topic, RawMessageDelivery="true")
        await house.call("Publish", TopicArn=topic, Message="bare")
        await house.until(lambda: got.requests)
        assert got.requests[0].body == "bare"
        assert got.requests[0].headers["x-amz-sns-rawdelivery"] == "true"


async def outcome(house: House, answer: Answer, *, state: str, policy: str = QUICK) -> tuple[Delivery, int]:
    """Publish to a confirmed webhook that answers so, and wait for what becomes of it."""
    replies: list[Answer] = [with_status(200)]

    async def current(request: web.Request, number: int) -> web.StreamResponse:
        return await replies[0](request, number)

    async with receiver(current) as got:
        topic = await house.topic()
        await confirmed(house, got, topic, DeliveryPolicy=policy)
        replies[0] = answer
        published = await house.call("Publish", TopicArn=topic, Message="hello")
        store = house.room.store
        await house.until(lambda: store.deliveries_of(published["MessageId"])[0].state == state)
        ids = {request.headers["x-amz-sns-message-id"] for request in got.requests}
        assert ids == {published["MessageId"]}
        return store.deliveries_of(published["MessageId"])[0], len(got.requests)


@pytest.mark.parametrize("status", [500, 502, 503, 429])
async def test_server_errors_are_tried_again(open_house: OpenHouse, status: int) -> None:
    delivery, requests = await outcome(await open_house(), with_status(status, status, 200), state="sent")
    assert (delivery.attempts, requests, delivery.uncertain) == (3, 3, False)


async def test_retries_end_in_a_dead_letter_with_its_reason(open_house: OpenHouse) -> None:
    delivery, requests = await outcome(await open_house(), with_status(500), state="dead")
    assert (delivery.reason, delivery.attempts, requests) == ("RetriesExhausted", 3, 3)
    assert delivery.last_error == "HTTP 500"


@pytest.mark.parametrize("status", [400, 401, 404, 410])
async def test_client_errors_are_not_tried_again(open_house: OpenHouse, status: int) -> None:
    delivery, requests = await outcome(await open_house(), with_status(status), state="dead")
    assert (delivery.reason, delivery.last_error, requests) == ("ClientError", f"HTTP {status}", 1)


@pytest.mark.parametrize("status", [301, 302, 307])
async def test_redirects_are_not_followed(open_house: OpenHouse, status: int) -> None:
    async with receiver() as other:
        delivery, requests = await outcome(await open_house(), with_status(status, Location=other.url), state="dead")
        assert (delivery.reason, requests, other.requests) == ("ClientError", 1, [])


async def test_retry_after_is_waited_for(open_house: OpenHouse) -> None:
    house = await open_house()
    before = time.time()
    delivery, requests = await outcome(house, with_status(429, 200, Retry_After="1"), state="sent")
    assert requests == 2
    assert delivery.finished is not None
    assert delivery.finished - before >= 1


async def test_a_connection_cut_before_the_answer_is_uncertain_and_tried_again(open_house: OpenHouse) -> None:
    async def cut(request: web.Request, number: int) -> web.StreamResponse:
        if number == 1:
            assert request.transport is not None
            request.transport.abort()
        return web.Response()

    delivery, requests = await outcome(await open_house(), cut, state="sent")
    assert (requests, delivery.attempts, delivery.uncertain) == (2, 2, True)


async def test_an_endless_answer_is_not_read(open_house: OpenHouse) -> None:
    written = 0

    async def endless(request: web.Request, number: int) -> web.StreamResponse:
        nonlocal written
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            try:
                await response.write(b"x" * 65536)
            except (ConnectionError, asyncio.CancelledError):
                return response
            written += 65536

    delivery, requests = await outcome(await open_house(), endless, state="sent")
    assert (delivery.attempts, requests) == (1, 1)
    assert written < 64 << 20


async def test_a_slow_answer_has_a_deadline(open_house: OpenHouse) -> None:
    async def never(request: web.Request, number: int) -> web.StreamResponse:
        await asyncio.sleep(30)
        return web.Response()

    house = await open_house()
    house.room.webhooks._deadline = 0.2
    no_retries = json.dumps({"healthyRetryPolicy": {"minDelayTarget": 1, "maxDelayTarget": 1, "numRetries": 0}})
    delivery, _ = await outcome(house, never, state="dead", policy=no_retries)
    assert delivery.uncertain
    assert re.fullmatch(r"no answer within 0\.2 s", delivery.last_error)


async def test_a_closed_port_is_tried_again(open_house: OpenHouse) -> None:
    house = await open_house()
    async with receiver() as got:
        topic = await house.topic()
        await confirmed(house, got, topic, DeliveryPolicy=QUICK)
    await house.call("Publish", TopicArn=topic, Message="hello")
    (delivery,) = await house.until_state("dead")
    assert (delivery.attempts, delivery.uncertain, delivery.reason) == (3, False, "RetriesExhausted")
    assert delivery.last_error.startswith("cannot connect")


async def test_the_dead_can_be_redriven(open_house: OpenHouse) -> None:
    house = await open_house()
    replies: list[Answer] = [with_status(200)]

    async def current(request: web.Request, number: int) -> web.StreamResponse:
        return await replies[0](request, number)

    async with receiver(current) as got:
        topic = await house.topic()
        await confirmed(house, got, topic)
        replies[0] = with_status(404)
        published = await house.call("Publish", TopicArn=topic, Message="hello")
        (delivery,) = await house.until_state("dead")
        replies[0] = with_status(200)
        assert await house.room.outbox.redrive([delivery.id, 12345]) == 1
        await house.until(lambda: house.room.store.deliveries_of(published["MessageId"])[0].state == "sent")
        assert len({request.headers["x-amz-sns-message-id"] for request in got.requests}) == 1


async def test_what_cannot_be_delivered_also_goes_to_the_queue_of_the_subscription(open_house: OpenHouse) -> None:
    house = await open_house()
    queue = "arn:aws:sqs:us-east-1:000000000000:letters"

    async def only_confirmations(request: web.Request, number: int) -> web.StreamResponse:
        return web.Response(status=404 if request.headers["x-amz-sns-message-type"] == "Notification" else 200)

    async with receiver(only_confirmations) as got:
        topic = await house.topic()
        await confirmed(house, got, topic, RedrivePolicy=json.dumps({"deadLetterTargetArn": queue}))
        published = await house.call("Publish", TopicArn=topic, Message="hello")
        await house.until_state("dead")
    ((arn, body, _),) = house.queued
    assert (arn, json.loads(body)["MessageId"]) == (queue, published["MessageId"])


@pytest.mark.parametrize(
    "url",
    ["http://10.0.0.1/hook", "http://[::1]/hook", "http://169.254.169.254/latest", "https://x/", "ftp://x/", "http://"],
)
async def test_webhooks_that_can_never_be_reached_are_refused_at_once(open_house: OpenHouse, url: str) -> None:
    house = await open_house()
    topic = await house.topic()
    with pytest.raises(Fault) as caught:
        await house.subscribe(topic, "http", url)
    assert caught.value.code == "InvalidParameter"
