"""The trodden path is the long way: each call is made by a client that makes it for the first time, and by one that
knows the path. Both get the same results and errors, and ask the same; and whoever hooks into botocore is asked."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from alight.clock import SystemClock
from alight.functions.hatch import Asked
from alight.functions.pool import FunctionPool
from alight.gateway.encode import Response
from tests.unit.functions.bench import Bench, answer, fake_credentials
from tests.unit.functions.test_shortcut import Server, comparable, without_times

HANDLER = '''
import gc, io, logging, os, sys, threading, zlib
import boto3, botocore.context, botocore.endpoint, botocore.history, botocore.useragent
from botocore.config import Config
from botocore.stub import Stubber

TOPIC = "arn:aws:sns:us-east-1:000000000000:t"
QUEUE = os.environ["AWS_ENDPOINT_URL"] + "/000000000000/q"
session = boto3.Session()
session.client("sts")  # the first client's user agent says where keys were found
end = sys.modules["botocore.httpsession"].URLLib3Session.send.by_hatch
long_ways, own_ask = [], end.ask
end.ask = lambda *asked: long_ways.append(1) or own_ask(*asked)

class Clients:
    def __init__(self, attempts=1):
        config = Config(retries={"total_max_attempts": attempts, "mode": "standard"})
        for service in ("s3", "sagemaker-runtime", "sns", "lambda", "sqs"):
            setattr(self, service.split("-")[0], session.client(service, config=config))

    def get(self, key="card", **more):
        return self.s3.get_object(**{"Bucket": "birds", "Key": key, **more})

    def ask(self, body=b"x", **more):
        return self.sagemaker.invoke_endpoint(**{"EndpointName": "birds", "Body": body, **more})

    def tell(self, message="m", **more):
        return self.sns.publish(**{"TopicArn": TOPIC, "Message": message, **more})

    def call(self, payload=b"{}", **more):
        return getattr(self, "lambda").invoke(**{"FunctionName": "f", "Payload": payload, **more})

    def send(self, body="m", **more):
        return self.sqs.send_message(**{"QueueUrl": QUEUE, "MessageBody": body, **more})

    def warm(self):
        for _ in range(2):
            self.get(), self.ask(), self.ask(ContentType="text/csv"), self.tell(), self.tell(Subject="s"), self.call()
            self.send(), self.send(MessageAttributes={}), receive(self), deleted(self)
        return self

def told(value):
    """All of a result, in its order."""
    if isinstance(value, dict):
        return [(name, told(part)) for name, part in value.items()]
    if hasattr(value, "_raw_stream"):
        kinds = [type(value).__name__, type(value._raw_stream).__name__, isinstance(value._raw_stream, io.IOBase)]
        first = told(value.read())
        return kinds + [value._content_length, first, value.read(), value._raw_stream.closed, value.tell()]
    if isinstance(value, bytes) and len(value) > 1000:
        return len(value), zlib.crc32(value)
    return repr(value)

def outcome(do, clients):
    try:
        return told(do(clients))
    except Exception as problem:
        return [type(problem).__name__, str(problem), told(getattr(problem, "response", None))]

def hooked(event, of="s3", do=Clients.get):
    """A hook sees each call, and none once it has gone."""
    def counted(clients):
        seen = []
        def hook(**named):
            seen.append(sorted(named))
        client = getattr(clients, of)
        client.meta.events.register(event, hook)
        do(clients), do(clients)
        client.meta.events.unregister(event, hook)
        do(clients)
        return seen
    return counted

def hooked_in_between(clients):
    seen = []
    clients.s3.meta.events.register("before-send.s3", lambda request, **_: seen.append(request.url))
    return clients.get(), seen

def logged(clients):
    stream = io.StringIO()
    handler, logger = logging.StreamHandler(stream), logging.getLogger("botocore.endpoint")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        clients.get()
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
    return "Sending http request" in stream.getvalue()

def patched(clients):
    seen, own = [], botocore.endpoint.Endpoint.prepare_request
    def prepare_request(self, request):
        seen.append(request.method)
        return own(self, request)
    botocore.endpoint.Endpoint.prepare_request = prepare_request
    try:
        clients.get(), clients.tell()
    finally:
        botocore.endpoint.Endpoint.prepare_request = own
    return seen

def recorded(clients):
    class Seen:
        names = []
        def emit(self, name, payload, source):
            self.names.append(name)
    recorder = botocore.history.get_global_history_recorder()
    Seen.names.clear()
    recorder.add_handler(Seen())
    recorder.enable()
    try:
        clients.get()
    finally:
        recorder.disable()
        recorder._handlers.clear()
    return Seen.names

def stubbed(clients):
    with Stubber(clients.sns) as stub:
        stub.add_response("publish", {"MessageId": "stub"}, {"TopicArn": TOPIC, "Message": "m"})
        return clients.tell(), clients.tell

def other_keys(clients):
    keys = clients.s3._request_signer._credentials
    keys.secret_key, own = "another", keys.secret_key
    try:
        return clients.get()
    finally:
        keys.secret_key = own

def asked_again(clients):
    """A retry leaves less room for others, and successes give it back."""
    quota = [h for h in clients.s3.meta.events._emitter._handlers.prefix_search("after-call.s3.GetObject")][0]
    again = clients.get("ails-once")["ResponseMetadata"]["RetryAttempts"]
    return again, [(clients.get(), quota.__self__._quota.available_capacity)[1] for _ in range(3)]

def drained(clients):
    """What failed for good has used up room, and each success gives back a bit."""
    quota = [h for h in clients.s3.meta.events._emitter._handlers.prefix_search("after-call.s3.GetObject")][0]
    failed = outcome(lambda c: c.get("ails"), clients)[0]
    return failed, [(clients.get(), quota.__self__._quota.available_capacity)[1] for _ in range(3)]

def redirected(clients):
    """A bucket that another region has told to be there."""
    hooks = clients.s3.meta.events._emitter._handlers.prefix_search("before-endpoint-resolution.s3")
    [hook.__self__._cache for hook in hooks if hasattr(hook, "__self__")][0]["birds"] = "eu-west-1"
    return clients.get()

def in_a_context(clients):
    with botocore.context.start_as_current_context():
        botocore.useragent.register_feature_id("WAITER")
        return clients.get()

def pieces(clients):
    body = clients.get()["Body"]
    return body.read(10), list(body.iter_chunks(900)), body._raw_stream.closed

def by_lines(clients):
    return list(clients.get("lines")["Body"].iter_lines()), next(clients.get()["Body"])

def inside(clients):
    raw = clients.get()["Body"]._raw_stream
    return raw.status, dict(raw.headers), raw.reason, raw.data[:20], raw.read(), raw.isclosed()

def with_it(clients):
    with clients.get()["Body"] as raw:
        found = raw.read()
    return found, raw.closed

def left(clients):
    body = clients.get("vast")["Body"]
    return body.read(10), body.close(), outcome(Clients.get, clients)

def traced(clients):
    os.environ["_X_AMZN_TRACE_ID"] = 'Root=1-2-3;Parent=4 ";Sampled=1'
    return clients.get(), os.environ.pop("_X_AMZN_TRACE_ID"), clients.get()

def at_once(clients):
    found = {}
    def one(number):
        found[number] = [clients.get("echo-%d-%d" % (number, again))["Body"].read() for again in range(5)]
    threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    return sorted(found.items())

def told_nothing(**named):
    pass

def changed_often(clients):
    """Hooks that come and go with each call cost no more than the long way in the end."""
    for _ in range(12):
        clients.s3.meta.events.register("after-call.s3", told_nothing)
        clients.s3.meta.events.unregister("after-call.s3", told_nothing)
        clients.get()
    return len(long_ways)

def receive(clients):
    return clients.sqs.receive_message(QueueUrl=QUEUE, MaxNumberOfMessages=10)

def deleted(clients):
    return clients.sqs.delete_message(QueueUrl=QUEUE, ReceiptHandle="r")

PLAIN = {
    "get": Clients.get,
    "another key": lambda c: c.get("Kärpäs lintu;#?%&+~/card"),
    "no body": lambda c: c.get("empty"),
    "checked": lambda c: c.get("checked"),
    "no checksum of the whole": lambda c: c.get("parts"),
    "metadata": lambda c: c.get("noted"),
    "in pieces": pieces,
    "by lines": by_lines,
    "inside": inside,
    "with": with_it,
    "ask": Clients.ask,
    "ask much": lambda c: c.ask(b"\\xff" * 500_000),
    "ask with text": lambda c: c.ask("ä,b"),
    "ask with bytearray": lambda c: c.ask(bytearray(b"abc")),
    "ask with kind": lambda c: c.ask(ContentType="text/csv; charset=utf-8"),
    "publish": Clients.tell,
    "publish more": lambda c: c.tell("ä\\r\\nb & c=d%+~", Subject="a  b"),
    "publish nothing": lambda c: c.tell(""),
    "call": Clients.call,
    "send": Clients.send,
    "send more": lambda c: c.send("ä\\r\\n<&", MessageAttributes={"a": {"DataType": "Binary", "BinaryValue": b"x"}}),
    "receive": receive,
    "delete": deleted,
    "call by arn": lambda c: c.call(FunctionName="arn:aws:lambda:us-east-1:000000000000:function:f"),
}
OTHERS = {
    "wrong checksum": lambda c: c.get("wrong"),
    "missing": lambda c: c.get("missing"),
    "ails": lambda c: c.get("ails"),
    "expires": lambda c: c.get("expires"),
    "partial": lambda c: c.get("partial"),
    "twice a header": lambda c: c.get("twice"),
    "large": lambda c: c.get("large"),
    "vast": lambda c: c.get("vast"),
    "breaks off": lambda c: c.get("hatch-breaks"),
    "no number": lambda c: c.get("no-number"),
    "text refused": lambda c: c.ask(b"refuse"),
    "function error": lambda c: c.call(b"error"),
    "entities": lambda c: c.tell("entities"),
    "other elements": lambda c: c.tell("elements"),
    "no xml": lambda c: c.tell("no xml"),
    "other bucket": lambda c: c.get(Bucket="other-birds"),
    "odd bucket": lambda c: c.get(Bucket="Birds.of_prey"),
    "bad bucket": lambda c: c.get(Bucket="a b"),
    "bucket of bytes": lambda c: c.get(Bucket=b"birds"),
    "bucket by list": lambda c: c.get(Bucket=["birds"]),
    "key with slash": lambda c: c.get("/card"),
    "empty key": lambda c: c.get(""),
    "no key": lambda c: c.get(None),
    "number for key": lambda c: c.get(5),
    "range": lambda c: c.get(Range="bytes=0-1"),
    "unknown parameter": lambda c: c.get(Colour="red"),
    "ask nothing": lambda c: c.ask(b""),
    "ask with file": lambda c: c.ask(io.BytesIO(b"file")),
    "ask with list": lambda c: c.ask([1]),
    "bad header": lambda c: c.ask(ContentType="a\\r\\nHost: b"),
    "header in Latin": lambda c: c.ask(ContentType="é"),
    "empty header": lambda c: c.ask(ContentType=""),
    "blank header": lambda c: c.ask(ContentType=" a "),
    "ask too much": lambda c: c.ask(b"y" * 1_100_000),
    "number for message": lambda c: c.tell(5),
    "surrogate": lambda c: c.tell("\\ud800"),
    "send nothing": lambda c: c.send(None),
    "send refused": lambda c: c.send("refuse"),
    "send a lot": lambda c: c.send("z" * 1_100_000),
    "send no JSON": lambda c: c.send("no json"),
    "hooks: before-call of send": hooked("before-call.sqs", "sqs", Clients.send),
    "hooks: after-call of send": hooked("after-call.sqs.SendMessage", "sqs", Clients.send),
    "attributes": lambda c: c.tell(MessageAttributes={"a": {"DataType": "String", "StringValue": "b"}}),
    "hooks: before-send": hooked("before-send.s3.GetObject"),
    "hooks: provide-client-params": hooked("provide-client-params.s3"),
    "hooks: before-parameter-build": hooked("before-parameter-build.s3.GetObject"),
    "hooks: before-endpoint-resolution": hooked("before-endpoint-resolution.s3"),
    "hooks: before-call": hooked("before-call.s3.*"),
    "hooks: request-created": hooked("request-created.*"),
    "hooks: choose-signer": hooked("choose-signer.s3"),
    "hooks: before-sign": hooked("before-sign.s3"),
    "hooks: before-parse": hooked("before-parse.s3.GetObject"),
    "hooks: response-received": hooked("response-received.s3"),
    "hooks: needs-retry": hooked("needs-retry.s3"),
    "hooks: after-call": hooked("after-call"),
    "hooks: before-send of publish": hooked("before-send.sns", "sns", Clients.tell),
    "hooks: before-sign of ask": hooked("before-sign.sagemaker-runtime", "sagemaker", Clients.ask),
    "hooked in between": hooked_in_between,
    "logged": logged,
    "patched": patched,
    "recorded": recorded,
    "stubbed": stubbed,
    "other keys": other_keys,
    "redirected": redirected,
    "in a context": in_a_context,
    "traced": traced,
    "at once": at_once,
    "left": left,
}

def handler(event, context):
    if event == "names":
        return [list(PLAIN), list(OTHERS)]
    os.environ.pop("_X_AMZN_TRACE_ID", None)
    what, name = event
    if what == "fresh":
        return repr(outcome({**PLAIN, **OTHERS}[name], Clients()))
    if what == "ready":
        handler.clients = Clients(2 if name == "asked again" else 1).warm()
    if what == "warm":
        del long_ways[:]
        return [repr(outcome({**PLAIN, **OTHERS}[name], handler.clients)), len(long_ways)]
    if what == "traces":
        clients = Clients()
        del long_ways[:]
        for trace in ("Root=1", "Root=1", 'Root=2;Parent=4 ";Sampled=1'):
            os.environ["_X_AMZN_TRACE_ID"] = trace
            clients.get()
        del os.environ["_X_AMZN_TRACE_ID"]
        clients.get()
        return len(long_ways)
    if what == "again":
        fresh, warm = Clients(2), Clients(2).warm()
        return [repr(outcome({"again": asked_again, "drained": drained}[name], clients)) for clients in (fresh, warm)]
    if what == "changes":
        clients = Clients().warm()
        del long_ways[:]
        return changed_often(clients)
    if what == "gone":
        clients = Clients().warm()
        kinds = sum(type(one).__name__ == "Known" for one in gc.get_objects())
        del clients
        gc.collect()
        return [kinds, sum(type(one).__name__ == "Known" for one in gc.get_objects())]
'''
PLAIN, OTHERS = (
    tuple(re.findall(r'^    "([^"]+)": ', part, re.MULTILINE))
    for part in HANDLER.partition("\nPLAIN = ")[2].split("\nOTHERS = ")
)
#: The hatch is closed for good.
SHUT = {"breaks off", "left"}
#: The requests come in any order, and by both ways.
MIXED = {"at once"}
ARN = b"<MessageId>m-1</MessageId>"
TOLD = (
    b'<?xml version="1.0" encoding="utf-8"?>\n<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/">'
    b"<PublishResult>" + ARN + b"</PublishResult><ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata>"
    b"</PublishResponse>"
)
DATE = (b"date", b"Sun, 29 Nov 2026 09:00:00 GMT")
VAST = bytes(range(256)) * 8_000


class Runtime(Server):
    """Has more to answer by the hatch."""

    def _special(self, name: str, body: bytes) -> Response | None:
        objects: dict[str, tuple[int, dict[bytes, bytes], bytes]] = {
            "checked": (200, {b"x-amz-checksum-crc32": b"NSRBwg==", b"x-amz-request-id": b"r"}, b"abc"),
            "parts": (200, {b"x-amz-checksum-crc32": b"NSRBwg==-2", b"x-amz-id-2": b"h"}, b"abc"),
            "wrong": (200, {b"x-amz-checksum-crc32": b"AAAAAA=="}, b"abc"),
            "noted": (200, {b"x-amz-meta-Note": b"a", b"x-amz-meta-b": b"two  words", b"ETag": b'"e"'}, b"abc"),
            "expires": (200, {b"expires": b"Sun, 29 Nov 2026 09:00:00 GMT"}, b"abc"),
            "partial": (206, {b"content-range": b"bytes 0-1/9"}, b"ab"),
            "no-number": (200, {b"x-amz-missing-meta": b"many"}, b"abc"),
            "vast": (200, {}, VAST),
        }
        status, headers, content = objects.get(name, (200, {}, b""))
        if name == "invocations" and body == b"refuse":
            kind = {b"content-type": b"application/json", b"x-amzn-errortype": b"ValidationError"}
            status, headers, content = 400, kind, b'{"message": "no"}'
        elif name == "invocations" and b"/functions/" in self.asked[-1][0].encode():
            failed = {b"x-amz-function-error": b"Unhandled"} if body == b"error" else {}
            status, headers, content = 200, {b"x-amzn-requestid": b"r", **failed}, b"null"
        elif name == "" and body.startswith(b"{"):
            status, headers, content = self._queue(body)
        elif name == "":
            content = TOLD
            for word, (old, new) in {
                b"Message=entities": (b"m-1", b"m&amp;1"),
                b"Message=elements": (ARN, ARN + b"<Colour>red</Colour>"),
                b"Message=no+xml": (TOLD, b"<Publish"),
            }.items():
                content = content.replace(old, new) if word in body else content
        elif name not in objects:
            return None
        return Response(status, [DATE, *headers.items()], content, len(content))

    @staticmethod
    def _queue(body: bytes) -> tuple[int, dict[bytes, bytes], bytes]:
        kind = {b"content-type": b"application/x-amz-json-1.0", b"x-amzn-requestid": b"r"}
        asked = json.loads(body)
        if "ReceiptHandle" in asked:
            return 200, kind, b"{}"
        if "MaxNumberOfMessages" in asked:
            return (
                200,
                kind,
                json.dumps({"Messages": [{"MessageId": "m", "Body": "ä", "Attributes": {"a": "b"}}]}).encode(),
            )
        if asked["MessageBody"] == "refuse":
            refused = {"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "no"}
            code = {b"x-amzn-query-error": b"AWS.SimpleQueueService.NonExistentQueue;Sender"}
            return 400, kind | code, json.dumps(refused).encode()
        return 200, kind, b"{" if asked["MessageBody"] == "no json" else b'{"MD5OfMessageBody": "m", "MessageId": "i"}'

    async def by_hatch(self, key: str, token: str, asked: Asked) -> Response | None:
        name = asked.target.partition("?")[0].rpartition("/")[2]
        count = len(self.asked)
        reply = await super().by_hatch(key, token, asked)
        if name == "hatch-breaks":
            raise RuntimeError("a fault of ours")
        if len(self.asked) == count:
            return reply
        special = self._special(name, asked.body)
        return special or reply


Told = tuple[str, str, int, list[Any], list[Any]]


class Worker:
    """Makes calls of the handler's, and keeps what the runtime was asked for each."""

    def __init__(self, folder: Path, server: Runtime, port: int) -> None:
        self._server = server
        self.pool = FunctionPool(
            limit=1, idle_timeout=60.0, clock=SystemClock(), folder=folder / "data", credentials=fake_credentials,
            endpoint_url=lambda: f"http://127.0.0.1:{port}", log=lambda *line: None,
        )  # fmt: skip
        self.pool.calls = server.by_hatch
        self._bench = Bench(folder, self.pool)

    async def call(self, event: Any, name: str = "all") -> Any:
        self._server.asked.clear()
        spec = self._bench.spec(HANDLER, name=name, timeout=30.0)
        return answer(await self._bench.call(spec, json.dumps(event).encode()))

    async def told(self, name: str) -> Told:
        """Of a client that makes this call for the first time, and of one that knows the path."""
        fresh = without_times(await self.call(["fresh", name], f"fresh-{name[:4]}" if name in SHUT else "all"))
        asked = comparable(self._server.asked)
        place = f"warm-{name[:4]}" if name in SHUT else "all"
        if name not in PLAIN or name == PLAIN[0]:
            await self.call(["ready", name], place)
        warm, long_ways = await self.call(["warm", name], place)
        return fresh, without_times(warm), long_ways, asked, comparable(self._server.asked)


async def run(folder: Path, work: Callable[[Worker], Any]) -> Any:
    server = Runtime()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, limit=2**24)
    worker = Worker(folder, server, listening.sockets[0].getsockname()[1])
    try:
        return await work(worker)
    finally:
        await worker.pool.close()
        listening.close()


@pytest.fixture(scope="module")
def all_told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    async def work(worker: Worker) -> dict[str, Told]:
        assert await worker.call("names") == [list(PLAIN), list(OTHERS)]
        return {name: await worker.told(name) for name in (*PLAIN, *OTHERS)}

    found: dict[str, Told] = asyncio.run(run(tmp_path_factory.mktemp("trodden"), work))
    return found


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_call_takes_the_path(name: str, all_told: dict[str, Told]) -> None:
    fresh, warm, long_ways, asked, asked_again = all_told[name]
    assert warm == fresh
    assert asked_again == asked
    assert len(asked) > 0
    assert long_ways == 0


@pytest.mark.parametrize("name", OTHERS)
def test_any_other_call_is_as_it_would_be(name: str, all_told: dict[str, Told]) -> None:
    fresh, warm, _, asked, asked_again = all_told[name]
    assert warm == fresh
    assert asked_again == asked or name in MIXED


HOOKS = [name for name in OTHERS if name.startswith("hooks: ")]


@pytest.mark.parametrize("name", HOOKS)
def test_hooks_see_each_call(name: str, all_told: dict[str, Told]) -> None:
    assert all_told[name][1].count("event_name") >= 2


def test_others_that_watch_see_the_call(all_told: dict[str, Told]) -> None:
    assert all_told["logged"][1] == "'True'"
    assert all_told["patched"][1] == "\"['GET', 'POST']\""
    assert "API_CALL" in all_told["recorded"][1]
    assert "http://127.0.0.1" in all_told["hooked in between"][1] or "birds/card" in all_told["hooked in between"][1]
    assert "stub" in all_told["stubbed"][1]


async def test_the_present_trace_goes_along(tmp_path: Path) -> None:
    async def work(worker: Worker) -> list[Any]:
        assert await worker.call(["traces", ""]) == 2
        return [headers.get("x-amzn-trace-id") for _, headers, _ in worker._server.asked]

    assert await run(tmp_path, work) == ["Root=1", "Root=1", 'Root=2;Parent=4%20";Sampled=1', None]


async def test_retries_are_counted_as_ever(tmp_path: Path) -> None:
    fresh, warm = await run(tmp_path, lambda worker: worker.call(["again", "again"]))
    assert warm == fresh == repr(repr((1, [500, 500, 500])))


async def test_successes_make_room_for_retries_again(tmp_path: Path) -> None:
    fresh, warm = await run(tmp_path, lambda worker: worker.call(["again", "drained"]))
    assert warm == fresh
    assert re.fullmatch(r'"\(\'ClientError\', \[(\d{3}), \d{3}, \d{3}\]\)"', warm)
    assert "500" not in warm


async def test_hooks_that_change_all_the_time_end_the_watching(tmp_path: Path) -> None:
    assert await run(tmp_path, lambda worker: worker.call(["changes", ""])) == 12


async def test_paths_go_with_their_client(tmp_path: Path) -> None:
    with_it, without = await run(tmp_path, lambda worker: worker.call(["gone", ""]))
    assert (with_it, without) == (5, 0)
