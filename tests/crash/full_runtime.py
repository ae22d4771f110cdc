"""A process that has the real runtime on a tiny disk, which is filled and freed, over and over, with work waiting.

In each round some events wait for a gate, then nothing fits any more. What was accepted is handled and told on the
ballast, what is there can be read and deleted, and once there is room PUTs are taken again, unasked.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from alight.cli.instance import open_door
from alight.store.verify import verify
from tests.crash.full_child import fill
from tests.support import Instance, eventually, start_alight, sweep
from tests.walk.making import books, let_in, make_function, make_role
from tests.walk.sinks import Arrival, Webhook, webhook

#: Events of one round, of which two are begun when the disk becomes full.
SMALL, WORKERS = 6, 2
LARGE = 4 << 20
CODE = """
import os, socket
from urllib.parse import unquote_plus
import boto3
sns = boto3.client("sns")
def handler(event, context):
    with socket.create_connection(("127.0.0.1", int(os.environ["GATE"]))) as gate:
        gate.recv(1)
    key = unquote_plus(event["Records"][0]["s3"]["object"]["key"])
    sns.publish(TopicArn=os.environ["TOPIC"], Message=key)
"""
#: Retries at once, then each second.
POLICY = {"healthyRetryPolicy": {"numRetries": 60, "numNoDelayRetries": 3, "minDelayTarget": 1, "maxDelayTarget": 1}}


class Sink(Webhook):
    """Notes what it takes; what it refuses has not arrived."""

    def take(self, arrival: Arrival) -> int:
        if self.answers:
            return self.answers.pop(0)
        return super().take(arrival)


@dataclass
class Gate:
    """Handlers wait at it: it takes their connections, and closes them once it is open."""

    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    waiting: list[socket.socket] = field(default_factory=list)
    guard: threading.Lock = field(default_factory=threading.Lock)
    is_open: bool = False

    def serve(self) -> None:
        with suppress(OSError):
            while True:
                one, _ = self.listener.accept()
                with self.guard:
                    self.waiting.append(one)
                    if self.is_open:
                        self._let_through()

    def turn(self, is_open: bool) -> None:
        with self.guard:
            self.is_open = is_open
            if is_open:
                self._let_through()

    def _let_through(self) -> None:
        while self.waiting:
            self.waiting.pop().close()


@dataclass
class Scene:
    """The runtime on the tiny disk, who is told, and the gate."""

    instance: Instance
    s3: Any
    hook: Webhook
    gate: Gate
    told: int = 0

    def put(self, key: str, data: bytes) -> int:
        """The status of the answer."""
        try:
            answer = self.s3.put_object(Bucket="birds", Key=key, Body=data)
        except ClientError as error:
            answer = error.response
        return int(answer["ResponseMetadata"]["HTTPStatusCode"])

    def settled(self) -> bool:
        """Every event has ended well, and every delivery is recorded as sent."""
        found = books(self.instance)
        sent = open_door(self.instance.data).get("outbox", limit=1000)["deliveries"]
        states = Counter(delivery["state"] for delivery in sent)
        return bool(found["accepted"] == found["succeeded"] == self.told and states.keys() == {"sent"})

    def everybody_is_told(self, keys: list[str]) -> None:
        self.told += len(keys)
        with self.hook.changed:
            ready = self.hook.changed.wait_for(lambda: {a.message for a in self.hook.arrivals} >= set(keys), 30)
        assert ready, f"told of {sorted({a.message for a in self.hook.arrivals})} instead of {keys}"
        eventually(self.settled, what=f"that all is recorded ({books(self.instance)})")


@contextmanager
def scene_on(data: Path) -> Iterator[Scene]:
    gate = Gate()
    threading.Thread(target=gate.serve, daemon=True).start()
    with webhook(Sink()) as hook:
        instance = start_alight(
            data,
            ALIGHT_WEBHOOK_ALLOW="127.0.0.1",
            ALIGHT_CONCURRENCY=str(WORKERS),
            ALIGHT_RETRY_DELAYS="1,1",
            timeout=60,
        )
        try:
            prepare(instance, hook, gate)
            yield Scene(instance, instance.client("s3"), hook, gate)
        finally:
            sweep(instance.process)
            gate.listener.close()


def prepare(instance: Instance, hook: Webhook, gate: Gate) -> None:
    make_role(instance)
    sns, s3 = instance.client("sns"), instance.client("s3")
    topic = sns.create_topic(Name="told")["TopicArn"]
    policy = {"DeliveryPolicy": json.dumps(POLICY)}
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=hook.url, Attributes=policy)
    assert hook.confirmed.wait(20), "the subscription was not confirmed"
    function = make_function(instance, "tells", CODE, TOPIC=topic, GATE=str(gate.listener.getsockname()[1]))
    let_in(instance, function, "s3", "arn:aws:s3:::birds")
    s3.create_bucket(Bucket="birds")
    rule = {"LambdaFunctionArn": function, "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket="birds", NotificationConfiguration={"LambdaFunctionConfigurations": [rule]}
    )


def fill_and_free(scene: Scene, number: int) -> Counter[str]:
    """One round."""
    ballast, stranger = scene.instance.data / "ballast", scene.instance.data / "stranger"
    happened: Counter[str] = Counter()
    scene.gate.turn(is_open=False)
    kept = {f"{number}/small/{index}": os.urandom(1000) for index in range(SMALL)}
    for key, data in kept.items():
        assert scene.put(key, data) == 200, f"{key} was refused on a disk with room"
    eventually(lambda: len(scene.gate.waiting) == WORKERS, what="that handlers wait at the gate")
    status, index = 200, 0
    while status == 200:
        key, data = f"{number}/large/{index}", os.urandom(LARGE)
        status, index = scene.put(key, data), index + 1
        kept |= {key: data} if status == 200 else {}
    fill(stranger)
    happened["refused"] = [status, scene.put("none", b"small"), scene.put("none", bytes(LARGE))].count(507)
    # On a disk that is full now: what waits is handled, and who is told says no at first.
    scene.hook.answers = [503, 503]
    scene.gate.turn(is_open=True)
    scene.everybody_is_told(list(kept))
    happened["stored"] = len(kept)
    for key, data in kept.items():
        happened["read"] += scene.s3.get_object(Bucket="birds", Key=key)["Body"].read() == data
    happened["deleted"] = sum(delete(scene, key) for key in kept)
    happened["on the ballast"] = not ballast.exists()
    assert scene.put("none", b"small") == 507, "there is no room yet, and a PUT was taken"
    # The next PUT and the ballast need no restart.
    stranger.unlink()
    again = f"{number}/again"
    eventually(lambda: scene.put(again, b"again") == 200, what="that a PUT is taken again")
    scene.everybody_is_told([again])
    happened["deleted again"] = delete(scene, again)
    eventually(ballast.exists, what="that the ballast is taken again")
    return happened


def delete(scene: Scene, key: str) -> bool:
    """The write that finds the disk full is refused, and gives the ballast up: the next one goes."""
    held = (scene.instance.data / "ballast").exists()
    try:
        answer = scene.s3.delete_object(Bucket="birds", Key=key)
    except ClientError:
        if not held:
            raise
        answer = scene.s3.delete_object(Bucket="birds", Key=key)
    return bool(answer["ResponseMetadata"]["HTTPStatusCode"] == 204)


def main(data: Path, rounds: int) -> None:
    with scene_on(data) as scene:
        happened = [fill_and_free(scene, number) for number in range(rounds)]
        code = scene.instance.stop()
        repeats = len(scene.hook.arrivals) - scene.told
    print(
        json.dumps(
            {"rounds": happened, "repeats": repeats, "code": code, "findings": [str(item) for item in verify(data)]}
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
