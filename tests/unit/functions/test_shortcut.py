"""The short way home is the same way: each call is made by a worker with plain boto3, by one with quick boto3, and by
one that has a hatch. All get the same results and errors and send the same bytes, apart from times and signatures."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from alight.clock import SystemClock
from alight.functions.hatch import Asked
from alight.functions.pool import FunctionPool
from alight.gateway.encode import Response
from alight.gateway.eventstream import frame
from tests.unit.functions.bench import Bench, answer, fake_credentials, until

HANDLER = '''
import datetime, io, os, sys, threading
import boto3
from botocore.config import Config
from botocore.stub import Stubber

def client(service, attempts=1, **more):
    return boto3.client(service, config=Config(retries={"total_max_attempts": attempts, "mode": "standard"}, **more))

s3, runtime, sns = client("s3"), client("sagemaker-runtime"), client("sns")
hasty, patient = client("s3", read_timeout=1.0), client("s3", attempts=2)
TOPIC = "arn:aws:sns:us-east-1:000000000000:t"
seen = []
s3.meta.events.register("before-send.s3.HeadObject", lambda request, **_: seen.append(request.method))
s3.meta.events.register("after-call.s3.HeadObject", lambda parsed, **_: seen.append(parsed["ContentLength"]))

def get(key, of=s3):
    return of.get_object(Bucket="birds", Key=key)

def whole(key):
    return get(key)["Body"].read()

def told():
    """Read at once, and then asked how far it has been read."""
    body = get("card")["Body"]
    return body.read(), body.tell(), body.read(), body._raw_stream.status

def head():
    del seen[:]
    return s3.head_object(Bucket="birds", Key="card"), list(seen)

def left():
    """A stream that nobody reads to its end is no part of the next answer."""
    get("large")["Body"].read(10)
    body = get("large")["Body"]
    first = body.read(10)
    body.close()
    return first, whole("card")

def let_go():
    """Nor one whose connection is given back too early."""
    body = get("large")["Body"]
    body.read(10)
    body._raw_stream.release_conn()
    return whole("card")

def at_once():
    found = {}
    def one(number):
        found[number] = [whole("echo-%d-%d" % (number, again)) for again in range(5)]
    threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(found.items())

def after_fork():
    whole("card")
    child = os.fork()
    if child == 0:
        os._exit(0 if whole("echo-child") == b"echo-child" else 1)
    return [whole("echo-parent-%d" % number) for number in range(3)], os.waitpid(child, 0)[1]

def stubbed():
    with Stubber(sns) as stub:
        stub.add_response("publish", {"MessageId": "m"}, {"TopicArn": TOPIC, "Message": "x"})
        return sns.publish(TopicArn=TOPIC, Message="x")

def streamed():
    reply = runtime.invoke_endpoint_with_response_stream(EndpointName="birds", Body=b"x")
    return [part["PayloadPart"]["Bytes"] for part in reply["Body"]]

def pages():
    return [c["Key"] for p in s3.get_paginator("list_objects_v2").paginate(Bucket="pages") for c in p["Contents"]]

def elsewhere():
    os.environ["HTTP_PROXY"] = os.environ["AWS_ENDPOINT_URL"]
    try:
        return client("s3").get_object(Bucket="birds", Key="card")["Body"].read()
    finally:
        del os.environ["HTTP_PROXY"]

SCENARIOS = {
    "whole": lambda: whole("card"),
    "told": told,
    "members": lambda: {k: v for k, v in get("card").items() if k != "Body"},
    "no body": lambda: whole("empty"),
    "head": head,
    "deleted": lambda: s3.delete_object(Bucket="birds", Key="gone"),
    "in pieces": lambda: list(get("large")["Body"].iter_chunks(7000)),
    "by lines": lambda: list(get("lines")["Body"].iter_lines()),
    "chunked": lambda: whole("chunked"),
    "until the end": lambda: whole("until-the-end"),
    "left": left,
    "let go": let_go,
    "missing": lambda: whole("missing"),
    "missing head": lambda: s3.head_object(Bucket="birds", Key="missing"),
    "asked again": lambda: (get("ails-once", patient)["ResponseMetadata"]["RetryAttempts"]),
    "ails": lambda: whole("ails"),
    "hangs up": lambda: whole("hangs-up"),
    "breaks off": lambda: get("breaks-off")["Body"].read(),
    "no http": lambda: whole("no-http"),
    "silent": lambda: get("silent", hasty)["Body"].read(),
    "stops": lambda: get("stops", hasty)["Body"].read(),
    "closes after": lambda: whole("closes-after"),
    "closed meanwhile": lambda: whole("card"),
    "says close": lambda: (whole("says-close"), whole("card")),
    "put": lambda: s3.put_object(Bucket="birds", Key="new", Body=b"b" * 300_000, Metadata={"note": "two  words"}),
    "put text": lambda: s3.put_object(Bucket="birds", Key="Kärpäs lintu;#?%.txt", Body="ä"),
    "put file": lambda: s3.put_object(Bucket="birds", Key="file", Body=io.BytesIO(b"f" * 2_000_000)),
    "refused early": lambda: s3.put_object(Bucket="birds", Key="refused", Body=b"r" * 5_000_000),
    "continued": lambda: whole("continued"),
    "pages": pages,
    "listed": lambda: s3.list_objects_v2(Bucket="pages"),
    "twice a header": lambda: get("twice")["ResponseMetadata"]["HTTPHeaders"]["x-note"],
    "invoke": lambda: runtime.invoke_endpoint(EndpointName="birds", Body=b"\\xff" * 100_000)["Body"].read(),
    "streamed": streamed,
    "publish": lambda: sns.publish(TopicArn=TOPIC, Message="ä\\r\\nb & c"),
    "bad header": lambda: s3.put_object(Bucket="birds", Key="k", Body=b"", ContentType="a\\r\\nHost: b"),
    "stubbed": stubbed,
    "presigned": lambda: s3.generate_presigned_url("get_object", Params={"Bucket": "b", "Key": "k"}).partition("?")[0],
    "at once": at_once,
    "after fork": after_fork,
    "elsewhere": elsewhere,
}

def handler(event, context):
    if event == "names":
        return list(SCENARIOS)
    if event == "quick":
        return sys.modules["botocore.httpsession"].URLLib3Session.send.__globals__["__name__"] == "alight_shortcut"
    try:
        return repr(SCENARIOS[event]())
    except Exception as problem:
        return type(problem).__name__ + ": " + str(problem)
'''
DATE = b"Date: Sun, 29 Nov 2026 09:00:00 GMT\r\n"
LARGE = bytes(range(256)) * 1500
MISSING = b"<Error><Code>NoSuchKey</Code><Message>There is none.</Message></Error>"


def reply(status: str, body: bytes = b"", head: bytes = b"") -> bytes:
    return b"HTTP/1.1 " + status.encode() + b"\r\n" + DATE + head + b"Content-Length: %d\r\n\r\n" % len(body) + body


class Server:
    """Answers by the last step of the path, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str], bytes]] = []
        self.connections = 0
        self.closed = asyncio.Event()
        self.hatched = 0
        self._ailed = 0
        card = b'ETag: "e"\r\nLast-Modified: Sat, 28 Nov 2026 23:59:59 GMT\r\nContent-Type: image/jpeg\r\n'
        self._replies: dict[str, bytes] = {
            "card": reply("200 OK", b"card" * 1000, card),
            "empty": reply("200 OK"),
            "gone": reply("204 No Content").replace(b"Content-Length: 0\r\n", b""),
            "large": reply("200 OK", LARGE),
            "lines": reply("200 OK", b"one\ntwo\r\n\nlast"),
            "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n",
            "until-the-end": b"HTTP/1.1 200 OK\r\n\r\nall of it",
            "missing": reply("404 Not Found", MISSING),
            "ails": reply("503 Slow Down", b"<Error><Code>SlowDown</Code></Error>"),
            "hangs-up": b"",
            "breaks-off": reply("200 OK", b"x" * 20_000)[:9_000],
            "no-http": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
            "stops": reply("200 OK", b"y" * 20_000)[:9_000],
            "closes-after": reply("200 OK", b"closing"),
            "says-close": reply("200 OK", b"closing", b"Connection: close\r\n"),
            "continued": b"HTTP/1.1 100 Continue\r\nLink: x\r\n\r\n" + reply("200 OK", b"later"),
            "twice": reply("200 OK", b"", b"X-Note: one\r\nx-note: two\r\n"),
            "refused": reply(
                "403 Forbidden",
                b"<Error><Code>AccessDenied</Code><Message>No.</Message></Error>",
                b"Connection: close\r\n",
            ),
            "invocations": reply("200 OK", b"[0.5]", b"Content-Type: application/json\r\n"),
            "invocations-response-stream": self._stream(),
            "": reply(
                "200 OK", b"<PublishResponse><PublishResult><MessageId>m</MessageId></PublishResult></PublishResponse>"
            ),
        }

    #: After these the connection is closed.
    CLOSING = frozenset(("hangs-up", "breaks-off", "no-http", "closes-after", "says-close", "until-the-end"))

    @staticmethod
    def _stream() -> bytes:
        parts = [
            frame({":message-type": "event", ":event-type": "PayloadPart"}, payload)
            for payload in (b"one", b"two" * 50)
        ]
        chunks = b"".join(b"%x\r\n" % len(part) + part + b"\r\n" for part in parts)
        kind = b"Content-Type: application/vnd.amazon.eventstream\r\nTransfer-Encoding: chunked\r\n\r\n"
        return b"HTTP/1.1 200 OK\r\n" + kind + chunks + b"0\r\n\r\n"

    def _answer(self, method: str, target: str) -> bytes:
        path, _, query = target.partition("?")
        name = path.rpartition("/")[2]
        if name.startswith("echo-"):
            return reply("200 OK", name.encode())
        if name == "ails-once":
            self._ailed += 1
            return self._replies["ails" if self._ailed % 2 else "card"]
        if name == "pages":
            second = "continuation-token" in query
            more = b"<IsTruncated>false</IsTruncated>" if second else (
                b"<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>"
            )  # fmt: skip
            keys = b"<Contents><Key>k%d</Key><LastModified>2026-11-29T09:00:00.000Z</LastModified></Contents>" % second
            return reply("200 OK", b"<ListBucketResult>" + more + keys + b"</ListBucketResult>")
        found = self._replies.get(name, reply("200 OK"))
        return found.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if method == "HEAD" else found

    async def by_hatch(self, key: str, token: str, asked: Asked) -> Response | None:
        """The same answers without HTTP; for what is special about HTTP, and for bodies that come in pieces, none."""
        name = asked.target.partition("?")[0].rpartition("/")[2]
        answer = self._answer(asked.method, asked.target)
        head, _, body = answer.partition(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        if name in self.CLOSING | {"silent", "stops", "continued", "refused"} or b"chunked" in head:
            self._ailed -= name == "ails-once"
            return None
        self.hatched += 1
        assert (key, token) == (asked.headers["authorization"].split("=")[1].split("/")[0], "token-of-birds-role")
        line = f"{asked.method} {asked.target} HTTP/1.1"
        self.asked.append((line, dict(sorted(asked.headers.items())), asked.body))
        headers = [(name.lower(), value) for name, _, value in (line.partition(b": ") for line in lines)]
        return Response(int(first.split()[1]), headers, pieces(body) if name == "large" else body, len(body))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await self._one(reader, writer):
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            self.closed.set()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = dict(sorted((n.lower(), v) for n, _, v in (line.partition(": ") for line in head[1:-2])))
        method, target, _ = head[0].split(" ")
        name = target.partition("?")[0].rpartition("/")[2]
        if name == "refused":  # the client asks before it sends its body, and then does not
            writer.write(self._replies[name])
            body = await reader.read()
        else:
            if "expect" in headers:
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.asked.append((head[0], headers, body))
        if name == "refused":
            return False
        if name in ("silent", "stops"):
            writer.write(self._replies["stops"] if name == "stops" else b"")
            await reader.read()  # until the client has had enough
            return False
        writer.write(self._answer(method, target))
        return name not in self.CLOSING


#: What is another at each call.
CHANGING = re.compile(r"amz-sdk-invocation-id|x-amzn-trace-id|x-amz-date|amz-sdk-request")


def comparable(asked: list[tuple[str, dict[str, str], bytes]]) -> list[Any]:
    lines = []
    for line, headers, body in asked:
        kept = {name: value for name, value in headers.items() if not CHANGING.fullmatch(name)}
        # A set's order is another in each process.
        kept["user-agent"] = re.sub(r" m/(\S+)", lambda found: " m/" + "".join(sorted(found[1])), kept["user-agent"])
        kept["host"] = without_times(kept["host"])
        kept["authorization"] = re.sub(r"ASIA\w+|(?<=Signature=)\w+", "", kept.get("authorization", ""))
        lines.append((without_times(line), kept, body))
    return lines


def without_times(text: str) -> str:
    return re.sub(r"127\.0\.0\.1:\d+|0x[0-9a-f]+|read timeout=\S+", "", text)


async def pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 50_000):
        yield body[start : start + 50_000]


async def told(folder: Path, quick: bool, hatch: bool = False) -> dict[str, tuple[Any, ...]]:
    """Each scenario's result, what the server was asked for it, over how many new connections, and how often by the
    hatch."""
    server = Server()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, limit=2**24)
    port = listening.sockets[0].getsockname()[1]
    pool = FunctionPool(
        limit=1,
        idle_timeout=60.0,
        clock=SystemClock(),
        folder=folder / f"data-{quick}-{hatch}",
        credentials=fake_credentials,
        endpoint_url=lambda: f"http://127.0.0.1:{port}",
        log=lambda *line: None,
        quick_boto3=quick,
    )
    pool.calls = server.by_hatch if hatch else None
    bench = Bench(folder, pool)
    spec = bench.spec(HANDLER, name=f"quick-{quick}-{hatch}", timeout=30.0)
    found: dict[str, tuple[Any, ...]] = {}
    try:
        assert answer(await bench.call(spec, b'"quick"')) is quick
        for name in answer(await bench.call(spec, b'"names"')):
            if name == "after fork" and not quick:
                continue  # both would use one connection, and wait for each other's answers
            server.asked.clear()
            server.connections = server.hatched = 0
            server.closed.clear()
            said = answer(await bench.call(spec, json.dumps(name).encode()))
            if name in ("closes after", "refused early"):
                await server.closed.wait()
            if name in ("silent", "stops"):
                # The client may have gone before the server reads what it asked.
                await until(lambda: bool(server.asked))
            found[name] = (without_times(said), comparable(server.asked), server.connections, server.hatched)
    finally:
        await pool.close()
        listening.close()
    return found


@pytest.fixture(scope="module")
def all_ways(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Any, Any, Any]]:
    folder = tmp_path_factory.mktemp("shortcut")
    ways = ((False, False), (True, False), (True, True))
    plain, quick, hatched = (asyncio.run(told(folder, *way)) for way in ways)
    plain["after fork"] = ("([b'echo-parent-0', b'echo-parent-1', b'echo-parent-2'], 0)", None, None)
    assert set(plain) == set(quick) == set(hatched) == set(SCENARIOS)
    return lambda name: (plain[name], quick[name], hatched[name])


SCENARIOS = tuple(re.findall(r'^    "([^"]+)": ', HANDLER, re.MULTILINE))


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_short_way_is_the_same_way(name: str, all_ways: Callable[[str], tuple[Any, Any, Any]]) -> None:
    plain, quick, _ = all_ways(name)
    assert quick[0] == plain[0]
    if name == "after fork":
        assert quick[2] == 1, "the child has a connection of its own"
    assert quick[1] == plain[1] or name in ("at once", "after fork")


#: What is signed over HTTP and not by the hatch, and what HTTP says of a body.
SIGNED = {"authorization", "x-amz-content-sha256", "x-amz-security-token", "accept-encoding"}
#: Goes the usual way as a whole: with `Expect`, through a proxy, an answer in pieces, or no request at all.
USUAL = {"bad header", "elsewhere", "presigned", "put", "put file", "put text", "refused early", "streamed", "stubbed"}
USUAL |= {"breaks off", "chunked", "closes after", "continued", "hangs up", "no http", "silent", "stops"}
USUAL |= {"until the end"}


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_hatch_is_the_same_way(name: str, all_ways: Callable[[str], tuple[Any, Any, Any]]) -> None:
    plain, _, hatched = all_ways(name)
    assert hatched[0] == plain[0]
    assert (hatched[3] > 0) is (name not in USUAL)
    if name in ("at once", "after fork"):
        return
    unsigned = [
        [(line, {k: v for k, v in headers.items() if k not in SIGNED}, body) for line, headers, body in asked]
        for asked in (plain[1], hatched[1])
    ]
    assert unsigned[0] == unsigned[1]
    if name in USUAL and name != "bad header":
        assert all("Signature=" in headers["authorization"] for _, headers, _ in hatched[1])
