"""To a webhook: POST of SNS's envelope, to a checked address, with no redirects and little patience."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, cast

from alight import late
from alight.clock import Clock
from alight.notifications.channels.addresses import Gate, GatedResolver
from alight.notifications.envelope import Envelopes, dumps, text_for
from alight.notifications.outgoing import Outgoing
from alight.notifications.policy import Failed, content_type

if TYPE_CHECKING:
    import aiohttp
    from aiohttp.abc import AbstractResolver

#: Seconds from the first packet to the last byte of the answer.
DEADLINE = 15.0
CONNECT_DEADLINE = 10.0

#: Bytes of an answer that are read at most, and those that are kept for people.
MOST_READ = 64 * 1024
MOST_KEPT = 500

USER_AGENT = "Amazon Simple Notification Service Agent"


class HttpChannel:
    """Posts to webhooks. `open` and `close` frame its use, on the event loop."""

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
        self._gate = gate
        self._clock = clock
        self._deadline = deadline
        self._trust = trust
        self._session: aiohttp.ClientSession | None = None

    def open(self) -> aiohttp.ClientSession:
        """The session, made on first use."""
        import aiohttp

        if self._session is None:
            connector = aiohttp.TCPConnector(
                resolver=cast("AbstractResolver", GatedResolver(self._gate)),
                use_dns_cache=False,
                limit=0,
                ssl=self._trust if self._trust is not None else True,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=self._deadline, sock_connect=CONNECT_DEADLINE),
                auto_decompress=False,
                trust_env=False,
                max_line_size=16 * 1024,
                max_field_size=16 * 1024,
            )
        return self._session

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def send(self, outgoing: Outgoing) -> None:
        await late.load("aiohttp")
        import aiohttp

        url = self._gate.check_url(outgoing.delivery.target)
        # Not in a thread: signing does not let other threads run meanwhile, so that would only add the way there.
        body = self._body(outgoing)
        try:
            async with self.open().post(
                url, data=body.encode(), headers=_headers(outgoing), allow_redirects=False
            ) as response:
                answer = await _read(response)
                self._judge(response.status, response.headers, answer)
        except aiohttp.ClientConnectorCertificateError as error:
            raise Failed(f"certificate refused: {error.certificate_error}", permanent=True) from error
        except aiohttp.ClientConnectorError as error:
            raise Failed(f"cannot connect: {error.strerror or error}") from error
        except aiohttp.ConnectionTimeoutError as error:
            raise Failed(f"no connection within {CONNECT_DEADLINE:g} s") from error
        except TimeoutError as error:
            raise Failed(f"no answer within {self._deadline:g} s", uncertain=True) from error
        except aiohttp.InvalidURL as error:
            raise Failed(f"not a URL: {error}", permanent=True) from error
        except (aiohttp.ClientError, ssl.SSLError, OSError, ValueError) as error:
            raise Failed(f"connection lost: {error or type(error).__name__}", uncertain=True) from error

    def _body(self, outgoing: Outgoing) -> str:
        if outgoing.delivery.raw:
            return text_for(outgoing.message, outgoing.protocol)
        subscription = outgoing.delivery.subscription
        return dumps(self._envelopes.envelope(outgoing.message, outgoing.topic, subscription, outgoing.protocol))

    def _judge(self, status: int, headers: Mapping[str, str], answer: str) -> None:
        """Raise `Failed` for anything but 2xx: what the client side is at fault for is not tried again."""
        if 200 <= status < 300:
            return
        text = f"HTTP {status}: {answer}" if answer else f"HTTP {status}"
        if 300 <= status < 400:
            raise Failed(f"{text} (redirects are not followed)", permanent=True)
        again = status == 429 or status >= 500
        raise Failed(text, permanent=not again, retry_after=self._retry_after(headers) if again else None)

    def _retry_after(self, headers: Mapping[str, str]) -> float | None:
        """Seconds, from a number or a date."""
        text = headers.get("Retry-After", "").strip()
        if text.isdecimal():
            return float(text)
        try:
            return max(parsedate_to_datetime(text).timestamp() - self._clock.now(), 0.0)
        except (ValueError, TypeError):
            return None


def _headers(outgoing: Outgoing) -> dict[str, str]:
    headers = {
        "Content-Type": content_type(outgoing.topic_policy, outgoing.subscription_policy),
        "User-Agent": USER_AGENT,
        "x-amz-sns-message-type": outgoing.message.kind,
        "x-amz-sns-message-id": outgoing.message.id,
        "x-amz-sns-topic-arn": outgoing.message.topic,
    }
    if outgoing.message.kind != "SubscriptionConfirmation":
        headers["x-amz-sns-subscription-arn"] = outgoing.delivery.subscription
    if outgoing.delivery.raw:
        headers["x-amz-sns-rawdelivery"] = "true"
    return headers


async def _read(response: aiohttp.ClientResponse) -> str:
    """The beginning of the answer; reading stops after `MOST_READ` bytes and the connection is not used again."""
    read = b""
    while len(read) < MOST_READ:
        chunk = await response.content.read(MOST_READ - len(read))
        if not chunk:
            break
        read += chunk
    if not response.content.at_eof():
        response.close()
    text = read[:MOST_KEPT].decode("utf-8", "replace")
    return "".join(character if character.isprintable() else " " for character in text).strip()
