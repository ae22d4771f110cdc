"""A webhook receiver for benchmarks: confirms subscriptions and notes when each message arrives."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Receiver:
    """Listens on loopback; `arrived[text]` holds the arrival times of each message text (perf_counter seconds)."""

    def __init__(self) -> None:
        self.arrived: dict[str, list[float]] = {}
        self.confirmed = threading.Event()
        self._changed = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/"

    def wait(self, texts: set[str], timeout: float) -> bool:
        """True once each of `texts` is a part of some message; False after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while not texts <= self.arrived.keys():
                if not self._changed.wait(max(0.0, deadline - time.monotonic())):
                    return texts <= self.arrived.keys()
        return True

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _take(self, envelope: dict[str, Any], moment: float) -> None:
        if envelope.get("Type") == "SubscriptionConfirmation":
            threading.Thread(target=self._confirm, args=(envelope["SubscribeURL"],), daemon=True).start()
            return
        key = envelope["Message"].split("[")[1].split("]")[0]
        with self._changed:
            self.arrived.setdefault(key, []).append(moment)
            self._changed.notify_all()

    def _confirm(self, url: str) -> None:
        with urllib.request.urlopen(url) as answer:
            answer.read()
        self.confirmed.set()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                moment = time.perf_counter()
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()
                receiver._take(json.loads(body), moment)

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        return Handler
