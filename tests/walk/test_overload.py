"""Ten times more is asked for than can be handled: what is too much is told when to come again, what was accepted is
done, and the runtime stays small and is well again soon.

ALIGHT_CHAOS_OVERLOAD says for how many seconds.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.support import Instance, eventually, invoke, start_alight, sweep
from tests.walk.making import books, let_in, make_endpoint, make_function, make_role
from tests.walk.test_slowloris import runtime

SECONDS = float(os.environ.get("ALIGHT_CHAOS_OVERLOAD") or 1.5)
#: Connections of callers of the endpoint, and of the function, each with a body of so many bytes: together more than
#: the runtime holds at a time. They come from four addresses, as one alone may not have that many.
CALLERS, BODY = 300, 250_000
#: Objects and events that are asked for each second at most.
RATE = 100
#: A request that is told to come again does so after this (seconds), long before it should.
IMPATIENCE = 0.1

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
NOTED = """
def handler(event, context):
    pass
"""


class Offer:
    """Raw requests, signed once, and what became of them."""

    def __init__(self, instance: Instance) -> None:
        address = urlsplit(instance.url)
        self._host, self._port = address.hostname or "", address.port or 0
        keys = instance.variables
        self._credentials = Credentials(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"])
        self.answers: Counter[tuple[str, int]] = Counter()
        self.rude: list[str] = []
        self.gone: Counter[str] = Counter()
        self.until = 0.0

    def signed(self, service: str, method: str, path: str, body: bytes, **headers: str) -> bytes:
        request = AWSRequest(method, f"http://{self._host}:{self._port}{path}", data=body)
        for name, value in headers.items():
            request.headers[name.replace("_", "-")] = value
        signer = S3SigV4Auth if service == "s3" else SigV4Auth
        signer(self._credentials, service, "us-east-1").add_auth(request)
        head = [f"{method} {path} HTTP/1.1", f"host: {self._host}:{self._port}", f"content-length: {len(body)}"]
        head += [f"{name}: {value}" for name, value in request.headers.items()]
        return "\r\n".join([*head, "", ""]).encode() + body

    async def call(self, kind: str, requests: Iterator[bytes], number: int) -> None:
        """One caller: on a kept connection, one request after the other, until it is over or there are none left."""
        loop = asyncio.get_running_loop()
        while loop.time() < self.until:
            try:
                reader, writer = await asyncio.open_connection(
                    self._host, self._port, local_addr=(f"127.0.0.{2 + number % 4}", 0)
                )
                try:
                    while loop.time() < self.until:
                        request = next(requests, b"")
                        if not request:
                            return
                        writer.write(request)
                        if not await self._answer(kind, reader):
                            break
                finally:
                    writer.close()
            except OSError:
                self.gone[kind] += 1
                await asyncio.sleep(IMPATIENCE)

    async def _answer(self, kind: str, reader: asyncio.StreamReader) -> bool:
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


async def overload(offer: Offer) -> None:
    """All at once, for so long."""
    numbers = itertools.count()
    most = int(RATE * SECONDS)
    body = b'"%b"' % (b"x" * BODY)
    puts = (offer.signed("s3", "PUT", f"/pressed/{next(numbers)}", b".") for _ in range(most))
    events = (
        offer.signed("lambda", "POST", "/2015-03-31/functions/noted/invocations", b"{}", x_amz_invocation_type="Event")
        for _ in range(most)
    )
    asks = offer.signed("sagemaker", "POST", "/endpoints/slow/invocations", body, content_type="application/json")
    calls = offer.signed("lambda", "POST", "/2015-03-31/functions/busy/invocations", body)
    offer.until = asyncio.get_running_loop().time() + SECONDS
    kinds = {
        "put": puts,
        "event": events,
        "endpoint": itertools.repeat(asks),
        "function": itertools.repeat(calls),
    }
    await asyncio.gather(
        *(
            offer.call(kind, requests, number)
            for kind, requests in kinds.items()
            for number in range(CALLERS if kind in ("endpoint", "function") else 20)
        )
    )


@pytest.mark.timeout(120 + SECONDS * 25)
def test_ten_times_too_much_is_refused_and_nothing_accepted_is_lost(tmp_path: Path) -> None:
    instance = start_alight(tmp_path / "data", ALIGHT_CONCURRENCY="2", ALIGHT_REPLICAS="1")
    try:
        make_role(instance)
        make_endpoint(instance, "slow", SLOW, replicas=1)
        make_function(instance, "busy", BUSY)
        noted = make_function(instance, "noted", NOTED)
        let_in(instance, noted, "s3", "arn:aws:s3:::*")
        s3, lambda_ = instance.client("s3"), instance.client("lambda", read_timeout=30)
        s3.create_bucket(Bucket="pressed")
        rule = {"LambdaFunctionArn": noted, "Events": ["s3:ObjectCreated:*"]}
        s3.put_bucket_notification_configuration(
            Bucket="pressed", NotificationConfiguration={"LambdaFunctionConfigurations": [rule]}
        )
        offer = Offer(instance)
        began = time.monotonic()
        asyncio.run(overload(offer))
        over = time.monotonic()
        invoke(lambda_, FunctionName="busy")
        asked = {"EndpointName": "slow", "Body": b"[1]", "ContentType": "application/json"}
        instance.client("sagemaker-runtime").invoke_endpoint(**asked)["Body"].read()
        well = time.monotonic() - over
        eventually(
            lambda: not books(instance)["pending"] + books(instance)["running"], 60 + SECONDS * 20, "the last event"
        )
        drained, account = time.monotonic() - over, books(instance)
        largest = status_of(runtime(instance), "VmHWM")
        assert instance.stop() == 0
    finally:
        sweep(instance.process)
    asked_for, taken = Counter[str](offer.gone), Counter[str]()
    for (kind, status), count in offer.answers.items():
        asked_for[kind] += count
        taken[kind] += count if status < 300 else 0
    print(
        f"\n{over - began:.1f} s: answers {dict(sorted(offer.answers.items()))}, gone while they waited "
        f"{dict(offer.gone)}; well again after {well:.1f} s; {taken['put'] + taken['event']} events accepted, all "
        f"handled after {drained:.1f} s; {largest} MB at most"
    )
    assert {status for _, status in offer.answers} <= {200, 202, 429, 503}
    assert offer.rude == [], "told to come again, and not when"
    assert offer.answers["endpoint", 503] + offer.answers["function", 429] > 50, "nobody was refused"
    slow = asked_for["endpoint"] + asked_for["function"], taken["endpoint"] + taken["function"]
    assert slow[0] > 10 * slow[1], "that was not too much"
    assert account["succeeded"] >= taken["put"] + taken["event"] > 0
    assert account["dead"] == 0
    assert largest < 512
    assert well < 10
