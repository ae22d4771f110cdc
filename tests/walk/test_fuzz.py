"""Whatever is sent to the whole application, signed by its owner, is answered in the words of AWS: never a 5xx, never a
crash. It runs in this process, without a socket, so that thousands of requests take seconds.

ALIGHT_CHAOS_FUZZ=20000 is the long form; ALIGHT_TEST_SEED repeats one.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from botocore.credentials import Credentials
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from alight import app, credentials
from alight.assembly import entrance
from alight.errors import Fault
from alight.events import match
from alight.gateway.server import Server
from alight.notifications import filter_rules, filters
from alight.services.logs import patterns
from alight.settings import Settings
from tests.fuzz.mangling import mangled
from tests.unit.gateway.asking import Asked, asked_for
from tests.unit.gateway.signing import sha256, signed_scope
from tests.wire.served import Run, loop_in_a_thread

EXAMPLES = int(os.environ.get("ALIGHT_CHAOS_FUZZ", "800"))
pytestmark = pytest.mark.timeout(120 + EXAMPLES // 10)
SEED = int(os.environ.get("ALIGHT_TEST_SEED") or random.Random().randrange(2**32))
FUZZ = settings(max_examples=EXAMPLES // 4, deadline=None, database=None, suppress_health_check=list(HealthCheck))
#: These wait for what may come, as they are asked to.
PATIENT = {("sqs", "ReceiveMessage"), ("logs", "StartLiveTail")}


class House:
    """The application without its socket. (No dataclass: of those Hypothesis shows all that they hold.)"""

    def __init__(self, run: Run, gateway: Any, keys: Credentials, data: Path, clock: Callable[[], float]) -> None:
        self.run = run
        self.gateway = gateway
        self.keys = keys
        self.data = data
        self.clock = clock
        self.statuses = Counter[int]()

    def __repr__(self) -> str:
        return "house"

    def ask(self, scope: dict[str, Any], body: bytes, length: bool = True) -> tuple[int, bytes]:
        if length:
            scope["headers"] = [pair for pair in scope["headers"] if pair[0] != b"content-length"]
            scope["headers"].append((b"content-length", b"%d" % len(body)))
        status, answer = self.run(asyncio.wait_for(self._ask(scope, body), 20))
        self.statuses[status] += 1
        return status, answer

    async def _ask(self, scope: dict[str, Any], body: bytes) -> tuple[int, bytes]:
        sent: list[Any] = []
        asked = False

        async def receive() -> Any:
            nonlocal asked
            if asked:
                await asyncio.Event().wait()  # the client stays until it has its answer
            asked = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.gateway(scope, receive, send)
        return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])

    def signed(self, method: str, url: str, body: bytes = b"", **more: Any) -> dict[str, Any]:
        said = more.pop("said", sha256(body))
        return signed_scope(method, url, body, said=said, credentials=self.keys, when=self.clock(), **more)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    data = tmp_path_factory.mktemp("fuzz") / "data"
    caught: list[Any] = []
    ready, stopping = asyncio.Event(), asyncio.Event()

    class NoServer(Server):
        def __init__(self) -> None:
            self.port = 4566

        async def stop(self, grace: float = 5.0) -> None:
            """There is no socket."""

    async def no_socket(gateway: Any, store: Any, exits: Any) -> Server:
        caught.extend((gateway, store))
        store.address.port = 4566
        return NoServer()

    with (
        loop_in_a_thread() as run,
        patch.object(entrance, "open_sockets", no_socket),
        patch.object(app, "announce", lambda store: ready.set()),
        patch.object(app, "say", lambda text: None),
    ):

        async def begin() -> asyncio.Task[None]:
            task = asyncio.create_task(app.run(Settings(data=data, port=0, worker_sandbox="none"), None, stopping))
            waiting = asyncio.create_task(ready.wait())
            await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            return task

        async def end() -> None:
            stopping.set()
            await living

        living = run(begin())
        own = credentials.load(data)
        house = House(run, caught[0], Credentials(own.access_key_id, own.secret_access_key), data, caught[1].clock.now)
        try:
            yield house
        finally:
            run(end())
            total = sum(house.statuses.values())
            print(f"\nseed {SEED}: {total} requests to the whole application: {dict(sorted(house.statuses.items()))}")


@pytest.fixture(autouse=True)
def no_fault_of_ours(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """What would be a 500 is also written down with its place: it is shown with the failure."""
    yield
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR], caplog.text[-4000:]


def answered(status: int, answer: bytes) -> bool:
    """In AWS's words; 501 is what Alight refuses by name, 424 a model's error."""
    return status < 500 or (status == 501 and (b"Alight" in answer or not answer))


def numbers() -> st.SearchStrategy[int]:
    return st.integers(0, 2**32)


@FUZZ
@seed(SEED)
@given(which=numbers(), number=numbers())
def test_operations(house: House, which: int, number: int) -> None:
    """Any operation with members of its shapes, which fit nothing that is there; and then that request, mangled."""
    chance = random.Random(number)
    asked = asked_for(which, str(number))
    if (asked.service, asked.operation) in PATIENT:
        return
    body = mangled(chance, asked.body) if asked.body and number % 4 else asked.body
    scope = scope_of(house, asked, body)
    if number % 3 == 0:
        part = chance.choice(["raw_path", "query_string", *range(len(scope["headers"]))])
        if isinstance(part, int):
            name, value = scope["headers"][part]
            scope["headers"][part] = (name, mangled(chance, value))
        else:
            scope[part] = mangled(chance, scope[part])
    status, answer = house.ask(scope, body)
    assert answered(status, answer), (asked.name, body, status, answer)


def scope_of(house: House, asked: Asked, body: bytes) -> dict[str, Any]:
    return house.signed(asked.method, asked.url, body, service=asked.signing, headers=dict(asked.headers))


ODD = [
    "..",
    ".",
    "/",
    "//",
    "a",
    "\x00",
    "%2e",
    "%00",
    "\\",
    "alight.db",
    "é",
    "\U0001f989",
    "x" * 300,
    "?",
    "#",
    "+",
    " ",
]
KEYS = st.text(min_size=1, max_size=40) | st.lists(st.sampled_from(ODD), min_size=1, max_size=6).map("".join)


def test_keys_of_objects(house: House) -> None:
    """A key is never a path: what was stored is read back under it, and nothing else comes to be on the disk."""
    house.ask(house.signed("PUT", "/keys"), b"")

    @FUZZ
    @seed(SEED)
    @given(key=KEYS, number=numbers())
    def stored(key: str, number: int) -> None:
        try:
            raw = key.encode()
        except UnicodeEncodeError:
            raw = b"\xed\xa0\x80"
        letters = (f"%{byte:02X}" if number % 2 or not chr(byte).isalnum() else chr(byte) for byte in raw)
        url, content = "/keys/" + "".join(letters), b"content of %d" % number
        status, answer = house.ask(house.signed("PUT", url, content), content)
        assert answered(status, answer), (key, answer)
        read, found = house.ask(house.signed("GET", url), b"")
        assert (read, found) == (200, content) if status == 200 else read >= 400, (key, status, read, found)
        status, answer = house.ask(house.signed("DELETE", url), b"")
        assert answered(status, answer)
        assert {path.name for path in house.data.parent.iterdir()} == {"data"}

    stored()
    assert house.statuses[200] > EXAMPLES // 8  # most of them are good keys


@FUZZ
@seed(SEED)
@given(number=numbers())
def test_chunks_and_signatures(house: House, number: int) -> None:
    """aws-chunked bodies, signed or not, with and without trailers; and Authorization headers."""
    chance = random.Random(number)
    house.ask(house.signed("PUT", "/chunks"), b"")
    kind = chance.choice(["STREAMING-UNSIGNED-PAYLOAD-TRAILER", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
                          "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", "UNSIGNED-PAYLOAD", "nonsense"])  # fmt: skip
    content = b"x" * chance.choice([0, 1, 100, 9000])
    frames = b"%x\r\n%b\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n" % (len(content), content)
    if "HMAC" in kind:
        frames = b"%x;chunk-signature=%b\r\n%b\r\n0;chunk-signature=%b\r\n\r\n" % (
            len(content), b"0" * 64, content, b"0" * 64)  # fmt: skip
    headers = {"content-encoding": "aws-chunked", "x-amz-decoded-content-length": str(len(content))}
    headers |= {"x-amz-trailer": "x-amz-checksum-crc32"} if "TRAILER" in kind else {}
    body = mangled(chance, frames)
    scope = house.signed("PUT", "/chunks/k", body, said=kind, headers=headers)
    for at, (name, value) in enumerate(scope["headers"]):
        if name.startswith((b"authorization", b"x-amz")) and chance.random() < 0.2:
            scope["headers"][at] = (name, mangled(chance, value))
    status, answer = house.ask(scope, body, length=chance.random() < 0.9)
    assert answered(status, answer), (kind, body, status, answer)


WORDS = st.sampled_from(
    [
        "prefix",
        "suffix",
        "anything-but",
        "numeric",
        "exists",
        "cidr",
        "equals-ignore-case",
        "wildcard",
        "$or",
        "=",
        "a",
        "",
    ]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | WORDS
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=12,
)
#: Near to what is meant: operators with operands of all kinds.
NUMERIC = st.lists(st.sampled_from(["=", "<", "<=", ">", ">="]) | st.integers(-9, 9) | st.floats(), max_size=4)
GOOD_NUMERIC = st.tuples(st.sampled_from(["=", "<", "<=", ">", ">="]), st.integers(-9, 9)).map(list)
RULES = (
    LEAVES
    | st.fixed_dictionaries({"numeric": NUMERIC | GOOD_NUMERIC})
    | st.dictionaries(WORDS, LEAVES | st.lists(LEAVES, max_size=3), min_size=1, max_size=1)
    | st.sampled_from(["10.0.0.0/8", "::/0", "999.0.0.0/99"]).map(lambda text: {"cidr": text})
)
PATTERNS = CONDITIONS | st.lists(RULES, min_size=1, max_size=3)
TEXTS = st.text(st.sampled_from('{}[]()"$.*%?-=!<>&| a1e9\\,…'), max_size=40)


@FUZZ
@seed(SEED)
@given(pattern=PATTERNS, document=CONDITIONS, text=TEXTS)
def test_patterns(pattern: Any, document: Any, text: str) -> None:
    """Filter policies, event patterns, patterns of logs, rules of buckets are refused, or they match or do not."""
    for scope in ("MessageAttributes", "MessageBody"):
        for written in (json.dumps(pattern), json.dumps({"a": pattern}), text):
            try:
                policy = filter_rules.read_policy(written, scope)
            except (Fault, filter_rules.PolicyError):
                continue
            filters.wants(policy, scope, json.dumps(document), {"a": {"Type": "String.Array", "Value": text}})
            for shown in (document, {"a": document}, {"a": [1, "a", "10.1.1.1", None]}):
                filters.matches(policy, shown if isinstance(shown, dict) else {"b": shown})
    try:
        wants = patterns.compile_pattern(text)
    except Fault:
        pass
    else:
        wants(json.dumps(document))
        wants(text)
    rule = {"Id": "i", "QueueArn": "q", "Events": [text or "s3:*"],
            "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": text}]}}}  # fmt: skip
    for one in match.rules({"QueueConfigurations": [rule]}):
        match.wants(one, "ObjectCreated:Put", text)
