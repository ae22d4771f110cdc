"""To a webhook: POST of SNS's envelope, to a checked address, with no redirects and little patience."""

from __future__ import annotations

import ssl
from email.utils import parsedate_to_datetime

from alight.clock import Clock
from alight.notifications.channels.addresses import Gate
from alight.notifications.channels.posting import Answer, Posts, head
from alight.notifications.envelope import Envelopes, dumps, text_for
from alight.notifications.outgoing import Outgoing
from alight.notifications.policy import Failed, content_type

#: Seconds from the first packet to the last byte of the answer.
DEADLINE = 15.0

USER_AGENT = "Amazon Simple Notification Service Agent"


class HttpChannel:
    """Posts to webhooks, on the event loop. `close` ends its use."""

    def __init__(
        self,
        envelopes: Envelopes,
        gate: Gate,
        clock: Clock,
        *,
        deadline: float = DEADLINE,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._envelopes = envelopes
        self._clock = clock
        self._deadline = deadline
        self._posts = Posts(gate, clock, trust)

    async def close(self) -> None:
        self._posts.close()

    async def send(self, outgoing: Outgoing) -> None:
        place = self._posts.place(outgoing.delivery.target)
        # Not in a thread: signing does not let other threads run meanwhile, so that would only add the way there.
        body = self._body(outgoing).encode()
        request = b"".join((place.begin, head(_lines(outgoing)), b"Content-Length: %d\r\n\r\n" % len(body), body))
        self._judge(await self._posts.post(place, request, self._deadline))

    def _body(self, outgoing: Outgoing) -> str:
        if outgoing.delivery.raw:
            return text_for(outgoing.message, outgoing.protocol)
        subscription = outgoing.delivery.subscription
        return dumps(self._envelopes.envelope(outgoing.message, outgoing.topic, subscription, outgoing.protocol))

    def _judge(self, answer: Answer) -> None:
        """Raise `Failed` for anything but 2xx: what the client side is at fault for is not tried again."""
        status = answer.status
        if 200 <= status < 300:
            return
        said = _readable(answer.body)
        text = f"HTTP {status}: {said}" if said else f"HTTP {status}"
        if 300 <= status < 400:
            raise Failed(f"{text} (redirects are not followed)", permanent=True)
        again = status == 429 or status >= 500
        raise Failed(text, permanent=not again, retry_after=self._retry_after(answer) if again else None)

    def _retry_after(self, answer: Answer) -> float | None:
        """Seconds, from a number or a date."""
        text = answer.retry_after.strip()
        if text.isdecimal():
            return float(text)
        try:
            return max(parsedate_to_datetime(text).timestamp() - self._clock.now(), 0.0)
        except (ValueError, TypeError):
            return None


def _lines(outgoing: Outgoing) -> list[str]:
    """The headers that a message brings, as SNS has them."""
    message = outgoing.message
    lines = [
        "Connection: Keep-Alive",
        f"Content-Type: {content_type(outgoing.topic_policy, outgoing.subscription_policy)}",
        f"User-Agent: {USER_AGENT}",
        f"x-amz-sns-message-type: {message.kind}",
        f"x-amz-sns-message-id: {message.id}",
        f"x-amz-sns-topic-arn: {message.topic}",
    ]
    if message.kind != "SubscriptionConfirmation":
        lines.append(f"x-amz-sns-subscription-arn: {outgoing.delivery.subscription}")
    if outgoing.delivery.raw:
        lines.append("x-amz-sns-rawdelivery: true")
    return lines


def _readable(body: bytes) -> str:
    text = body.decode("utf-8", "replace")
    return "".join(character if character.isprintable() else " " for character in text).strip()
