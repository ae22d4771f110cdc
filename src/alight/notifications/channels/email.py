"""To a mailbox: one mail for each delivery, through the configured SMTP server.

The Message-ID is derived from the MessageId, so a mail that is sent again can be told from a new one.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib

from alight.errors import AlightError
from alight.notifications.channels.addresses import is_loopback
from alight.notifications.envelope import Envelopes, dumps
from alight.notifications.message import Kind, Protocol
from alight.notifications.outgoing import Outgoing
from alight.notifications.policy import Failed

#: Seconds for each step of the conversation, and for all of it.
STEP_DEADLINE = 20.0
DEADLINE = 60.0

HELD = "no SMTP gateway configured: set ALIGHT_SMTP_URL"


@dataclass(frozen=True, slots=True)
class Server:
    """Where mail is handed in. `start_tls` None: where the server offers it."""

    host: str
    port: int
    username: str | None
    password: str | None
    use_tls: bool
    start_tls: bool | None


def read_server(url: str) -> Server:
    """`smtp://user:password@host:port`, `smtps://...`; `?starttls=never` for a server that must not be asked.

    Credentials are never sent in the clear, but to this machine. Raises `AlightError`.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise AlightError(f"ALIGHT_SMTP_URL: {parts.scheme}://... is not an SMTP address.", "Use smtp:// or smtps://.")
    secure = parts.scheme == "smtps"
    choice = parse_qs(parts.query).get("starttls", ["auto"])[0]
    choices = {"auto": None, "never": False, "always": True}
    if choice not in choices:
        raise AlightError(f"ALIGHT_SMTP_URL: starttls={choice} is unknown.", "Use auto, never or always.")
    start_tls = choices[choice]
    if parts.username and not secure and not is_loopback(parts.hostname):
        start_tls = True
    return Server(
        parts.hostname,
        parts.port or (465 if secure else 25),
        unquote(parts.username) if parts.username else None,
        unquote(parts.password) if parts.password else None,
        secure,
        None if secure else start_tls,
    )


class EmailChannel:
    """Sends mail in the name of a topic. `sender` is an address."""

    def __init__(
        self, envelopes: Envelopes, server: Server, sender: str, *, trust: ssl.SSLContext | None = None
    ) -> None:
        self._envelopes = envelopes
        self._server = server
        self._sender = Address(addr_spec=sender)
        self._trust = trust

    async def send(self, outgoing: Outgoing) -> None:
        try:
            mail = await asyncio.to_thread(self.compose, outgoing)
        except (ValueError, IndexError) as error:
            raise Failed(f"no mail can be made of this: {error}", permanent=True) from error
        try:
            async with asyncio.timeout(DEADLINE):
                await self._hand_in(mail, outgoing.delivery.target)
        except TimeoutError as error:
            raise Failed(f"the SMTP server did not answer within {DEADLINE:g} s", uncertain=True) from error

    def compose(self, outgoing: Outgoing) -> EmailMessage:
        """The mail. Headers are made of whole values, never of text: a line end in one is refused."""
        message, topic = outgoing.message, outgoing.topic
        subscription = outgoing.delivery.subscription
        mail = EmailMessage(policy=SMTP_POLICY)
        mail["From"] = Address(
            _one_line(topic.display_name if topic else ""), self._sender.username, self._sender.domain
        )
        mail["To"] = Address(addr_spec=outgoing.delivery.target)
        mail["Subject"] = _one_line(self._envelopes.email_subject(message))
        mail["Date"] = format_datetime(datetime.fromtimestamp(message.published, UTC))
        mail["Message-ID"] = self.message_id(message.id, outgoing.delivery.id)
        mail["Auto-Submitted"] = "auto-generated"
        if message.kind == Kind.NOTIFICATION:
            mail["List-Unsubscribe"] = f"<{self._envelopes.unsubscribe_url(subscription)}>"
        if outgoing.protocol is Protocol.EMAIL_JSON:
            mail.set_content(json_text(self._envelopes, outgoing))
        else:
            mail.set_content(self._envelopes.email_text(message, topic, subscription))
        return mail

    def message_id(self, message_id: str, delivery_id: int) -> str:
        return f"<{message_id}.{delivery_id}@{self._sender.domain}>"

    async def _hand_in(self, mail: EmailMessage, recipient: str) -> None:
        server = self._server
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            use_tls=server.use_tls,
            start_tls=server.start_tls,
            timeout=STEP_DEADLINE,
            tls_context=self._trust,
        )
        await _log_in(client, server)
        try:
            await client.send_message(mail, sender=self._sender.addr_spec, recipients=[recipient])
        except aiosmtplib.SMTPRecipientsRefused as refused:
            first = refused.recipients[0]
            raise _refusal(first.code, first.message) from refused
        except aiosmtplib.SMTPResponseException as error:
            raise _refusal(error.code, error.message) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise Failed(f"SMTP connection lost: {error}", uncertain=True) from error
        finally:
            client.close()


async def _log_in(client: aiosmtplib.SMTP, server: Server) -> None:
    """Connect and authenticate. Whatever goes wrong here may be put right: it is tried again."""
    try:
        await client.connect()
        if server.username is not None:
            await client.login(server.username, server.password or "")
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        client.close()
        raise Failed(f"the SMTP server cannot be used: {error}") from error


def _refusal(code: int, text: str) -> Failed:
    """4xx may go away, 5xx does not."""
    return Failed(f"SMTP {code}: {text}", permanent=code >= 500)


def json_text(envelopes: Envelopes, outgoing: Outgoing) -> str:
    """The envelope as the text of a mail."""
    subscription = outgoing.delivery.subscription
    return dumps(envelopes.envelope(outgoing.message, outgoing.topic, subscription, outgoing.protocol)) + "\n"


def _one_line(text: str) -> str:
    """Headers have one line, and no control characters."""
    return "".join(character if character.isprintable() else " " for character in text)


def is_address(text: str) -> bool:
    """Whether this is one plain mail address."""
    if len(text) > 254 or not text.isprintable() or any(character in text for character in ' ,;<>"()[]\\:'):
        return False
    local, _, domain = text.rpartition("@")
    if not local or not domain or "@" in local:
        return False
    try:
        Address(addr_spec=text)
    except (ValueError, IndexError):
        return False
    return True
