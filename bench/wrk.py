"""wrk, which asks with requests that were written, and signed, beforehand: the client costs next to nothing."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bench.case import Counted, Size
from bench.raw import Connection

SCRIPT = Path(__file__).with_name("wrk.lua")


@dataclass(frozen=True)
class Requests:
    """Request number n is head n and body n, modulo how many there are."""

    heads: Sequence[bytes]
    bodies: Sequence[bytes] = (b"",)


def post(url: str, bodies: Sequence[bytes], kind: str) -> Requests:
    """Unsigned POSTs."""
    to = urlsplit(url)
    heads = [
        f"POST {to.path or '/'} HTTP/1.1\r\nHost: {to.netloc}\r\nOrigin: http://{to.netloc}\r\n"
        f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        for body in bodies
    ]
    return Requests(heads, bodies)


def answers(url: str, requests: Requests, right: Sequence[bytes | Callable[[bytes], bool]]) -> None:
    """Asks the first of them one by one; raises where an answer is not as expected."""
    for number, expected in enumerate(right):
        with Connection(url) as connection:
            status, body = connection.ask(requests.heads[number], requests.bodies[number % len(requests.bodies)])
        good = expected(body) if callable(expected) else body == expected
        if status != 200 or not good:
            raise RuntimeError(f"{url} answered request {number} with {status} {body[:500]!r}")


def warm(url: str, requests: Requests, size: Size) -> None:
    """Not counted: whoever is asked has started what it needs."""
    if size.warm:
        load(url, requests, size.clients, size.warm)


def many_and_one(url: str, requests: Requests, size: Size, many: str, one: str) -> dict[str, Callable[[int], Counted]]:
    """The loads of a door: by as many clients as `size` says, and by one."""
    return {
        many: lambda number: load(url, requests, size.clients, size.seconds),
        one: lambda number: load(url, requests, 1, size.seconds),
    }


def load(url: str, requests: Requests, connections: int, seconds: float) -> Counted:
    """So many connections, each asking again as soon as it is answered; whole seconds."""
    with tempfile.TemporaryDirectory() as name:
        files = Path(name, "heads"), Path(name, "bodies")
        for file, parts in zip(files, (requests.heads, requests.bodies), strict=True):
            file.write_bytes(b"".join(b"%d\n%s" % (len(part), part) for part in parts))
        command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "10s"]
        answer = subprocess.run(
            [*command, "-s", SCRIPT, url, "--", *files], check=True, capture_output=True, text=True
        )  # fmt: skip
    found = json.loads(answer.stdout.splitlines()[-1])
    wrong = {"errors": found["errors"]} if found["errors"] else {}
    return Counted(found["per_second"], found["p50"], found["p99"], found["requests"], wrong)
