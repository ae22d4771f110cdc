"""What is slow slows others down and breaks nothing; what is broken ends as a dead letter, and stops nobody else."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from alight.fence.tiers import offered
from tests.crash.rig import KEEPS_BOOKS, TOLD_BY_WEBHOOK, House, rig, say
from tests.support import Instance, eventually, start_alight, sweep
from tests.walk.making import books, events, let_in, make_function, make_role, open_queue

EVENTS = int(os.environ.get("ALIGHT_CHAOS_SLOW_EVENTS") or 60)

#: One request at a time, each of which takes a while.
SLOW = """
import time
def model_fn(folder):
    return None
def predict_fn(data, model):
    time.sleep(0.05)
    return data
"""

#: Gives up at the first refusal: no retry of the client hides it.
ASKS = (
    KEEPS_BOOKS
    + """
from botocore.config import Config
runtime = boto3.client("sagemaker-runtime", config=Config(retries={"total_max_attempts": 1}))
def handler(event, context):
    key = begun(event, context)
    answer = runtime.invoke_endpoint(EndpointName="same", Body=b"[1]", ContentType="application/json")
    tell(key, context, answer["Body"].read().decode())
"""
)

POISON = """
import ctypes, os, signal, sys, threading, time
def handler(event, context):
    kind = event.get("kind")
    if kind == "segfault":
        ctypes.string_at(0)
    if kind == "exit":
        os._exit(0)
    if kind == "sys.exit":
        sys.exit(0)
    if kind == "kills itself":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "kills its parent":
        os.kill(os.getppid(), signal.SIGKILL)
    if kind == "kills its group":
        os.killpg(0, signal.SIGKILL)
    if kind == "hangs":
        time.sleep(3600)
    if kind == "hangs in a thread":
        threading.Thread(target=time.sleep, args=(3600,)).start()
        raise ValueError("with a thread left behind")
    if kind == "too large":
        return "x" * (6 * 1024 * 1024 + 200)
    if kind == "no JSON":
        return {1, 2, 3}
    if kind == "endless":
        again = []
        again.append(again)
        return again
    if kind == "recurses":
        return handler(event, context)
    if kind == "no memory":
        return len(bytearray(1 << 40))
    if kind == "odd error":
        raise type("\\ud800" * 3, (Exception,), {})("\\x00\\ud800" * 1000)
    return "good"
"""

#: Writes beside what it was told of.
WRITES_BACK = """
import boto3
s3 = boto3.client("s3")
def handler(event, context):
    [record] = event["Records"]
    bucket, key = record["s3"]["bucket"]["name"], record["s3"]["object"]["key"]
    if len(key) < 50:
        s3.put_object(Bucket=bucket, Key=key + "x", Body=b".")
"""
#: The key with which it stops by itself.
LONGEST_KEY = 50

#: Each call sends the message on to the queue that has woken it.
SENDS_BACK = """
import boto3, os
sqs = boto3.client("sqs")
def handler(event, context):
    [record] = event["Records"]
    sqs.send_message(QueueUrl=os.environ["QUEUE"], MessageBody=record["body"] + "x")
"""

#: What is told comes back by a queue.
TELLS_BACK = """
import boto3, json, os
sns = boto3.client("sns")
def handler(event, context):
    [record] = event["Records"]
    sns.publish(TopicArn=os.environ["TOPIC"], Message=record["body"] + "x")
"""

#: Nobody but `calls` is told by the bucket, nobody but `writes_for` writes into it.
CALLS = """
import boto3
functions = boto3.client("lambda")
def handler(event, context):
    [record] = event["Records"]
    functions.invoke(FunctionName="writes_for", Payload='"' + record["s3"]["object"]["key"] + '"')
"""
WRITES_FOR = """
import boto3
s3 = boto3.client("s3")
def handler(event, context):
    s3.put_object(Bucket="two", Key=event + "x", Body=b".")
"""

#: How each ends: words of the dead letter's error.
ENDS = {
    "segfault": "Runtime.ExitError",
    "exit": "Runtime.ExitError",
    "sys.exit": "Runtime.ExitError",
    "kills itself": "Runtime.ExitError",
    "kills its group": "Runtime.ExitError",
    "hangs": "Sandbox.Timedout",
    "hangs in a thread": "ValueError",
    "too large": "Function.ResponseSizeTooLarge",
    "no JSON": "Runtime.MarshalError",
    "endless": "Runtime.MarshalError",
    "recurses": "RecursionError",
    "no memory": "MemoryError",
    "odd error": "",
}


@pytest.fixture(scope="module")
def pressed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    folder: Path = tmp_path_factory.mktemp("pressed")
    instance = start_alight(folder / "data", ALIGHT_CONCURRENCY="4", ALIGHT_RETRY_DELAYS="0.05")
    try:
        make_role(instance)
        yield instance
    finally:
        code = instance.stop()
        sweep(instance.process)
    assert code == 0


def of(instance: Instance, function: str) -> list[dict[str, Any]]:
    return [event for event in events(instance) if event["function"].partition(":")[0] == function]


def ended(instance: Instance, function: str, count: int) -> list[dict[str, Any]]:
    def over() -> list[dict[str, Any]] | None:
        account = books(instance)
        return of(instance, function) if not account["pending"] + account["running"] else None

    found: list[dict[str, Any]] = eventually(over, timeout=120, what=f"the end of the events of {function}")
    assert len(found) >= count
    return found


def tell(s3: Any, bucket: str, function: str) -> None:
    s3.create_bucket(Bucket=bucket)
    rule = {"LambdaFunctionArn": function, "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"LambdaFunctionConfigurations": [rule]}
    )


def test_a_slow_endpoint_slows_delivery_and_burns_no_retry(tmp_path: Path) -> None:
    settings = {"ALIGHT_CONCURRENCY": "4", "ALIGHT_RETRY_DELAYS": "0.05", "ALIGHT_REPLICAS": "1"}
    house = House(ASKS, inference=SLOW, replicas=1, settings=settings, terms=TOLD_BY_WEBHOOK)
    with rig(tmp_path, house) as made:
        instance = made.instance
        assert instance is not None
        began = time.monotonic()
        with ThreadPoolExecutor(8) as threads:
            assert all(threads.map(lambda number: made.put(), range(EVENTS)))
        put = time.monotonic() - began
        found = Counter((event["state"], event["attempts"]) for event in ended(instance, "tells", EVENTS))
        took = time.monotonic() - began
        say(made.settle(), None, f"{EVENTS} events put in {put:.1f} s, handled by a slow endpoint in {took:.1f} s")
    assert found == {("succeeded", 1): EVENTS}


def test_a_handler_that_sends_to_its_own_queue_is_stopped_after_sixteen(pressed: Instance) -> None:
    sqs, functions = pressed.client("sqs"), pressed.client("lambda")
    dead = open_queue(sqs, "dead")
    redrive = {"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:dead", "maxReceiveCount": 1}
    queue = open_queue(sqs, "round", RedrivePolicy=json.dumps(redrive), VisibilityTimeout="10")
    make_function(pressed, "sends", SENDS_BACK, timeout=10, QUEUE=queue)
    functions.create_event_source_mapping(
        FunctionName="sends", EventSourceArn="arn:aws:sqs:us-east-1:000000000000:round", BatchSize=1
    )
    sqs.send_message(QueueUrl=queue, MessageBody="m")
    [letter] = eventually(
        lambda: sqs.receive_message(QueueUrl=dead, WaitTimeSeconds=5).get("Messages"), 60, "the end of the loop"
    )
    assert letter["Body"] == "m" + "x" * 16


def test_a_loop_through_a_topic_and_a_queue_is_stopped_after_sixteen_too(pressed: Instance) -> None:
    sqs, sns, functions = pressed.client("sqs"), pressed.client("sns"), pressed.client("lambda")
    dead = open_queue(sqs, "untold")
    redrive = {"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:untold", "maxReceiveCount": 1}
    queue = open_queue(sqs, "told", RedrivePolicy=json.dumps(redrive), VisibilityTimeout="10")
    topic = sns.create_topic(Name="round")["TopicArn"]
    arn = "arn:aws:sqs:us-east-1:000000000000:told"
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    make_function(pressed, "tells", TELLS_BACK, timeout=10, TOPIC=topic)
    functions.create_event_source_mapping(FunctionName="tells", EventSourceArn=arn, BatchSize=1)
    sqs.send_message(QueueUrl=queue, MessageBody="m")
    [letter] = eventually(
        lambda: sqs.receive_message(QueueUrl=dead, WaitTimeSeconds=5).get("Messages"), 60, "the end of the loop"
    )
    assert letter["Body"] == "m" + "x" * 16


def test_a_loop_through_a_call_that_somebody_waits_for_is_stopped_too(pressed: Instance) -> None:
    arn, s3 = make_function(pressed, "calls", CALLS), pressed.client("s3")
    make_function(pressed, "writes_for", WRITES_FOR)
    let_in(pressed, arn, "s3", "arn:aws:s3:::*")
    tell(s3, "two", arn)
    s3.put_object(Bucket="two", Key="a", Body=b".")
    found = ended(pressed, "calls", 17)
    assert Counter((event["state"], event["attempts"]) for event in found) == {("succeeded", 1): 16, ("dead", 0): 1}
    # Where it is the call that somebody waits for that is too many, the caller is told.
    pressed.client("lambda").put_function_recursion_config(FunctionName="calls", RecursiveLoop="Allow")
    s3.put_object(Bucket="two", Key="b", Body=b".")
    found = ended(pressed, "calls", 34)
    assert Counter(event["state"] for event in found) == {"succeeded": 32, "dead": 2}
    errors = {event["error"]["type"] for event in found if event["state"] == "dead"}
    assert errors == {"RecursiveLoop", "RetriesExhausted RecursiveInvocationException"}


def test_a_handler_that_writes_into_its_own_bucket_is_stopped_after_sixteen(pressed: Instance) -> None:
    arn, s3, sqs = make_function(pressed, "writes", WRITES_BACK), pressed.client("s3"), pressed.client("sqs")
    let_in(pressed, arn, "s3", "arn:aws:s3:::*")
    letters = open_queue(sqs, "letters")
    pressed.client("lambda").update_function_configuration(
        FunctionName="writes", DeadLetterConfig={"TargetArn": "arn:aws:sqs:us-east-1:000000000000:letters"}
    )
    tell(s3, "ouroboros", arn)
    s3.put_object(Bucket="ouroboros", Key="a", Body=b".")
    found = ended(pressed, "writes", 17)
    assert Counter((event["state"], event["attempts"]) for event in found) == {("succeeded", 1): 16, ("dead", 0): 1}
    [dead] = [event for event in found if event["state"] == "dead"]
    assert dead["error"]["type"] == "RecursiveLoop"
    assert s3.list_objects_v2(Bucket="ouroboros")["KeyCount"] == 17, "what the last one wrote is there"
    [letter] = sqs.receive_message(QueueUrl=letters, WaitTimeSeconds=5)["Messages"]
    assert json.loads(letter["Body"])["Records"][0]["s3"]["object"]["key"] == "a" + "x" * 16
    metrics = pressed.client("cloudwatch").list_metrics(MetricName="RecursiveInvocationsDropped")["Metrics"]
    assert {"Name": "FunctionName", "Value": "writes"} in [one for found in metrics for one in found["Dimensions"]]
    # Somebody who brings it back means it; then it goes on for one call, and is stopped again.
    assert pressed.json("events", "redrive", dead["id"])["count"] == 1
    again = ended(pressed, "writes", 18)
    assert Counter(event["state"] for event in again) == {"succeeded": 17, "dead": 1}
    # With Allow nobody stops it but itself.
    functions = pressed.client("lambda")
    assert functions.get_function_recursion_config(FunctionName="writes")["RecursiveLoop"] == "Terminate"
    with pytest.raises(ClientError, match=r"Member must satisfy enum value set: \[Allow, Terminate\]"):
        functions.put_function_recursion_config(FunctionName="writes", RecursiveLoop="Maybe")
    functions.put_function_recursion_config(FunctionName="writes", RecursiveLoop="Allow")
    assert functions.get_function_recursion_config(FunctionName="writes")["RecursiveLoop"] == "Allow"
    s3.put_object(Bucket="ouroboros", Key="b" * (LONGEST_KEY - 18), Body=b".")
    free = ended(pressed, "writes", 37)
    assert Counter(event["state"] for event in free) == {"succeeded": 36, "dead": 1}


def test_poison_is_a_dead_letter_and_stops_nobody(pressed: Instance) -> None:
    lambda_ = pressed.client("lambda")
    make_function(pressed, "poisoned", POISON, timeout=2)
    lambda_.put_function_event_invoke_config(FunctionName="poisoned", MaximumRetryAttempts=0)
    kinds, good = list(ENDS), list[str]()
    if offered()["abi"]:
        kinds.append("kills its parent")

    def ask(kind: str) -> str:
        payload = json.dumps({"kind": kind})
        answer = lambda_.invoke(FunctionName="poisoned", InvocationType="Event", Payload=payload)
        answer["Payload"].read()
        return str(answer["ResponseMetadata"]["RequestId"])

    asked: dict[str, str] = {}
    for kind in kinds:
        asked[ask(kind)] = kind
        good += [ask("good") for _ in range(3)]
    found = {event["id"]: event for event in ended(pressed, "poisoned", len(asked) + len(good))}
    assert {found[id]["state"] for id in good} == {"succeeded"}
    assert {found[id]["attempts"] for id in good} == {1}, "a neighbour cost a good one an attempt"
    told = {kind: found[id] for id, kind in asked.items()}
    print()
    for kind, event in told.items():
        print(f"{kind}: {event['state']} after {event['attempts']}: {event['error']}")
    assert pressed.process.poll() is None, "the runtime was killed"
    for kind, words in ENDS.items():
        assert told[kind]["state"] == "dead", kind
        assert told[kind]["attempts"] == 1, kind
        assert "RetriesExhausted" in told[kind]["error"]["type"], kind
        assert words in told[kind]["error"]["type"], kind
