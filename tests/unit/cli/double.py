"""A double of the running instance over real HTTP: admin API and object PUTs, with canned answers.

Used inside a test (`Double`), or as a process in the runtime's place: `python double.py --data DIR`, which says that it
is ready, takes pictures, and puts a message into its outbox for each (but for keys that hold "silent"). Its API answers
reviews: 1 where they hold "good", 503 where they hold "silent", else 0.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from alight import credentials


@dataclass
class Asked:
    """One request that the double has got."""

    method: str
    path: str
    token: str
    body: Any


@dataclass
class Answers:
    """What is answered: by `METHOD path`; a list is sent as JSON lines."""

    by_path: dict[str, Any] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    deliveries: list[dict[str, Any]] = field(default_factory=list)
    put: dict[str, tuple[str, bytes]] = field(default_factory=dict)


class Double(ThreadingHTTPServer):
    """Listens on a free port and writes `instance.json` and `credentials.json` into `data`."""

    daemon_threads = True
    answers: Answers

    def __init__(self, data: Path, answers: Answers) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = answers
        self.url = f"http://127.0.0.1:{self.server_port}"
        data.mkdir(parents=True, exist_ok=True)
        self.keys = credentials.load_or_create(data)
        facts = {"url": self.url, "pid": os.getpid(), "started": 1_700_000_000.5, "version": "0.1.0"}
        (data / "instance.json").write_text(json.dumps(facts))

    def __enter__(self) -> Double:
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *args: Any) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    server: Double

    def do_GET(self) -> None:
        self._answer(None)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/api":
            self._send(503 if b"silent" in body else 200, b"1" if b"good" in body else b"0")
        else:
            self._answer(json.loads(body))

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        key = unquote(self.path).split("/", 2)[2]
        self.server.answers.put[key] = (self.headers["Content-Type"], body)
        if "silent" not in key:
            number = len(self.server.answers.deliveries)
            text = f"Bird [{key}] is a: Double(0.9{number})"
            self.server.answers.deliveries.insert(0, {"id": number, "state": "held", "body": text})
        self._send(200, b"")

    def _answer(self, body: Any) -> None:
        answers = self.server.answers
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        path = self.path.removeprefix("/_alight/api/")
        answers.asked.append(Asked(self.command, path, token, body))
        if token != self.server.keys.admin_token:
            self._send(403, b'{"error": "Wrong token.", "hint": ""}')
            return
        if path == "console" and "POST console" not in answers.by_path:
            self._send(200, json.dumps({"url": f"{self.server.url}/_alight/console/login?token=t"}).encode())
            return
        if path.partition("?")[0] == "outbox" and "GET outbox" not in answers.by_path:
            self._send(200, json.dumps({"deliveries": answers.deliveries}).encode())
            return
        known = answers.by_path.get(f"{self.command} {path.partition('?')[0]}")
        if isinstance(known, list):
            self._send(200, b"".join(json.dumps(item).encode() + b"\n" for item in known))
        elif known is None:
            self._send(404, b'{"error": "There is no such thing.", "hint": "Look again."}')
        else:
            self._send(200, json.dumps(known).encode())

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


def serve(words: list[str]) -> None:
    given = dict(zip(words[::2], words[1::2], strict=True))
    answers = Answers()
    with Double(Path(given["--data"]), answers) as double:
        outputs = {"BucketName": "box", "ApiUrl": f"{double.url}/api", "WebsiteUrl": f"{double.url}/site/"}
        answers.by_path["GET outputs"] = outputs
        sys.stdout.write(f"Alight ready at {double.url}\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    serve(sys.argv[1:])
