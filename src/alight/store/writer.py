"""The one thread that writes: it commits jobs in groups, so that many promises share one flush of the disk.

While a group is being flushed, the next jobs gather. Each runs in a savepoint of its group, so its failure takes
back its own changes alone. Results leave only after COMMIT. The first error of the disk closes the writer for
ever: after a failed flush the kernel may have dropped the data and say nothing the next time.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import apsw

from alight.errors.store import InsufficientStorage, StoreUnavailable
from alight.store.connections import BROKEN, FATAL, sync_directory
from alight.store.rows import Tx

#: Jobs of one group: enough to share a flush, few enough that the first does not wait long for the last.
GROUP_SIZE = 256

#: Pages (4 KiB) in the write-ahead log that are copied to the database when nobody waits, and in any case.
CHECKPOINT_IDLE = 1_000
CHECKPOINT_BUSY = 8_000

#: Seconds after which the number of the last commit is also written outside the database.
WITNESS_SECONDS = 1.0

#: The counter of commits.
COMMITS = "commits"


@dataclass(slots=True, eq=False)
class Job:
    """`work` runs in the thread. `error`, else `result`, is the outcome, final once the group is delivered. One that
    `frees` room is done again where the disk was full, on what that has given up."""

    work: Callable[[Tx], Any]
    abandoned: Callable[[], bool]
    ticket: Any = None
    frees: bool = False
    tx: Tx | None = None
    result: Any = None
    error: BaseException | None = None


class Writer:
    """Owns the writing connection. `deliver` gets each finished group, `on_fatal` the one error that ends it all;
    `on_full` is called where the disk is full, `on_progress` now and then with the number of the last commit; all in
    the writer's thread."""

    def __init__(
        self,
        connection: apsw.Connection,
        new_tx: Callable[[], Tx],
        deliver: Callable[[Sequence[Job]], None],
        on_fatal: Callable[[BaseException], None],
        on_full: Callable[[], None],
        on_progress: Callable[[int], None],
        monotonic: Callable[[], float],
    ) -> None:
        self._connection = connection
        self._on_full = on_full
        self._on_progress = on_progress
        self._monotonic = monotonic
        self._commit = 0
        self._witnessed = 0
        self._witnessed_at = monotonic()
        self._new_tx = new_tx
        self._deliver = deliver
        self._on_fatal = on_fatal
        self._queue: deque[Job] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._failure: BaseException | None = None
        self._log_pages = 0
        self.groups = 0
        connection.set_wal_hook(self._on_log_growth)
        self._thread = threading.Thread(target=self._loop, name="alight-writer", daemon=True)
        self._thread.start()

    def submit(self, jobs: Sequence[Job]) -> None:
        """Queue jobs. Raises `StoreUnavailable` once the writer is closed or has failed."""
        with self._changed:
            if self._failure is not None:
                raise StoreUnavailable(f"The store is closed after a disk error: {self._failure}.")
            if self._closing:
                raise StoreUnavailable()
            self._queue.extend(jobs)
            self._changed.notify()

    def refuse(self, error: BaseException) -> None:
        """Take no more jobs: the disk has failed elsewhere. What is being committed comes to its end."""
        with self._changed:
            self._failure = self._failure or error

    def close(self) -> None:
        """Finish what is queued, then end the thread (blocks)."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def _loop(self) -> None:
        group: list[Job] = []
        try:
            while True:
                group = self._next_group()
                if group:
                    self._commit_group(group)
                    self._deliver(group)
                    group = []
                    self._checkpoint_if_due()
                    self._tell_witness(at_once=False)
                else:
                    self._tell_witness(at_once=True)
                    if self._closing and not self._queue:
                        break
        except BaseException as error:
            self._fail(error, group)

    def _next_group(self) -> list[Job]:
        """The jobs that wait; none at the end, or where the witness has waited long enough."""
        with self._changed:
            if not self._queue and not self._closing:
                self._changed.wait(WITNESS_SECONDS if self._commit > self._witnessed else None)
            return [self._queue.popleft() for _ in range(min(GROUP_SIZE, len(self._queue)))]

    def _commit_group(self, group: list[Job]) -> None:
        """Raises only where the disk has failed; a full disk fails the group's jobs and leaves the writer alive. Those
        that free room leave the group and come again at once."""
        self._connection.execute("BEGIN IMMEDIATE")
        before = self._connection.total_changes()
        try:
            for job in group:
                self._run(job)
            for directory in {path for job in group if job.tx and not job.error for path in job.tx.directories}:
                sync_directory(directory)
            number = self._number() if self._connection.total_changes() != before else self._commit
            self._connection.execute("COMMIT")
            self._commit = number
        except apsw.FullError:
            self._take_back(group)
        self.groups += 1

    def _number(self) -> int:
        row = self._new_tx().one("counters.next", name=COMMITS)
        return row["value"] if row else 0

    def _tell_witness(self, at_once: bool) -> None:
        now = self._monotonic()
        if self._commit > self._witnessed and (at_once or now - self._witnessed_at >= WITNESS_SECONDS):
            self._on_progress(self._commit)
            self._witnessed, self._witnessed_at = self._commit, now

    def _run(self, job: Job) -> None:
        if job.abandoned():
            return
        job.tx = self._new_tx()
        self._connection.execute("SAVEPOINT job")
        try:
            job.result = job.work(job.tx)
        except (apsw.FullError, *FATAL):
            raise
        except Exception as error:
            if not self._connection.in_transaction or (isinstance(error, OSError) and error.errno in BROKEN):
                raise
            self._connection.execute("ROLLBACK TO job")
            job.error = error
            _call_all(job.tx.rolled_back)
        self._connection.execute("RELEASE job")

    def _take_back(self, group: list[Job]) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        self._on_full()
        # A log that has been copied is written from its start again, and need not grow.
        self._log_pages = CHECKPOINT_BUSY
        again: list[Job] = []
        for job in group:
            if job.error is None:
                job.error, job.result = InsufficientStorage(), None
                _call_all(job.tx.rolled_back if job.tx else [])
                if job.frees:
                    job.frees, job.error = False, None
                    again.append(job)
        group[:] = [job for job in group if job not in again]
        with self._changed:
            self._queue.extendleft(reversed(again))

    def _checkpoint_if_due(self) -> None:
        """Copy the log into the database where it has grown, after the answers have left."""
        if self._log_pages < (CHECKPOINT_BUSY if self._queue else CHECKPOINT_IDLE):
            return
        # Where there is no room for it, the log stays as it is.
        with suppress(apsw.FullError, apsw.BusyError):
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            self._log_pages = 0

    def _on_log_growth(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        self._log_pages = pages
        return apsw.SQLITE_OK

    def _fail(self, error: BaseException, group: list[Job]) -> None:
        """Answer nobody with success any more. What the group wrote may or may not be on the disk, so nothing is
        cleaned up: the next start finds out."""
        with self._changed:
            self._failure = error
            lost = [*group, *self._queue]
            self._queue.clear()
        for job in lost:
            job.result, job.error = None, StoreUnavailable(f"The store is closed after a disk error: {error}.")
        self._on_fatal(error)
        self._deliver(lost)


def _call_all(calls: list[Callable[[], None]]) -> None:
    for call in calls:
        # What cannot be tidied up now is an orphan, and swept at the next start.
        with suppress(OSError):
            call()
