"""Who is told: a webhook of ours on loopback that notes every arrival, outside the blast radius of what is killed."""

from __future__ import annotations

import json
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, slots=True)
class Arrival:
    """One POST that came in: the envelope (empty where delivery is raw), its headers (lower-case names), its bytes."""

    envelope: dict[str, Any]
    headers: dict[str, str]
    body: bytes = b""

    @property
    def message(self) -> str:
        return str(self.envelope["Message"])

    @property
    def message_id(self) -> str:
        return str(self.envelope["MessageId"])


@dataclass
class Webhook:
    """Confirms subscriptions, keeps notifications. `url` goes into Subscribe."""

    url: str = ""
    arrivals: list[Arrival] = field(default_factory=list)
    #: Requests to confirm a subscription.
    asked: list[Arrival] = field(default_factory=list)
    confirmed: threading.Event = field(default_factory=threading.Event)
    changed: threading.Condition = field(default_factory=threading.Condition)
    #: The status of the next answers; 200 when empty.
    answers: list[int] = field(default_factory=list)

    def wait_for(self, count: int, timeout: float = 30) -> list[Arrival]:
        """At least `count` notifications; raises `AssertionError` with what came."""
        with self.changed:
            if not self.changed.wait_for(lambda: len(self.arrivals) >= count, timeout):
                raise AssertionError(f"{len(self.arrivals)} of {count} came: {[a.message for a in self.arrivals]}")
            return list(self.arrivals)

    def take(self, arrival: Arrival) -> int:
        if arrival.envelope.get("Type") == "SubscriptionConfirmation":
            self.asked.append(arrival)
            threading.Thread(target=self._confirm, args=(arrival.envelope["SubscribeURL"],), daemon=True).start()
            return 200
        with self.changed:
            status = self.answers.pop(0) if self.answers else 200
            self.arrivals.append(arrival)
            self.changed.notify_all()
        return status

    def _confirm(self, url: str) -> None:
        with urllib.request.urlopen(url, timeout=10) as answer:
            answer.read()
        self.confirmed.set()


class LoopbackServer(ThreadingHTTPServer):
    """Does not mind that a client is killed in the middle of a request."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, (ConnectionError, json.JSONDecodeError)):
            super().handle_error(request, client_address)


@contextmanager
def webhook(given: Webhook | None = None) -> Iterator[Webhook]:
    """A webhook that listens on a free port of loopback; `given` where it is to be one of the test's own kind."""
    sink = given or Webhook()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            raw = headers.get("x-amz-sns-rawdelivery") == "true"
            status = sink.take(Arrival({} if raw else json.loads(body), headers, body))
            self.send_response(status)
            self.send_header("content-length", "0")
            if 300 <= status < 400:
                self.send_header("location", sink.url)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = LoopbackServer(("127.0.0.1", 0), Handler)
    sink.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield sink
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
