"""The house's view of `alight.db`: `write` a job that is durable when it returns, `read` what is committed.

A 2xx anywhere in Alight means that a `write` has returned. Rooms bring their own statements (`sql/*.sql`) and
compose in one job whatever must be true together: an object's row and the events that it caused.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import apsw

from alight.clock import Clock
from alight.errors import AlightError
from alight.errors.store import Damaged, InsufficientStorage, StoreUnavailable, Torn
from alight.store.ballast import SIZE, Ballast
from alight.store.connections import open_reader, open_writer
from alight.store.ground import FILE_NAME, Ground, prepare
from alight.store.lock import FolderLock
from alight.store.mending import mend_texts
from alight.store.rows import Reader, Row, Tx
from alight.store.steps import Steps
from alight.store.writer import Job, Writer

__all__ = ["Database", "Reader", "Row", "Tx"]


T = TypeVar("T")
log = logging.getLogger(__name__)

#: Seconds between two tries to record something on a full disk.
FULL_DISK_SECONDS = 1.0
#: The statements whose rows are mended.
MENDABLE = ("journal.", "outbox.", "queues.")
#: Seconds after which it is tried again to mend rows.
TROUBLE = 5.0
#: Seconds for which a job that nobody waits for waits for company.
PATIENCE = 0.003


class Database:
    """Owner of one data folder. Made by `open`; used from the event loop that opened it."""

    def __init__(
        self, folder: Path, clock: Clock, lock: FolderLock, ground: Ground, writer: Callable[..., Writer] = Writer
    ) -> None:
        self.folder = folder
        self.clock = clock
        #: Called on the event loop with the disk's first error; the process should end.
        self.on_fatal: Callable[[BaseException], None] = lambda error: None
        #: Called on the event loop's or the writer's thread for each damaged row that is met.
        self.on_damage: Callable[[Damaged], None] = lambda damage: None
        self._lock = lock
        self._connection = ground.connection
        self._statements = ground.statements
        self._witness = ground.witness
        self._ballast = ground.ballast
        self._identity = ground.identity
        self._loop = asyncio.get_running_loop()
        self._reader: Reader | None = None
        self._reading: apsw.Connection | None = None
        #: Jobs of this turn of the loop, and patient ones.
        self._gathered: list[Job] = []
        #: When they are handed over, and whether that is at the end of this turn.
        self._handing: asyncio.Handle | None = None
        self._soon = False
        self._closed = False
        self._broken = False
        self._released = False
        #: Whether the writer has been asked to mend rows, or has done so a moment ago.
        self._mending = False
        self._writer = writer(
            ground.connection,
            self._new_tx,
            deliver=self._deliver,
            on_fatal=self._fatal,
            on_full=ground.ballast.release,
            on_progress=self._progress,
            monotonic=clock.monotonic,
        )
        #: Who moves what waits where the wall clock is set.
        self.steps = Steps(clock, self._submit, self._loop)

    @classmethod
    async def open(
        cls,
        folder: Path,
        clock: Clock,
        *,
        connect: Callable[[Path], apsw.Connection] = open_writer,
        ballast: int = SIZE,
        writer: Callable[..., Writer] = Writer,
    ) -> Database:
        """Take the folder (made where missing), bring its schema up to date, start the writer. `ballast` bytes are
        held for the day when the disk is full; `writer` is another one where tests commit without a thread.

        Raises `AlightError` where another process has it, a newer Alight wrote it, or it is not our database.
        """
        lock = await asyncio.to_thread(_take, folder)
        try:
            ground = await asyncio.to_thread(prepare, folder, clock, connect, Ballast(folder, ballast))
        except BaseException:
            lock.release()
            raise
        return cls(folder, clock, lock, ground, writer)

    async def write(self, job: Callable[[Tx], T], *, frees: bool = False, patient: bool = False) -> T:
        """Run `job` in the writer's thread and return its result once it is on the disk.

        An exception of the job undoes that job alone and is raised here. `job` must not touch the event loop; it is
        skipped where the caller has been cancelled before it began, and commits where it had begun. One that `frees`
        room is run once more where the disk is full: there is the ballast for it. A `patient` one, for which nobody
        waits, waits a moment for another, to share its flush.
        """
        ticket: asyncio.Future[T] = self._loop.create_future()
        self._submit(Job(job, ticket.cancelled, ticket, frees), patient)
        return await ticket

    async def insist(self, job: Callable[[Tx], T], *, patient: bool = False) -> T:
        """`write`, tried again for as long as the disk is full: for the record of what has already happened."""
        while True:
            try:
                return await (self.write(job, patient=True) if patient else self.write(job))
            except InsufficientStorage:
                await self.clock.sleep(FULL_DISK_SECONDS)

    def read(self) -> Reader:
        """Committed rows, for the event loop's thread; microseconds, so no await."""
        if self._closed:
            raise StoreUnavailable()
        if self._reader is None:
            self._reading = open_reader(self.folder / FILE_NAME)
            self._reader = Reader(self._reading, self._statements, self._damaged)
        return self._reader

    def run_apart(self, work: Callable[[Reader], T]) -> T:
        """Call `work` with a read-only connection of its own: for long reads, in a thread (blocks). All that it reads
        is of one moment."""
        connection = open_reader(self.folder / FILE_NAME)
        try:
            connection.execute("BEGIN")
            return work(Reader(connection, self._statements, self._damaged))
        finally:
            connection.close()

    def give_up(self, error: OSError) -> None:
        """The disk has failed a file beside the database: nothing more is promised. Loop thread only."""
        self._writer.refuse(error)
        self._end(error)

    @property
    def groups(self) -> int:
        """Commit groups since the start."""
        return self._writer.groups

    async def close(self) -> None:
        """Finish what is queued, close the files, give the folder up."""
        if self._released:
            return
        self._closed = self._released = True
        self.steps.close()
        self._hand_over()
        await asyncio.to_thread(self._writer.close)
        if self._broken:
            # Closing must not copy the log into the database either: what the log holds is judged by the next start.
            self._connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        if self._reading is not None:
            self._reading.close()
        try:
            await asyncio.to_thread(self._connection.close)
        finally:
            self._witness.close()
            self._ballast.release()
            self._lock.release()

    def _submit(self, job: Job, patient: bool = False) -> None:
        """What one turn of the loop brings goes to the writer together, so that it shares a transaction and a flush: an
        attempt's result and the lease of the next one."""
        self._gathered.append(job)
        if self._soon or (patient and self._handing is not None):
            return
        if self._handing is not None:
            self._handing.cancel()
        self._soon = not patient
        if patient:
            self._handing = self._loop.call_later(PATIENCE, self._hand_over)
        else:
            self._handing = self._loop.call_soon(self._hand_over)

    def _hand_over(self) -> None:
        if self._handing is not None:
            self._handing.cancel()
        self._handing, self._soon = None, False
        jobs, self._gathered = self._gathered, []
        try:
            self._writer.submit(jobs)
        except StoreUnavailable as error:
            for job in jobs:
                if not job.ticket.done():
                    job.ticket.set_exception(error)

    def _new_tx(self) -> Tx:
        return Tx(self._connection, self._statements, self._damaged)

    def _progress(self, commit: int) -> None:
        self._witness.write(self._identity, commit)
        self._ballast.ensure()

    def _damaged(self, damage: Damaged) -> None:
        self.on_damage(damage)
        if isinstance(damage, Torn) and damage.what.startswith(MENDABLE):
            self._on_loop(self._mend)

    def _mend(self) -> None:
        """Whoever has met a torn row is told so; whoever asks behind this job finds it mended."""
        if self._mending or self._closed:
            return
        self._mending = True
        ended: asyncio.Future[None] = self._loop.create_future()
        ended.add_done_callback(self._mended)
        now = self.clock.now()
        self._submit(Job(lambda tx: mend_texts(tx, now), ended.cancelled, ended))

    def _mended(self, ended: asyncio.Future[None]) -> None:
        if not ended.cancelled() and (error := ended.exception()) is not None:
            log.error("torn rows were not mended: %s", error)
        else:
            self.steps.ring()
        # Not at once again, where it has not helped.
        self._loop.call_later(TROUBLE, self._may_mend)

    def _may_mend(self) -> None:
        """Whoever looks again asks for it again."""
        self._mending = False
        self.steps.ring()

    def _deliver(self, group: Sequence[Job]) -> None:
        self._on_loop(lambda: _settle(group, self._loop))

    def _fatal(self, error: BaseException) -> None:
        self._on_loop(lambda: self._end(error))

    def _end(self, error: BaseException) -> None:
        # The writer may be committing at this moment: its connection is left alone until `close`.
        self._closed = self._broken = True
        self.on_fatal(error)

    def _on_loop(self, call: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # The loop is closed: nobody waits any more.
            self._loop.call_soon_threadsafe(call)


def _settle(group: Sequence[Job], loop: asyncio.AbstractEventLoop) -> None:
    for job in group:
        ticket: asyncio.Future[Any] = job.ticket
        if job.error is None and job.tx is not None:
            for call in job.tx.committed:
                try:
                    call()
                except Exception as error:
                    loop.call_exception_handler({"message": "after_commit failed", "exception": error})
        if ticket.done():
            continue
        if job.error is not None:
            ticket.set_exception(job.error)
        else:
            ticket.set_result(job.result)


def _take(folder: Path) -> FolderLock:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise AlightError(f"{folder} cannot be made: {error.strerror}.", "Choose another with --data DIR.") from None
    return FolderLock(folder)
