"""What a message leaves through, made for tests: an SMTP server and an SMS gateway, both on free ports of loopback."""

from __future__ import annotations

import email
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qsl, unquote

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.walk.sinks import LoopbackServer

T = TypeVar("T")


@dataclass
class Collected(Generic[T]):
    """What came in, noted by a server's thread and waited for by the test's."""

    items: list[T] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def add(self, item: T) -> None:
        with self.changed:
            self.items.append(item)
            self.changed.notify_all()

    def wait(self, wanted: Callable[[T], bool], count: int = 1, timeout: float = 30) -> list[T]:
        """The first `count` that are wanted; raises `AssertionError` with what came instead."""

        def found() -> list[T]:
            return [item for item in self.items if wanted(item)]

        with self.changed:
            if not self.changed.wait_for(lambda: len(found()) >= count, timeout):
                raise AssertionError(f"{len(found())} of {count} came; all: {self.items}")
            return found()


class Mailbox(Collected[EmailMessage]):
    """Takes every mail. `url` goes into ALIGHT_SMTP_URL."""

    url = ""

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        mail = email.message_from_bytes(envelope.content, policy=default)
        assert isinstance(mail, EmailMessage)
        self.add(mail)
        return "250 OK"

    def to(self, address: str, count: int = 1) -> list[EmailMessage]:
        return self.wait(lambda mail: mail["To"] == address, count)


def link_in(text: str, action: str) -> str:
    """The link that does `action`, as a person finds it in a mail."""
    [link] = re.findall(rf"http://[^\s\"]+Action={action}[^\s\"]+", text)
    return str(link)


class AnyPort(Controller):
    """A controller that asks the system for its port, and knocks at the one that it got."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        super()._trigger_server()  # type: ignore[no-untyped-call]


@contextmanager
def mail_server(given: Mailbox | None = None) -> Iterator[Mailbox]:
    box = given if given is not None else Mailbox()
    controller = AnyPort(box, hostname="127.0.0.1", port=0)
    controller.start()
    box.url = f"smtp://127.0.0.1:{controller.port}"
    try:
        yield box
    finally:
        controller.stop()


@dataclass(frozen=True, slots=True)
class Text:
    """One text: the number stands in the path, the rest is the gateway's form."""

    phone: str
    fields: dict[str, Any]


class Phones(Collected[Text]):
    """An SMS gateway that speaks apprise's JSON or form notation."""

    port = 0

    def url(self, notation: str) -> str:
        """For ALIGHT_SMS_URL."""
        return f"{notation}://127.0.0.1:{self.port}/{{phone}}"


@contextmanager
def sms_gateway(given: Phones | None = None) -> Iterator[Phones]:
    phones = given if given is not None else Phones()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
            is_json = self.headers["content-type"].startswith("application/json")
            fields = json.loads(body) if is_json else dict(parse_qsl(body))
            phones.add(Text(unquote(self.path).strip("/"), fields))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = LoopbackServer(("127.0.0.1", 0), Handler)
    phones.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield phones
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
