"""Small lives: store, journal, dispatcher and outbox of the product without a door, each life a fork of one process.

The process has everything in memory and forks for each line on stdin, `FOLDER BOOKS TURN`; it answers with the wait
status of that life. A life recovers what is there, does what its turn says, comes to quiet and closes. What its client,
its handlers and its receivers saw is in the books, a line each, which outlive it: `begin EVENT` and `done EVENT` around
a change, `attempt EVENT`, `arrive MESSAGE`, and `ready` behind the recovery.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

from alight import names
from alight.calls import Attempt
from alight.clock import SystemClock
from alight.events.dispatch import Dispatcher, Result, Target
from alight.notifications.deadletters import DeadLetters
from alight.notifications.envelope import Envelopes
from alight.notifications.message import SUBSCRIPTION, TOPIC, Message, Protocol, Subscription, SubscriptionState, Topic
from alight.notifications.outbox import Outbox
from alight.notifications.outgoing import Outgoing
from alight.notifications.topics import Topics
from alight.store import journal, writer
from alight.store.database import Database, Tx
from alight.store.journal import Event, NewEvent
from alight.store.objects import ObjectStore
from alight.store.outbox import OutboxStore
from alight.store.packs import PACKED_LIMIT
from alight.store.receiving import INLINE_LIMIT, Incoming
from alight.store.records import Records
from alight.store.shapes import ObjectInfo
from tests.crash.killed import be_counted
from tests.crash.store_child import chunks, content

BUCKET = "small"
FUNCTION = names.function_arn("small")
TOLD = names.topic_arn("told")
#: One who is told over the wire, and a queue in the house.
OUTSIDE, QUEUE = "http://127.0.0.1:9/", names.queue_arn("letters")
#: Kind of the records that stand for what lies in the queue.
LETTER = "small:letter"
#: Keys of each turn: overwritten by the next, as a file and in a row; its own, in a pack; the same, and deleted again.
LARGE, SMALL, KEPT, GONE = "large", "small", "kept", "gone"
#: Its first attempt fails.
FAILS = SMALL

Say = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Line:
    """Tells whoever subscribed: a line of the books is what arrived."""

    say: Say

    async def send(self, outgoing: Outgoing) -> None:
        self.say("arrive", outgoing.message.id)


@dataclass(frozen=True, slots=True)
class Queue:
    """In the house: what lies in it is counted in a row, in the transaction that records the delivery."""

    records: Records

    def prepare(self, outgoing: Outgoing) -> str:
        return outgoing.message.id

    def deliver(self, tx: Tx, outgoing: Outgoing, prepared: str) -> None:
        known = self.records.get(LETTER, prepared, tx)
        self.records.put(tx, LETTER, prepared, {"count": known.body["count"] + 1 if known else 1})


class Life:
    """From a start to quiet. `say` writes a line of the books."""

    def __init__(self, database: Database, folder: Path, clock: SystemClock, say: Say) -> None:
        self.database, self.clock, self.say = database, clock, say
        self.objects = ObjectStore(database, folder)
        self.records = Records(database)
        self.outbox_rows = OutboxStore(database)
        self.topics = Topics(
            self.outbox_rows, self.records, clock, lambda: self.outbox.wake(), lambda *given: self.outbox.place(*given)
        )
        self.outbox = Outbox(
            database,
            self.outbox_rows,
            self.records,
            clock,
            channels={Protocol.HTTP: Line(say)},
            local={Protocol.SQS: Queue(self.records)},
            held={},
            dead_letters=DeadLetters(cast(Envelopes, None), lambda *given: None),
        )
        self.dispatcher = Dispatcher(
            database,
            clock,
            target=lambda arn: Target(free=4, delays=(0.01,)),
            invoke=self._invoke,
            publishes=self.topics,
            free=lambda arn: 4,
        )
        self._dispatching: asyncio.Task[None] | None = None

    async def recover(self) -> None:
        """What an earlier life has left comes to its end."""
        await self.outbox.start()
        self._dispatching = asyncio.create_task(self.dispatcher.run())
        await self.objects.sweep()
        await self._quiet()

    async def work(self, turn: int) -> None:
        if self.objects.get_bucket(BUCKET) is None:
            await self.database.write(self._make)
        await asyncio.gather(
            self._put(LARGE, turn, PACKED_LIMIT + 1),
            self._put(SMALL, turn, 100),
            self._put(f"{KEPT}-{turn}", turn, INLINE_LIMIT + turn),
            self._put_and_delete(f"{GONE}-{turn}", turn),
        )
        await self._quiet()

    async def close(self) -> None:
        assert self._dispatching is not None
        self._dispatching.cancel()
        await asyncio.gather(self._dispatching, return_exceptions=True)
        await self.dispatcher.close()
        await self.outbox.close()
        self.objects.close()
        await self.database.close()

    async def _quiet(self) -> None:
        while True:
            assert self._dispatching is not None
            assert not self._dispatching.done()
            books, told = journal.books(self.database.read()), self.outbox_rows.counts()
            assert books.balanced, books
            if not (books.pending or books.running or told["ready"] or told["sending"]):
                return
            await asyncio.sleep(0.001)

    def _make(self, tx: Tx) -> None:
        self.objects.create_bucket(tx, BUCKET)
        self.records.put(tx, TOPIC, TOLD, Topic(TOLD).body())
        for protocol, endpoint in ((Protocol.HTTP, OUTSIDE), (Protocol.SQS, QUEUE)):
            arn = names.subscription_arn(TOLD, protocol.value)
            one = Subscription(arn, TOLD, protocol, endpoint, names.ACCOUNT, "", SubscriptionState.CONFIRMED)
            self.records.put(tx, SUBSCRIPTION, arn, one.body())

    async def _put(self, key: str, turn: int, size: int) -> None:
        """An object and its event, answered once both are on the disk."""
        event, data = f"{key}:{turn}", content(key, turn, size)
        self.say("begin", event)
        incoming = self.objects.take(data) if size <= INLINE_LIMIT else await self.objects.receive(chunks(data))
        await self.database.write(partial(self._place, key=key, event=event, incoming=incoming))
        self.say("done", event)

    def _place(self, tx: Tx, key: str, event: str, incoming: Incoming) -> None:
        self.objects.put(tx, BUCKET, key, incoming, ObjectInfo(metadata={"event": event}))
        self._accept(tx, event, key)

    async def _put_and_delete(self, key: str, turn: int) -> None:
        await self._put(key, turn, INLINE_LIMIT + 1)
        event = f"{key}:none"

        def job(tx: Tx) -> None:
            self.objects.delete(tx, BUCKET, key)
            self._accept(tx, event, key)

        self.say("begin", event)
        await self.database.write(job)
        self.say("done", event)

    def _accept(self, tx: Tx, event: str, key: str) -> None:
        now = self.clock.now()
        self.dispatcher.accept(tx, NewEvent(event, FUNCTION, b"{}", {"kind": "s3", "key": key}, now, now + 3600.0))

    async def _invoke(self, event: Event) -> Result:
        self.say("attempt", event.id)
        started = self.clock.now()
        attempt = Attempt("request", FUNCTION, event.id, event.fence, staged=True)
        message = Message(TOLD, f"{event.id} {event.fence}")
        await self.database.write(lambda tx: self.topics.publish(tx, message, attempt))
        failed = event.id.startswith(FAILS) and not event.attempts
        payload = b'{"errorType": "First", "errorMessage": "no"}' if failed else b'"done"'
        return Result("error" if failed else "ok", payload, event.id, started, self.clock.now())


async def begin(folder: Path, say: Say) -> Life:
    clock = SystemClock()
    return Life(await Database.open(folder, clock, ballast=64 << 10), folder, clock, say)


def pen(books: Path) -> Say:
    """Writes lines, each in one piece, which stay where the writer is killed."""
    file = os.open(books, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def say(*words: Any) -> None:
        os.write(file, (" ".join(map(str, words)) + "\n").encode())

    return say


async def live(folder: Path, books: Path, turn: int) -> None:
    """One life; turn 0 only recovers."""
    say = pen(books)
    life = await begin(folder, say)
    await life.recover()
    say("ready")
    if turn:
        await life.work(turn)
    await life.close()


def serve(kill: Path) -> None:
    # So that a short life copies its log into the database, as a long one does.
    writer.CHECKPOINT_IDLE = 8
    # Each life says that sends were cut off.
    logging.disable(logging.WARNING)
    for line in sys.stdin:
        folder, books, turn = line.split()
        if not (child := os.fork()):
            try:
                be_counted(kill)
                asyncio.run(live(Path(folder), Path(books), int(turn)))
            except BaseException:
                traceback.print_exc()
                sys.stderr.flush()
                os._exit(1)
            os._exit(0)
        print(os.waitpid(child, 0)[1], flush=True)


if __name__ == "__main__":
    serve(Path(os.environ["KILL_AT"]))
