"""A burst at functions that may run one at a time, with a restart in the middle: nothing is lost, nothing done twice.

Throttling is waiting: whatever the limit, no event uses up an attempt on it.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tests.support import Instance, Start, eventually, steady_port
from tests.walk.making import books, events, let_in, make_function, make_role, open_queue, processes_of
from tests.walk.sinks import Webhook

OBJECTS = 150
THREADS = 8
BUCKET = "burst"

#: Fails where a second one of its kind is running; what it tells names its event.
CODE = """
import fcntl, os
from urllib.parse import unquote_plus
import boto3
sns = boto3.client("sns")
def handler(event, context):
    with open(f"{os.environ['LOCKS']}.{context.function_name}", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for record in event.get("Records", []):
            key = unquote_plus(record["s3"]["object"]["key"])
            sns.publish(TopicArn=os.environ["TOPIC"], Message=f"{key} {context.aws_request_id}")
"""


@dataclass
class Burst:
    """Threads that put tiny objects until each has had its 200, also across a restart on the same port.

    One more calls a function all the while, so that its events find their worker taken.
    """

    client: Any
    functions: Any
    rival: str
    #: What the rival was told that is no throttling.
    wrong: list[str] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)
    keys: SimpleQueue[str] = field(default_factory=SimpleQueue)
    #: Keys that were put again, since it was not known what had become of the first time.
    unsure: list[str] = field(default_factory=list)
    back: threading.Event = field(default_factory=threading.Event)
    threads: list[threading.Thread] = field(default_factory=list)

    def start(self, keys: Iterable[str]) -> None:
        for key in keys:
            self.keys.put(key)
        self.threads = [threading.Thread(target=self._work, daemon=True) for _ in range(THREADS)]
        self.threads.append(threading.Thread(target=self._compete, daemon=True))
        for thread in self.threads:
            thread.start()

    def join(self) -> None:
        self.done.set()
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive()

    def _compete(self) -> None:
        while not self.done.is_set():
            try:
                answer = self.functions.invoke(FunctionName=self.rival)
            except (BotoCoreError, ClientError):  # throttled, or the instance is away
                self.done.wait(0.02)
                continue
            # A stop may end it; the lock of a second one may not.
            error = json.loads(answer["Payload"].read())
            if "FunctionError" in answer and error["errorType"] != "Runtime.ExitError":
                self.wrong.append(str(error))

    def _work(self) -> None:
        while True:
            try:
                key = self.keys.get_nowait()
            except Empty:
                return
            try:
                self.client.put_object(Bucket=BUCKET, Key=key, Body=b".")
            except (BotoCoreError, ClientError):
                self.unsure.append(key)
                self.back.wait(60)
                self.keys.put(key)


def prepare(instance: Instance, functions: dict[str, str]) -> str:
    """A bucket whose objects under each prefix go to one function; the topic that the functions tell."""
    make_role(instance)
    topic = str(instance.client("sns").create_topic(Name="told")["TopicArn"])
    instance.client("s3").create_bucket(Bucket=BUCKET)
    rules = []
    for prefix, name in functions.items():
        arn = make_function(instance, name, CODE, TOPIC=topic, LOCKS=f"{instance.data}.lock")
        let_in(instance, arn, "s3", f"arn:aws:s3:::{BUCKET}")
        rule = {"Key": {"FilterRules": [{"Name": "prefix", "Value": prefix}]}}
        rules.append({"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"], "Filter": rule})
    instance.client("s3").put_bucket_notification_configuration(
        Bucket=BUCKET, NotificationConfiguration={"LambdaFunctionConfigurations": rules}
    )
    return topic


def restarted_in_the_middle(
    first: Instance, again: Callable[[], Instance], keys: list[str], rival: str
) -> tuple[Instance, Burst]:
    """Put the burst; stop the instance while both puts and events are under way, and start it on its port again."""
    burst = Burst(first.client("s3"), first.client("lambda"), rival)
    burst.start(keys)
    eventually(lambda: books(first)["succeeded"] >= OBJECTS // 10, what="a tenth of the events")
    assert processes_of(first.data).keys() - {first.process.pid}, "there are workers"
    assert books(first)["succeeded"] < OBJECTS * 0.9, "this is not the middle"
    assert first.stop() == 0
    assert processes_of(first.data) == {}
    second = again()
    burst.back.set()
    eventually(lambda: books(second)["succeeded"] + books(second)["dead"] >= OBJECTS, timeout=60, what="all events")
    burst.join()
    eventually(lambda: books(second)["pending"] + books(second)["running"] == 0, what="the last event")
    return second, burst


def check(instance: Instance, burst: Burst, keys: list[str], messages: list[str]) -> None:
    """Every accepted object is one event, one attempt, one message."""
    assert burst.wrong == []
    found = events(instance)
    assert {(event["state"], event["attempts"]) for event in found} == {("succeeded", 1)}
    assert Counter(message.split()[1] for message in messages) == Counter(event["id"] for event in found)
    told = Counter(message.split()[0] for message in messages)
    assert told.keys() == set(keys)
    sure = set(keys) - set(burst.unsure)
    assert {key for key in sure if told[key] != 1} == set()
    account = books(instance)
    assert account["accepted"] == account["succeeded"] == len(found)
    outbox = account["outbox"]
    assert (outbox["ready"], outbox["sending"], outbox["dead"], outbox["uncertain"]) == (0, 0, 0, 0)


def test_one_worker_for_everything(start: Start, hook: Webhook) -> None:
    settings = {"ALIGHT_CONCURRENCY": "1", "ALIGHT_WEBHOOK_ALLOW": "127.0.0.1", "port": steady_port()}
    first = start(**settings)
    topic = prepare(first, {"": "alone"})
    first.client("sns").subscribe(TopicArn=topic, Protocol="http", Endpoint=hook.url)
    assert hook.confirmed.wait(20)
    keys = [f"{number}" for number in range(OBJECTS)]
    second, burst = restarted_in_the_middle(first, lambda: start(**settings), keys, "alone")
    messages = [arrival.message for arrival in hook.wait_for(books(second)["accepted"])]
    eventually(lambda: books(second)["outbox"]["sending"] == 0, what="the last answer on the books")
    check(second, burst, keys, messages)


def test_two_functions_with_one_reserved_worker_each(start: Start) -> None:
    port = steady_port()
    first = start(port=port)
    topic = prepare(first, {"a/": "left", "b/": "right"})
    for name in ("left", "right"):
        first.client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    queue = open_queue(first.client("sqs"), "told", VisibilityTimeout="600")
    raw = {"RawMessageDelivery": "true"}
    first.client("sns").subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:000000000000:told", Attributes=raw
    )
    keys = [f"{'ab'[number % 2]}/{number}" for number in range(OBJECTS)]
    second, burst = restarted_in_the_middle(first, lambda: start(port=port), keys, "left")
    eventually(lambda: books(second)["outbox"]["sent"] >= books(second)["accepted"], what="the last message")
    sqs, messages = second.client("sqs"), list[str]()
    while page := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        messages += [message["Body"] for message in page]
    check(second, burst, keys, messages)
