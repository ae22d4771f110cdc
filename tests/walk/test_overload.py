"""Ten times more is asked for than can be handled: what is too much is told when to come again, what was accepted is
done, and the runtime stays small and is well again soon.

ALIGHT_CHAOS_OVERLOAD says for how many seconds.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.crash.accountant import Books
from tests.crash.rig import BUCKET, NOTES, TOLD_TO_NOBODY, House, rig, say
from tests.support import Instance, eventually, invoke
from tests.walk.making import books, make_function
from tests.walk.test_slowloris import runtime

SECONDS = float(os.environ.get("ALIGHT_CHAOS_OVERLOAD") or 1.5)
#: Connections of callers of the endpoint, and of the function, each with a body of so many bytes: together more than
#: the runtime holds at a time. They come from four addresses, as one alone may not have that many.
CALLERS, BODY = 300, 250_000
#: Objects and events that are asked for each second at most.
RATE = 100
#: One replica, two workers.
NARROW = {"ALIGHT_CONCURRENCY": "2", "ALIGHT_REPLICAS": "1"}
#: A request that is told to come again does so after this (seconds), long before it should.
IMPATIENCE = 0.1
#: So many who are refused show that it was too much; it is tried as often.
ENOUGH, ROUNDS = 50, 10

SLOW = """
import time
def model_fn(folder):
    return None
def predict_fn(data, model):
    time.sleep(0.1)
    return data
"""
BUSY = """
import time
def handler(event, context):
    time.sleep(0.1)
"""


class Asked(NamedTuple):
    """A request as it goes over the wire; `key` where it is to become an event."""

    raw: bytes
    key: str = ""


class Offer:
    """Raw requests, signed once, and what became of them. Those that are to become events are in the books."""

    def __init__(self, instance: Instance, books: Books) -> None:
        self._books = books
        address = urlsplit(instance.url)
        self._host, self._port = address.hostname or "", address.port or 0
        keys = instance.variables
        self._credentials = Credentials(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"])
        self.answers: Counter[tuple[str, int]] = Counter()
        self.rude: list[str] = []
        self.gone: Counter[str] = Counter()
        self.until = 0.0
        self._missing = 0
        self._begun = asyncio.Event()

    def signed(self, service: str, method: str, path: str, body: bytes, **headers: str) -> bytes:
        request = AWSRequest(method, f"http://{self._host}:{self._port}{path}", data=body)
        for name, value in headers.items():
            request.headers[name.replace("_", "-")] = value
        signer = S3SigV4Auth if service == "s3" else SigV4Auth
        signer(self._credentials, service, "us-east-1").add_auth(request)
        head = [f"{method} {path} HTTP/1.1", f"host: {self._host}:{self._port}", f"content-length: {len(body)}"]
        head += [f"{name}: {value}" for name, value in request.headers.items()]
        return "\r\n".join([*head, "", ""]).encode() + body

    @property
    def refused(self) -> int:
        return self.answers["endpoint", 503] + self.answers["function", 429]

    @property
    def accepted(self) -> int:
        """Those that are to become events."""
        return self.answers["put", 200] + self.answers["event", 202]

    async def all_at_once(self, callers: Sequence[tuple[str, Iterator[Asked]]]) -> None:
        """For so long, from when each of them has a connection: that alone may take a busy machine seconds."""
        self._missing, self._begun = len(callers), asyncio.Event()
        await asyncio.gather(*(self._call(*caller, number) for number, caller in enumerate(callers)))

    async def _together(self) -> None:
        self._missing -= 1
        if not self._missing:
            self.until = asyncio.get_running_loop().time() + SECONDS
            self._begun.set()
        await self._begun.wait()

    async def _call(self, kind: str, requests: Iterator[Asked], number: int) -> None:
        """One caller: on a kept connection, one request after the other, until it is over or there are none left."""
        loop = asyncio.get_running_loop()
        is_first = True
        while is_first or loop.time() < self.until:
            try:
                reader, writer = await asyncio.open_connection(
                    self._host, self._port, local_addr=(f"127.0.0.{2 + number % 4}", 0)
                )
                try:
                    if is_first:
                        is_first = False
                        await self._together()
                    while loop.time() < self.until:
                        request = next(requests, None)
                        if request is None:
                            return
                        await self._note("ask", request)
                        writer.write(request.raw)
                        if not await self._answer(kind, reader, request):
                            break
                finally:
                    writer.close()
            except OSError:
                self.gone[kind] += 1
                await asyncio.sleep(IMPATIENCE)

    async def _note(self, kind: str, request: Asked, **more: int) -> None:
        if request.key:
            await asyncio.to_thread(self._books.note, kind, key=request.key, **more)

    async def _answer(self, kind: str, reader: asyncio.StreamReader, request: Asked) -> bool:
        """Whether the connection goes on. Who waits when it is over goes away."""
        try:
            async with asyncio.timeout_at(self.until + 0.5):
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = re.search(r"content-length: (\d+)", head)
                await reader.readexactly(int(length[1]) if length else 0)
        except (TimeoutError, asyncio.IncompleteReadError):
            self.gone[kind] += 1
            return False
        status = int(head.split()[1])
        await self._note("answer", request, status=200 if status < 300 else status)
        self.answers[kind, status] += 1
        if status >= 300:
            if "\r\nretry-after: 1\r\n" not in head:
                self.rude.append(head)
            await asyncio.sleep(IMPATIENCE)
        return "connection: close" not in head


def status_of(pid: int, name: str) -> int:
    """One of the kernel's numbers of a process, in MB."""
    found = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) // 1024


def call_of(offer: Offer, key: str) -> bytes:
    """A call of the function that nobody waits for."""
    path, body = "/2015-03-31/functions/tells/invocations", json.dumps({"key": key}).encode()
    return offer.signed("lambda", "POST", path, body, x_amz_invocation_type="Event")


async def overload(offer: Offer) -> None:
    """All at once, and again where the machine was too busy to be asked for much, or to answer at all."""
    most = int(RATE * SECONDS)
    body = b'"%b"' % (b"x" * BODY)
    puts = (
        Asked(offer.signed("s3", "PUT", f"/{BUCKET}/{key}", b"."), key) for key in map("put-{}".format, range(most))
    )
    events = (Asked(call_of(offer, key), key) for key in map("event-{}".format, range(most)))
    asks = Asked(
        offer.signed("sagemaker", "POST", "/endpoints/same/invocations", body, content_type="application/json")
    )
    calls = Asked(offer.signed("lambda", "POST", "/2015-03-31/functions/busy/invocations", body))
    kinds = {
        "put": puts,
        "event": events,
        "endpoint": itertools.repeat(asks),
        "function": itertools.repeat(calls),
    }
    callers = [
        (kind, requests)
        for kind, requests in kinds.items()
        for _ in range(CALLERS if kind in ("endpoint", "function") else 20)
    ]
    for _ in range(ROUNDS):
        await offer.all_at_once(callers)
        if offer.refused > ENOUGH and offer.accepted:
            break


@pytest.mark.timeout(150 + SECONDS * 25)
def test_ten_times_too_much_is_refused_and_nothing_accepted_is_lost(tmp_path: Path) -> None:
    house = House(NOTES, inference=SLOW, replicas=1, settings=NARROW, terms=TOLD_TO_NOBODY)
    with rig(tmp_path, house) as made:
        instance = made.instance
        assert instance is not None
        make_function(instance, "busy", BUSY)
        lambda_ = instance.client("lambda", read_timeout=30)
        offer = Offer(instance, made.books)
        began = time.monotonic()
        asyncio.run(overload(offer))
        over = time.monotonic()
        invoke(lambda_, FunctionName="busy")
        asked = {"EndpointName": "same", "Body": b"[1]", "ContentType": "application/json"}
        instance.client("sagemaker-runtime").invoke_endpoint(**asked)["Body"].read()
        well = time.monotonic() - over
        eventually(
            lambda: not books(instance)["pending"] + books(instance)["running"], 60 + SECONDS * 20, "the last event"
        )
        drained = time.monotonic() - over
        largest = status_of(runtime(instance), "VmHWM")
        found = made.settle()
    asked_for, taken = Counter[str](offer.gone), Counter[str]()
    for (kind, status), count in offer.answers.items():
        asked_for[kind] += count
        taken[kind] += count if status < 300 else 0
    say(
        found,
        None,
        f"{over - began:.1f} s: answers {dict(sorted(offer.answers.items()))}, gone while they waited "
        f"{dict(offer.gone)}; well again after {well:.1f} s; all handled after {drained:.1f} s; {largest} MB at most",
    )
    assert {status for _, status in offer.answers} <= {200, 202, 429, 503}
    assert offer.rude == [], "told to come again, and not when"
    assert offer.refused > ENOUGH, "nobody was refused"
    slow = asked_for["endpoint"] + asked_for["function"], taken["endpoint"] + taken["function"]
    assert slow[0] > 10 * slow[1], "that was not too much"
    assert found.numbers["of them succeeded"] >= taken["put"] + taken["event"] > 0
    assert found.numbers["of them dead letters"] == 0
    assert largest < 512
    assert well < 10
