"""A process that has the real runtime on a tiny disk, which is filled and freed, over and over, with work waiting.

In each round some events wait for a gate, then nothing fits any more. What was accepted is handled and told on the
ballast, what is there can be read and deleted, and once there is room PUTs are taken again, unasked.
"""

from __future__ import annotations

import itertools
import json
import os
import socket
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from botocore.exceptions import ClientError

from alight.cli.instance import open_door
from alight.store.verify import verify
from tests.crash.full_child import fill
from tests.crash.rig import BUCKET, KEEPS_BOOKS, TOLD_BY_WEBHOOK, House, Rig, rig
from tests.support import Instance, eventually
from tests.walk.making import books

#: Events of one round, of which two are begun when the disk becomes full.
SMALL, WORKERS = 6, 2
LARGE = 4 << 20
CODE = (
    KEEPS_BOOKS
    + """
import socket
def handler(event, context):
    key = begun(event, context)
    with socket.create_connection(("127.0.0.1", int(os.environ["GATE"]))) as gate:
        gate.recv(1)
    tell(key, context, "through the gate")
"""
)
#: Retries at once, then each second.
POLICY = {"healthyRetryPolicy": {"numRetries": 60, "numNoDelayRetries": 3, "minDelayTarget": 1, "maxDelayTarget": 1}}


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

    rig: Rig
    instance: Instance
    gate: Gate
    told: int = 0
    #: No key is asked for twice, not even where it was refused.
    tries: Iterator[int] = field(default_factory=itertools.count)

    def put(self, key: str, data: bytes) -> int:
        """The status of the answer."""
        return self.rig.status_of_put(key, data)

    def in_vain(self, data: bytes = b"small") -> int:
        return self.put(f"none-{next(self.tries)}", data)

    def settled(self) -> bool:
        """Every event has ended well, and every delivery is recorded as sent."""
        found = books(self.instance)
        sent = open_door(self.instance.data).get("outbox", limit=1000)["deliveries"]
        states = Counter(delivery["state"] for delivery in sent)
        return bool(found["accepted"] == found["succeeded"] == self.told and states.keys() == {"sent"})

    def everybody_is_told(self, keys: list[str]) -> None:
        self.told += len(keys)
        hook = self.rig.hook

        def told() -> set[str]:
            return {arrival.message.split()[0] for arrival in hook.arrivals}

        with hook.changed:
            ready = hook.changed.wait_for(lambda: told() >= set(keys), 30)
        assert ready, f"told of {sorted(told())} instead of {keys}"
        eventually(self.settled, what=f"that all is recorded ({books(self.instance)})")


@contextmanager
def scene_on(data: Path) -> Iterator[Scene]:
    """The books are beside the tiny disk."""
    gate = Gate()
    threading.Thread(target=gate.serve, daemon=True).start()
    house = House(
        CODE,
        variables={"GATE": str(gate.listener.getsockname()[1])},
        replicas=0,
        settings={"ALIGHT_CONCURRENCY": str(WORKERS), "ALIGHT_RETRY_DELAYS": "1,1"},
        policy=POLICY,
        terms=TOLD_BY_WEBHOOK,
    )
    try:
        with rig(data.parent, house) as made:
            assert made.instance is not None
            yield Scene(made, made.instance, gate)
    finally:
        gate.listener.close()


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
    scene.rig.books.note("fault", what="a full disk")
    happened["refused"] = [status, scene.in_vain(), scene.in_vain(bytes(LARGE))].count(507)
    # On a disk that is full now: what waits is handled, and who is told says no at first.
    scene.rig.hook.answers = [503, 503]
    scene.gate.turn(is_open=True)
    scene.everybody_is_told(list(kept))
    happened["stored"] = len(kept)
    for key, data in kept.items():
        happened["read"] += scene.rig.client.get_object(Bucket=BUCKET, Key=key)["Body"].read() == data
    happened["deleted"] = sum(delete(scene, key) for key in kept)
    happened["on the ballast"] = not ballast.exists()
    assert scene.in_vain() == 507, "there is no room yet, and a PUT was taken"
    # The next PUT and the ballast need no restart.
    stranger.unlink()

    def again() -> str:
        key = f"{number}/again-{next(scene.tries)}"
        return key if scene.put(key, b"again") == 200 else ""

    taken = eventually(again, what="that a PUT is taken again")
    scene.everybody_is_told([taken])
    happened["deleted again"] = delete(scene, taken)
    eventually(ballast.exists, what="that the ballast is taken again")
    return happened


def delete(scene: Scene, key: str) -> bool:
    """The write that finds the disk full is refused, and gives the ballast up: the next one goes."""
    held = (scene.instance.data / "ballast").exists()
    try:
        answer = scene.rig.client.delete_object(Bucket=BUCKET, Key=key)
    except ClientError:
        if not held:
            raise
        answer = scene.rig.client.delete_object(Bucket=BUCKET, Key=key)
    scene.rig.books.note("delete", key=key)
    return bool(answer["ResponseMetadata"]["HTTPStatusCode"] == 204)


def main(data: Path, rounds: int) -> None:
    with scene_on(data) as scene:
        happened = [fill_and_free(scene, number) for number in range(rounds)]
        code = scene.instance.stop()
        found = scene.rig.compare()
        findings = [str(item) for item in verify(data)]
    print(
        json.dumps({"rounds": happened, "code": code, "findings": findings} | {"table": found.table(), **asdict(found)})
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
